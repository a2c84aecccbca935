/* SPDX-License-Identifier: ISC
 *
 * One registration of a tunnel, from finding out what the server is to its end,
 * in whichever language that speaks: with LTP it is a control connection; the
 * Node.js localtunnel has none, and it lasts while proxy connections can be
 * had. Decides nothing about what comes after it: tunnel does.
 */
#ifndef LT_CLIENT_CONTROL_H
#define LT_CLIENT_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net.h"

struct client;
struct control;
struct display;
struct gate;
struct ltp_message;

/* What to ask for. Borrowed until the control connection has ended. */
struct control_ask {
	const char *name;     /* "": any */
	const char *own_name; /* asked for instead of "" where the server is
				 not known to be ours */
	const char *client;
	const char *session; /* NULL: nothing to resume */
	const char *secret;  /* NULL likewise */
	const char *sni;     /* with TLS; NULL: the host of the server */
	const char *kind;    /* NULL: http */
	uint16_t port;	     /* the public one wished for; 0: any */
	const char *group;   /* NULL: none */
	const char *domain;  /* custom host name; NULL: none */
	const struct gate *gate;
	bool strict; /* no other name will do */
	const struct display *display;
};

enum control_why {
	CONTROL_UNREACHABLE, /* no reply came; text says why */
	CONTROL_NO_SERVER,   /* there is something else; text is a sentence */
	CONTROL_REFUSED,     /* an error; code and text are the server's */
	CONTROL_MUTE,	     /* the connection ended in place of a reply */
	CONTROL_LOST,	     /* was up, and is gone; text says why */
	CONTROL_CLOSED,	     /* the server ended it; text is its reason */
};

/* How it ended. The texts are printable; they outlive the control connection,
 * but not the call. */
struct control_end {
	enum control_why why;
	const char *code; /* REFUSED */
	const char *text;
};

struct control_ops {
	/* The reply came, in words of LTP whatever the language; gone after the
	 * call. False: the control connection was freed. */
	bool (*up)(void *arg, struct control *, const struct ltp_message *);

	/* The pool is to be of another size. */
	void (*resize)(void *arg, struct control *, int64_t concurrency);

	/* The server's process is leaving: be gone within `ms`. */
	void (*leave)(void *arg, struct control *, int64_t ms);

	/* It has ended; free it here. */
	void (*ended)(void *arg, struct control *, const struct control_end *);
};

/* Starts; never calls back before it returns. NULL if there is no memory. */
struct control *control_start(const struct client *, const struct control_ask *,
    const struct control_ops *, void *arg);

/* What it is waiting for now, in words. */
const char *control_waits_for(const struct control *);

/* The name that was asked for; the backend that answered; whether the server
 * knows our extensions. Once it is up. */
const char *control_name(const struct control *);
const struct net_addr *control_backend(const struct control *);
bool control_has_ext(const struct control *);

/* True if the server is one of the Node.js localtunnel; its proxy connections
 * are bare, see pool.h. Once it is up. */
bool control_is_node(const struct control *);

/* A URL at which the server keeps copies of pages; "" if there is none. Once it
 * is up. */
const char *control_cached_url(const struct control *);

/* No proxy connection of it is left, nor can one be had. Ends it, if there is
 * nothing else by which it would be known that it has. */
void control_unserved(struct control *, const char *why);

/* Closes it, and tells the server that the tunnel is no longer wanted, also one
 * that has yet to answer the request for it; until it has heard it the client
 * has something to drain. NULL is fine. Sets the pointer to NULL. */
void control_goodbye(struct control **, const char *text);

/* Closes it without a word; NULL is fine. Sets the pointer to NULL. */
void control_free(struct control **);

#endif
