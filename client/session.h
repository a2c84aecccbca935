/* SPDX-License-Identifier: ISC
 *
 * One session of a tunnel: its control connection, the next one while that is
 * being made, and its pool (see supply.h). It knows how to come back; whether
 * and when, and what the user is told, the tunnel decides.
 *
 * A tunnel has several: the first claims the name, the further ones join it
 * by its secret, each in another process of the server.
 */
#ifndef LT_CLIENT_SESSION_H
#define LT_CLIENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct control_end;
struct identity;
struct ltp_message;
struct service;
struct session;

struct session_ops {
	/* True if an attempt may be made now; else session_wake() brings it
	 * about. */
	bool (*may_start)(void *arg, struct session *);

	/* A reply came for the name that was `asked`. False: not wanted, and
	 * its control connection is closed. */
	bool (*reply)(void *arg, struct session *, const char *asked,
	    const struct ltp_message *);

	/* It is up with that reply. */
	void (*up)(void *arg, struct session *, const struct ltp_message *);

	/* Its control connection is gone, and no other is being made. */
	void (*lost)(void *arg, struct session *, const struct control_end *);

	/* An attempt has come to nothing. */
	void (*failed)(void *arg, struct session *, const struct control_end *);
};

/* The session of that number, 1 being the first; does nothing yet; the
 * identity is borrowed. NULL if there is no memory. */
struct session *session_new(struct client *, struct service *, unsigned number,
    const struct identity *, const struct session_ops *, void *arg);

/* Joined connections live on until pool_free_all(). NULL is fine. */
void session_free(struct session *);

unsigned session_number(const struct session *);
bool session_is_up(const struct session *);
bool session_is_trying(const struct session *);	 /* a reply is waited for */
bool session_is_leaving(const struct session *); /* its server process is */

/* True if the server is one of the Node.js localtunnel: of the one that is up,
 * or, in the reply callback, of the one whose reply that is. */
bool session_is_node(const struct session *);

/* Where the server keeps copies of pages, once it is up; "" if nowhere. */
const char *session_cached_url(const struct session *);

/* What it is waiting for while it is trying, in words. */
const char *session_waits_for(const struct session *);

/* The label by which the server knows it; "" if there is none. */
const char *session_label(const struct session *);

/* The label that it had in an earlier run. */
void session_remember(struct session *, const char *label);

/* What the server knew it by is worth nothing any more: it begins anew, once
 * it is not up. */
void session_forget(struct session *);

/* Begins an attempt after `ms`. */
void session_start(struct session *, uint64_t ms);

/* Begins one now, unless it is up and stays so, or tries. */
void session_wake(struct session *);

/* Begins none before it is woken. */
void session_sleep(struct session *);

/* True if session_wake() would begin one, and nothing else is going to. */
bool session_is_asleep(const struct session *);

/* After it was lost: begins one soon, unless that happens again and again. */
void session_come_back(struct session *);

/* Begins one after a pause that grows; returns how long that is. */
uint64_t session_back_off(struct session *);

/* No more attempts, and no new visitors; the server is told so. Its joined
 * connections live on. */
void session_leave(struct session *);

#endif
