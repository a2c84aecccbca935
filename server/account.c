/* SPDX-License-Identifier: ISC
 *
 * Formats the one log line of a visitor's connection and hands it to the log
 * at level info. It keeps no state. Names and reasons may have come from
 * outside, so both are escaped; addresses are formatted here.
 */
#include "server/account.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

#define TUNNEL_SIZE 128 /* a name, some of it escaped */
#define REASON_SIZE 192
#define JOINED_SIZE 128

/* What is known only of a connection that was joined; leading blank. */
static void
put_joined(char out[JOINED_SIZE], const struct account *a)
{
	char client[NET_TEXT_MAX];

	out[0] = '\0';
	if (a->client.sa.sa_family == AF_UNSPEC)
		return;
	snprintf(out, JOINED_SIZE, " client=%s in=%" PRIu64 " out=%" PRIu64,
	    net_addr_text(&a->client, client), a->bytes_in, a->bytes_out);
}

void
account_visitor(const struct account *a)
{
	const char *name = a->tunnel != NULL ? a->tunnel : "-";
	char tunnel[TUNNEL_SIZE], reason[REASON_SIZE], joined[JOINED_SIZE];
	char visitor[NET_TEXT_MAX], status[24] = "";

	if (!log_enabled(LOG_LEVEL_INFO))
		return;
	put_joined(joined, a);
	if (a->status != 0)
		snprintf(status, sizeof(status), " status=%d", a->status);
	log_escape(tunnel, sizeof(tunnel), name, strlen(name));
	log_escape(reason, sizeof(reason), a->reason, strlen(a->reason));
	log_info("visitor tunnel=%s from=%s%s%s ms=%" PRIu64 " end=\"%s\"",
	    tunnel, net_addr_text(&a->visitor, visitor), joined, status,
	    clock_ms() - a->accepted_ms, reason);
}
