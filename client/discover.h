/* SPDX-License-Identifier: ISC
 *
 * Asks a server for the port of its backend: GET /meta/backend on the URL the
 * user gave. The backend is on the address that answered.
 */
#ifndef LT_CLIENT_DISCOVER_H
#define LT_CLIENT_DISCOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net.h"

struct client;
struct discover;
struct response;

/* What an answer says. */
struct discover_answer {
	uint16_t port;	   /* of the backend; 0: there is none */
	bool is_ltserver;  /* and so understands our extensions */
	bool is_permanent; /* no port: trying again would not help */
	bool is_elsewhere; /* no port: an ltserver, but of another domain */
	char why[128]; /* no port: "is no ltserver ..." if it is permanent */
};

/* Understands an answer. */
void discover_judge(struct discover_answer *, const struct response *);

/* What came of it; valid during the call only, after which the discover is
 * no more. */
struct discover_result {
	bool is_found;
	struct net_addr backend; /* if it is found */
	bool is_ltserver;
	bool is_permanent; /* trying again would not help; why is a sentence */
	bool is_other;	   /* so it is, but there is a server of HTTP */
	const char *why;
};

typedef void (*discover_fn)(void *arg, const struct discover_result *);

/* Starts; never calls back before it returns. NULL if there is no memory. */
struct discover *discover_start(const struct client *, discover_fn, void *arg);

/* Gives up; NULL is fine. Sets the pointer to NULL. */
void discover_stop(struct discover **);

#endif
