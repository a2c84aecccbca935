/* SPDX-License-Identifier: ISC
 *
 * Asks the server of the URL one question: GET, over a connection of its own,
 * in clear or with TLS as the URL says.
 */
#ifndef LT_CLIENT_FETCH_H
#define LT_CLIENT_FETCH_H

#include "common/net.h"
#include "common/tls.h"

struct client;
struct fetch;
struct response;

#define FETCH_TIMEOUT_MS 10000

/* What came of it; valid during the call only, after which the fetch is no
 * more. */
struct fetch_result {
	const struct response *response; /* NULL: there is none */
	struct net_addr addr;		 /* that gave it */
	const char *why;    /* there is none: in words; of the server */
	int error;	    /* as in a dial_result, if it did not come */
	enum tls_cert cert; /* to that; else 0 */
	bool is_permanent;  /* likewise; then `why` is a sentence */
	bool is_wrong;	    /* what came instead is no such answer; */
	bool is_http;	    /* it is one in HTTP all the same */
};

typedef void (*fetch_fn)(void *arg, const struct fetch_result *);

/* Asks for a path, with that in Accept, and shows the login if there is one and
 * it is wanted. Never calls back before it returns.
 * NULL if there is no memory. */
struct fetch *fetch_start(const struct client *, const char *path,
    const char *accept, bool shows_login, fetch_fn, void *arg);

/* Gives up; NULL is fine. Sets the pointer to NULL. */
void fetch_stop(struct fetch **);

#endif
