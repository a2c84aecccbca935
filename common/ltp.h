/* SPDX-License-Identifier: ISC
 *
 * LTP, the Localtunnel Protocol, as ltp(7) has it: framing and messages.
 * Pure: bytes in, values out. No descriptor, no clock, no log.
 *
 * Every connection to the backend begins with the header, then come frames:
 * a length of four bytes, most significant first, and a JSON object of that
 * length. A message of an old peer has no "ext" beside its other key; to such
 * a peer nothing is sent that the public LTP/0.2 does not know.
 */
#ifndef LT_COMMON_LTP_H
#define LT_COMMON_LTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LTP_HEADER     "LTP/0.2"
#define LTP_HEADER_LEN 7
#define LTP_FRAME_MAX  16384 /* bytes of JSON; a longer frame is refused */
#define LTP_DEPTH_MAX  8     /* nesting of the JSON */
#define LTP_NAME_MAX   63    /* a DNS label */
#define LTP_CLIENT_MAX 255
#define LTP_DOMAIN_MAX 253
#define LTP_KIND_MAX   16
#define LTP_LIST_MAX   32 /* strings in a list */

enum ltp_result {
	LTP_MORE,
	LTP_OK,
	LTP_BAD,
};

/* LTP_OK once all of the header is there, LTP_BAD at the first byte that
 * differs. */
enum ltp_result ltp_header(const void *buf, size_t len);

/*
 * Looks at one frame. LTP_OK: the JSON is at buf + 4, *json_len bytes.
 * LTP_BAD as soon as the length alone is too large, or zero.
 */
enum ltp_result ltp_frame(const void *buf, size_t len, size_t *json_len);

enum ltp_type {
	LTP_CONTROL,	   /* {"control": {"name": ..., "client": ...}} */
	LTP_PROXY,	   /* {"proxy": {"name": ..., "client": ...}} */
	LTP_CONTROL_REPLY, /* {"control": {"host": ..., "concurrency": ...}} */
	LTP_PROXY_REPLY,   /* {"proxy": true} */
	LTP_PING,	   /* {"control": "ping"} */
	LTP_PONG,	   /* {"control": "pong"} */
	LTP_CONCURRENCY,   /* {"event": {"concurrency": K}} */
	LTP_RECONNECT,	   /* {"event": {"reconnect": MS}} */
	LTP_CLOSE,	   /* {"event": {"close": TEXT}} */
	LTP_ERROR,	   /* {"error": CODE, "message": TEXT} */
};

/* Which of the two sides sent it: the same key means different things. */
enum ltp_from { LTP_FROM_CLIENT, LTP_FROM_SERVER };

/* A list of strings, at most as long as one that is read may be. */
struct ltp_list {
	const char *each[LTP_LIST_MAX];
	size_t n; /* 0: no list; one that is there is never empty */
};

/*
 * One message, read or to be written. A string is NULL and a number 0 where
 * there is none; numbers that were read are from 0 to INT32_MAX. Strings of a
 * message that was read belong to it and have no NUL inside; those of one to
 * be written belong to the caller.
 */
struct ltp_message {
	enum ltp_type type;
	bool has_ext; /* "ext" is there, maybe empty */

	const char *name;     /* CONTROL, PROXY; "" lets our server choose;
				 not checked, see ltp_name() */
	const char *client;   /* CONTROL, PROXY */
	const char *protect;  /* CONTROL: user:password for visitors */
	const char *domain;   /* CONTROL, outside ext: kept for old peers */
	const char *host;     /* CONTROL_REPLY */
	const char *banner;   /* CONTROL_REPLY */
	const char *error;    /* ERROR: the code */
	const char *text;     /* ERROR: message; CLOSE: the reason */
	int64_t concurrency;  /* CONTROL_REPLY, CONCURRENCY */
	int64_t reconnect_ms; /* RECONNECT */

	/* In ext. */
	const char *session;   /* CONTROL, PROXY, CONTROL_REPLY */
	const char *secret;    /* the same three */
	const char *agent;     /* CONTROL: "ltclient/1.0" */
	const char *ext_name;  /* CONTROL_REPLY */
	const char *url;       /* CONTROL_REPLY */
	const char *sni;       /* CONTROL_REPLY: for TLS connections of the
				  session */
	const char *server;    /* CONTROL_REPLY: "ltserver/1.0" */
	const char *peer;      /* PROXY_REPLY: "203.0.113.7:40112" */
	const char *scheme;    /* PROXY_REPLY: "http", "https" */
	int64_t heartbeat_s;   /* CONTROL_REPLY */
	int64_t grace_s;       /* CONTROL_REPLY */
	int64_t sessions;      /* CONTROL_REPLY */
	const char *kind;      /* CONTROL: "tls"; NULL is "http" */
	int64_t port;	       /* CONTROL: wished for; CONTROL_REPLY */
	const char *group;     /* CONTROL: the key that shares the name */
	const char *token;     /* CONTROL: what the server may ask for */
	const char *custom;    /* CONTROL, domain: a host name; not checked */
	bool strict;	       /* CONTROL */
	struct ltp_list auth;  /* CONTROL: user:password; not checked */
	struct ltp_list allow; /* CONTROL: networks; not checked */
	struct ltp_list deny;  /* CONTROL: likewise */
	const char *must_unknown; /* read only: the first member of ext.must
				     that this program does not know */

	void *json; /* what the strings belong to; for ltp_message_fini */
};

/*
 * Reads one message from its JSON. LTP_BAD if it is not an object, nests too
 * deeply, has a key twice, lacks a key that LTP/0.2 demands or has one of a
 * wrong type; then *why (static text) says so and there is nothing to free.
 * Never LTP_MORE. A message with none of the keys above is LTP_BAD too.
 */
enum ltp_result ltp_parse(struct ltp_message *, enum ltp_from, const void *json,
    size_t len, const char **why);

/* The same message once more, without reading it again; each of the two goes
 * to ltp_message_fini(). */
struct ltp_message ltp_message_again(const struct ltp_message *);

/* Frees what a message that was read holds; the message may be all zero. */
void ltp_message_fini(struct ltp_message *);

/*
 * Writes one message as a frame, after LTP_HEADER for CONTROL and PROXY.
 * Without has_ext the result is exactly what LTP/0.2 has. The caller frees
 * it. NULL if there is no memory, a string is not UTF-8, or the JSON would be
 * longer than LTP_FRAME_MAX. A string that LTP/0.2 demands is written as ""
 * if it is NULL.
 */
char *ltp_format(const struct ltp_message *, size_t *len);

#define LTP_JOIN_MAX 128

/*
 * The frame that joins a proxy connection with a visitor, exactly as
 * ltp_format() writes a PROXY_REPLY but without making JSON of it first: each
 * visitor waits for one. `peer` is an address and `scheme` a word, so nothing
 * in them has to be escaped; both are NULL without ext. Returns its length.
 */
size_t ltp_format_join(
    char out[LTP_JOIN_MAX], const char *peer, const char *scheme);

/*
 * Checks a tunnel name, [a-z0-9]([a-z0-9-]*[a-z0-9])? of at most
 * LTP_NAME_MAX bytes, ASCII capitals folded into `out`. False if it is none.
 */
bool ltp_name(const char *name, char out[LTP_NAME_MAX + 1]);

#endif
