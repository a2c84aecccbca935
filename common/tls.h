/* SPDX-License-Identifier: ISC
 *
 * TLS over a connected non-blocking socket, for server and client: OpenSSL
 * behind the semantics of read(2) and write(2). TLS 1.2 and 1.3 only, no
 * renegotiation, no compression. Nothing else uses OpenSSL for connections.
 *
 * A context is what many connections share: certificates, whom to trust,
 * ticket keys. It may be freed while connections made from it live.
 *
 * What has been decrypted and not yet read can be looked at again and again
 * (tls_peek), as a socket's bytes can with MSG_PEEK.
 */
#ifndef LT_COMMON_TLS_H
#define LT_COMMON_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bufferevent;
struct event_base;
struct tls;
struct tls_context;

#define TLS_WHY_MAX	   256
#define TLS_ALPN_HTTP	   "http/1.1" /* visitors */
#define TLS_ALPN_LTP	   "ltp"      /* clients of ours */
#define TLS_TICKET_KEYS	   3	      /* at most */
#define TLS_NOT_SHUT	   ENODATA    /* errno, see tls_read */
#define TLS_TICKET_KEY_LEN 80

/* --- contexts ------------------------------------------------------------- */

/* Reads the configuration of OpenSSL, and loads what it would load when it is
 * first needed: for processes that will not be able to. */
void tls_init(void);

/* A certificate with its chain, and its key, as PEM; only borrowed. */
struct tls_pair {
	const char *cert;
	size_t cert_len;
	const char *key;
	size_t key_len;
	const char *cert_name; /* of the files, for errors */
	const char *key_name;
};

/* What session tickets are sealed with: 16 bytes of name, 32 for AES, 32 for
 * HMAC, all of them random. */
struct tls_ticket_key {
	uint8_t bytes[TLS_TICKET_KEY_LEN];
};

struct tls_server_setup {
	const struct tls_pair *pairs; /* the first is the default */
	size_t pairs_n;
	const char *domain; /* the pair for this name is the default instead of
			       the first; or NULL */
	const struct tls_ticket_key *tickets; /* the first seals, all open */
	size_t tickets_n;		      /* 1 to TLS_TICKET_KEYS */
	bool any_date; /* a certificate that is out of date is no error */
};

/*
 * For servers. The pair is chosen by server name: exact before wildcard, else
 * the default. NULL if a pair is unreadable, does not match, or is out of date:
 * `why` names the file.
 */
struct tls_context *tls_server_new(
    const struct tls_server_setup *, char why[TLS_WHY_MAX]);

/* For clients; every text may be NULL. */
struct tls_client_setup {
	const char *alpn;      /* the one protocol to offer */
	const char *ca_file;   /* whom to trust instead of the system's roots */
	const char *cert_file; /* to show if asked, */
	const char *key_file;  /* with its key */
	bool is_insecure;      /* the server's certificate is not checked */
};

/* NULL with `why` that names the file. A context of a client remembers the
 * last session and resumes it: use it for one server only. */
struct tls_context *tls_client_new(
    const struct tls_client_setup *, char why[TLS_WHY_MAX]);

void tls_context_free(struct tls_context *); /* NULL is fine */

/* --- one connection ------------------------------------------------------- */

/* The server's side of a connection on `fd`, which is only borrowed. `scope`
 * limits tickets: one given out in a scope opens nothing in another. NULL
 * without memory. */
struct tls *tls_accept_new(struct tls_context *, int fd, const char *scope);

/* The client's side. `name`, unless it is NULL, goes out as server name; the
 * certificate is checked for `host`, a DNS name or a literal address. */
struct tls *tls_connect_new(
    struct tls_context *, int fd, const char *name, const char *host);

/* Frees without a word to the peer; NULL is fine. */
void tls_free(struct tls *);

enum tls_result {
	TLS_OK,
	TLS_WANT_READ,	/* go on when the socket is readable, */
	TLS_WANT_WRITE, /* or writable */
	TLS_BAD,	/* tls_why() says why; an alert has been sent. errno:
			   EPROTO, or that of a connection that broke off */
};

enum tls_result tls_handshake(struct tls *);

/* What a handshake has failed for, if it was the peer's certificate. */
enum tls_cert {
	TLS_CERT_GOOD,	  /* it was not */
	TLS_CERT_UNKNOWN, /* nobody who is trusted vouches for it */
	TLS_CERT_NAME,	  /* it is not for that host */
	TLS_CERT_DATE,	  /* it has expired, or is not valid yet */
};

enum tls_cert tls_cert_fault(const struct tls *);

/* Why the handshake, a read or a write failed; printable, one line. */
const char *tls_why(const struct tls *);

/* The server's name as the client sent it; "" if it sent none. */
const char *tls_server_name(const struct tls *);

/* After the handshake: was it a short one? Was this protocol agreed on? */
bool tls_is_resumed(const struct tls *);
bool tls_is_alpn(const struct tls *, const char *protocol);

/*
 * As read(2): 0 is the peer's close_notify. -1 with errno: EAGAIN; TLS_NOT_SHUT
 * for an end of the stream without close_notify, which somebody else may have
 * caused (writing still goes on); EPROTO for what is no TLS, or that of the
 * system. After EAGAIN an event of either kind may be what it takes.
 */
ssize_t tls_read(struct tls *, void *buf, size_t len);

/* As write(2); a part may be taken. After EAGAIN begin with the same bytes, and
 * give no fewer. What goes wrong here does not end reading. */
ssize_t tls_write(struct tls *, const void *buf, size_t len);

/* As recv(2) with MSG_PEEK: up to `len` of the bytes to be read next, and as
 * many as have come. 0 and -1 only if there is none. */
ssize_t tls_peek(struct tls *, void *buf, size_t len);

/* Sends close_notify: no more will be written. What is not yet read can still
 * be. 0, or -1 with EAGAIN: again when the socket is writable. If the last
 * write said EAGAIN there is no place for it, and the peer is told nothing. */
int tls_shutdown(struct tls *);

/* A bufferevent for a connection whose handshake is done; what was peeked at
 * is in its input. It borrows `tls` and the descriptor: free it first. NULL
 * without memory. */
struct bufferevent *tls_bufferevent(struct event_base *, struct tls *);

#endif
