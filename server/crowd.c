/* SPDX-License-Identifier: ISC */
#include "server/crowd.h"

#include "server/peers.h"
#include "server/room.h"
#include "server/serve.h"
#include "server/worker.h"

/* What is in the way of one more from there; NULL if nothing is. */
static const char *
find_hindrance(struct worker *w, const struct net_addr *visitor)
{
	unsigned most = w->config->visitors_per_address;

	if (!room_is_left(w, ROOM_VISITOR))
		return "the server has no room for another visitor";
	if (most == 0 || config_is_shared(w->config, visitor) ||
	    peers_of(w->visitors, visitor) < most)
		return NULL;
	return "there are too many visitors from this address";
}

bool
crowd_admits(struct worker *w, struct conn *conn, const char *tunnel)
{
	const char *why = find_hindrance(w, &conn->peer);

	if (why != NULL)
		serve_refused(w, conn, tunnel, 503, why);
	return why == NULL;
}

struct peer *
crowd_add(struct worker *w, const struct net_addr *visitor)
{
	return w->config->visitors_per_address == 0
		   ? NULL
		   : peers_hold(w->visitors, visitor);
}
