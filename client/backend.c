/* SPDX-License-Identifier: ISC
 *
 * Dials the server. Called by control, fetch and proxy. With a proxy on the way
 * nobody here knows an address of the server, unless it has named one itself:
 * there is its host and a port, and the proxy looks up the host.
 */
#include "client/backend.h"

#include <string.h>

#include "client/client.h"
#include "client/options.h"

#define CONNECT_TIMEOUT_MS 10000

bool
backend_is_plain(const struct client *client, const struct backend_to *where)
{
	return where->addr != NULL && where->trust == NULL &&
	       client->options->way.host[0] == '\0';
}

struct dial *
backend_dial(const struct client *client, const struct backend_to *where,
    dial_fn fn, void *arg)
{
	const struct options *options = client->options;
	char host[NET_TEXT_MAX];
	struct dial_to to = {
		.addr = where->addr,
		.host = options->server.host,
		.port = options->server.port,
		.trust = where->trust,
		.sni = where->sni,
		.timeout_ms = CONNECT_TIMEOUT_MS,
		.display = where->display,
	};

	if (options->way.host[0] == '\0')
		return dial_start(client->base, &to, fn, arg);
	to.way = &options->way;
	to.addr = NULL;
	if (where->addr != NULL) {
		to.port = net_addr_port(where->addr);
		net_addr_host(where->addr, host);
		if (strcmp(host, DIAL_BEHIND) != 0)
			to.host = host;
	}
	return dial_start(client->base, &to, fn, arg);
}
