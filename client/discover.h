/* SPDX-License-Identifier: ISC
 *
 * Asks a server for the port of its backend: GET /meta/backend on the URL the
 * user gave. The backend is on the address that answered.
 */
#ifndef LT_CLIENT_DISCOVER_H
#define LT_CLIENT_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/http.h"
#include "common/net.h"

struct client;
struct discover;

#define DISCOVER_MAX	    16384 /* bytes of an answer */
#define DISCOVER_TIMEOUT_MS 10000

/* What the answer says. */
struct discover_answer {
	uint16_t port;	   /* of the backend */
	bool is_ltserver;  /* and so understands our extensions */
	bool is_permanent; /* HTTP_BAD: trying again would not help */
	bool is_elsewhere; /* HTTP_BAD: an ltserver, but of another domain */
	char why[128];	   /* HTTP_BAD: "is no tunnel server ..." */
};

/* Reads an answer, whole if `at_end`. HTTP_MORE, HTTP_OK or HTTP_BAD. */
enum http_result discover_parse(
    struct discover_answer *, const char *buf, size_t len, bool at_end);

/* What came of it; valid during the call only, after which the discover is
 * no more. */
struct discover_result {
	bool is_found;
	struct net_addr backend; /* if it is found */
	bool is_ltserver;
	bool is_permanent; /* trying again would not help; why is a sentence */
	const char *why;
};

typedef void (*discover_fn)(void *arg, const struct discover_result *);

/* Starts; never calls back before it returns. NULL if there is no memory. */
struct discover *discover_start(const struct client *, discover_fn, void *arg);

/* Gives up; NULL is fine. Sets the pointer to NULL. */
void discover_stop(struct discover **);

#endif
