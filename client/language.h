/* SPDX-License-Identifier: ISC
 *
 * What control and the languages that it knows have to do with each other:
 * LTP (ltplink.c) and the HTTP API of the Node.js localtunnel (nodelink.c). For
 * nobody else.
 *
 * A link is one registration in one language. It tells control what becomes
 * of it by the control_..() functions below; the first call of control_end()
 * is the last thing it does.
 */
#ifndef LT_CLIENT_LANGUAGE_H
#define LT_CLIENT_LANGUAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/control.h"
#include "common/stream.h"
#include "common/tls.h"

struct language {
	/* Asks for the tunnel over that connection, which it takes; none for
	 * NODE, which makes its own. Never calls back before it returns. NULL
	 * if there is no memory. */
	void *(*start)(struct control *, struct stream *);

	/* No proxy connection of the tunnel is left, nor can one be had. */
	void (*unserved)(void *link, const char *why);

	/* The tunnel is no longer wanted: says so if the server understands
	 * that, by way of the drains of the client. Nothing but free() may
	 * follow. */
	void (*goodbye)(void *link, const char *text);

	void (*free)(void *link);
};

extern const struct language ltplink_language, nodelink_language;

/* What is asked for, and of whom; borrowed. */
const struct client *control_client(const struct control *);
const struct control_ask *control_asked(const struct control *);

/* Why the server does not speak LTP: a sentence. NODE only. */
const char *control_no_ltp(const struct control *);

/* Where the proxy connections go, unless it is where control connected to. */
void control_set_backend(struct control *, const struct net_addr *);

/* A URL at which the server keeps copies of pages; borrowed from the link. */
void control_set_cached_url(struct control *, const char *url);

/* What has happened, see struct control_ops. What is "" there may be NULL.
 * After control_end(), and false of control_up(), the link is gone. */
bool control_up(struct control *, const struct ltp_message *);
void control_resize(struct control *, int64_t concurrency);
void control_leave(struct control *, int64_t ms);
void control_end(
    struct control *, enum control_why, const char *code, const char *text);

/* It has ended because the server could not be connected to, for an error, a
 * fault of its certificate and so on as those of a dial_result. */
void control_no_connection(struct control *, int error, enum tls_cert,
    bool is_permanent, const char *why);

#endif
