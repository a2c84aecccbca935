/* SPDX-License-Identifier: ISC
 *
 * The books: one line for each visitor connection at its end, with a reason,
 * whatever the end was. Fields are key=value; whatever came from outside is
 * escaped.
 *
 *   visitor tunnel=demo from=203.0.113.7:40112 client=198.51.100.2:5000
 *       in=412 out=10934 ms=87 end="finished"
 *   visitor tunnel=- from=203.0.113.7:40113 status=404 ms=2
 *       end="no such tunnel"
 *
 * In the log it is an event of level info. In an access log of its own the time
 * stands in place of "visitor", or it is JSON with the same keys.
 */
#ifndef LT_SERVER_ACCOUNT_H
#define LT_SERVER_ACCOUNT_H

#include <stdint.h>

#include "common/net.h"
#include "server/conn.h"

struct worker;

struct account {
	const char *tunnel; /* name, or NULL if it never got to one */
	struct net_addr visitor;
	struct net_addr client; /* the proxy connection's; or none */
	uint64_t accepted_ms;
	uint64_t bytes_in; /* visitor to local service */
	uint64_t bytes_out;
	int status;	    /* of the page it was answered with, or 0 */
	const char *reason; /* why it ended */
};

/* Writes the line, and counts the result. */
void account_visitor(struct worker *, const struct account *);

#endif
