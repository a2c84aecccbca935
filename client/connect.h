/* SPDX-License-Identifier: ISC
 *
 * What is said to an HTTP proxy so that it connects us with a server, and what
 * its answer means. Pure: text in, values out; dial does the talking.
 */
#ifndef LT_CLIENT_CONNECT_H
#define LT_CLIENT_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/follow.h"

struct way;

#define CONNECT_MAX	16384 /* bytes of an answer */
#define CONNECT_WHY_MAX 768

/* The request, to be freed with free(3); it holds the password, so wipe it
 * first. NULL if there is no memory. */
char *connect_request(const struct way *, const char *host, uint16_t port);

enum connect_fault {
	CONNECT_REFUSED, /* it has answered; the status says what */
	CONNECT_NO_HTTP, /* it does not speak HTTP */
	CONNECT_TOO_MUCH,
	CONNECT_EARLY, /* there are bytes behind the answer; but no server
			  speaks before it was spoken to */
	CONNECT_ENDED, /* the connection ended before the answer was whole */
	CONNECT_LATE,  /* nothing came in time */
};

/* The answer, as far as it has come. */
struct connect_answer {
	struct answer http;
	size_t len;
	enum connect_fault fault; /* HTTP_BAD */
};

void connect_init(struct connect_answer *);

/* Takes the next bytes of the answer. HTTP_OK: we are connected with the
 * server. Not to be called again after HTTP_OK or HTTP_BAD. */
enum http_result connect_feed(
    struct connect_answer *, const char *buf, size_t len);

/* Says a fault in words that name the proxy, and what to do. True if trying
 * again would not help. */
bool connect_explain(const struct connect_answer *, const struct way *,
    const char *host, uint16_t port, char why[CONNECT_WHY_MAX]);

#endif
