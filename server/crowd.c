/* SPDX-License-Identifier: ISC */
#include "server/crowd.h"

#include "server/peers.h"
#include "server/serve.h"
#include "server/worker.h"

bool
crowd_admits(struct worker *w, struct conn *conn, const char *tunnel)
{
	unsigned most = w->config->visitors_per_address;

	if (most == 0 || config_is_shared(w->config, &conn->peer) ||
	    peers_of(w->visitors, &conn->peer) < most)
		return true;
	serve_refused(w, conn, tunnel, 503,
	    "there are too many visitors from this address");
	return false;
}

void
crowd_add(
    struct worker *w, struct peer_entry *entry, const struct net_addr *visitor)
{
	if (w->config->visitors_per_address != 0)
		peers_add(w->visitors, entry, visitor);
}

void
crowd_del(struct worker *w, struct peer_entry *entry)
{
	peers_del(w->visitors, entry);
}
