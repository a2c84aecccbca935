/* SPDX-License-Identifier: ISC */
#include "server/address.h"

#include <stdio.h>

#include "server/public.h"
#include "server/session.h"
#include "server/worker.h"

void
address_of(const struct session *s, unsigned listener,
    char host[ADDRESS_HOST_MAX], char url[ADDRESS_URL_MAX])
{
	const struct config *config = s->worker->config;
	struct public_way way = public_http(config, listener);
	char suffix[PUBLIC_SUFFIX_MAX];

	if (s->kind == REGISTRY_TCP) {
		way = public_server(config, listener);
		snprintf(host, ADDRESS_HOST_MAX, "%s:%u", way.host,
		    (unsigned)s->port);
		snprintf(url, ADDRESS_URL_MAX, "tcp://%s", host);
		return;
	}
	if (s->kind == REGISTRY_TLS)
		way = public_tls(config, listener);
	public_suffix(&way, suffix);
	if (s->domain[0] != '\0')
		snprintf(host, ADDRESS_HOST_MAX, "%s%s", s->domain, suffix);
	else
		snprintf(host, ADDRESS_HOST_MAX, "%s.%s%s", s->name, way.host,
		    suffix);
	snprintf(url, ADDRESS_URL_MAX, "%s://%s", way.scheme, host);
}
