/* SPDX-License-Identifier: ISC
 *
 * Where `public` is set it has the last word about scheme, host and port. A
 * listener that does not take what is asked about leaves the answer to one
 * that does. Pure.
 */
#include "server/public.h"

#include <stdio.h>
#include <string.h>

#include "server/config.h"

#define HTTP_PORT  80
#define HTTPS_PORT 443

/* True if a listener takes what is asked about. */
typedef bool takes_fn(const struct config *, const struct config_listen *);

/* This listener if it takes what is asked about, else the first that does;
 * NULL if none does. */
static const struct config_listen *
find(const struct config *c, unsigned listener, takes_fn *takes)
{
	const struct config_listen *l = config_listener(c, listener);

	if (takes(c, l))
		return l;
	for (size_t i = 0; i < c->listen_n; i++)
		if (takes(c, &c->listen[i]))
			return &c->listen[i];
	return NULL;
}

unsigned
public_kinds(const struct config *c, unsigned listener)
{
	return config_listener(c, listener)->kinds;
}

static bool
is_https(const char *scheme)
{
	return strcmp(scheme, "https") == 0;
}

/* TLS, whoever ends it. */
static bool
takes_tls(const struct config *c, const struct config_listen *l)
{
	(void)c;
	return (l->kinds & CONFIG_TLS) != 0;
}

/* TLS that we can end. */
static bool
ends_tls(const struct config *c, const struct config_listen *l)
{
	return takes_tls(c, l) && c->certificates.n > 0;
}

/* What a visitor used from whom no TLS arrives: https if somebody in front
 * must have ended it. */
static const char *
scheme_in_clear(const struct config *c, const struct config_listen *l)
{
	const char *scheme = l->public.scheme;

	return scheme != NULL && is_https(scheme) && !ends_tls(c, l) ? "https"
								     : "http";
}

/* Visitors in clear, who are not sent away. */
static bool
serves_clear(const struct config *c, const struct config_listen *l)
{
	if ((l->kinds & CONFIG_HTTP) == 0)
		return false;
	return !c->redirect_to_https || is_https(scheme_in_clear(c, l));
}

static bool
serves_http(const struct config *c, const struct config_listen *l)
{
	return ends_tls(c, l) || serves_clear(c, l);
}

static bool
takes_clear_clients(const struct config *c, const struct config_listen *l)
{
	return (l->kinds & CONFIG_LTP) != 0 && !c->backend_tls_required;
}

/* Clients that know no more than a URL: in clear they ask there, by HTTP, for
 * the port for clients. */
static bool
serves_clients(const struct config *c, const struct config_listen *l)
{
	return ends_tls(c, l) ||
	       ((l->kinds & (CONFIG_HTTP | CONFIG_LTP)) != 0 &&
		   !is_https(scheme_in_clear(c, l)) &&
		   find(c, 0, takes_clear_clients) != NULL);
}

static uint16_t
port_of(const struct config_listen *l)
{
	const struct config_public *public = &l->public;

	return public->scheme != NULL ? public->port : l->port;
}

static struct public_way
way_of(
    const struct config *c, const struct config_listen *l, const char *scheme)
{
	const char *host = l->public.host;

	return (struct public_way){
		.scheme = scheme,
		.host = host[0] != '\0' ? host : c->domain,
		.port = port_of(l),
	};
}

/* What `public` says, else https where we can. */
static struct public_way
best_way(const struct config *c, const struct config_listen *l)
{
	const char *scheme = l->public.scheme;

	if (scheme == NULL)
		scheme = ends_tls(c, l) ? "https" : "http";
	return way_of(c, l, scheme);
}

struct public_way
public_http(const struct config *c, unsigned listener)
{
	const struct config_listen *l = config_listener(c, listener);

	if (!serves_http(c, l) && (l = find(c, listener, ends_tls)) == NULL &&
	    (l = find(c, listener, serves_clear)) == NULL)
		l = config_listener(c, listener);
	return best_way(c, l);
}

struct public_way
public_tls(const struct config *c, unsigned listener)
{
	const struct config_listen *l = find(c, listener, takes_tls);

	return way_of(c, l != NULL ? l : config_listener(c, listener), "https");
}

struct public_way
public_server(const struct config *c, unsigned listener)
{
	const struct config_listen *l = find(c, listener, serves_clients);

	return l != NULL ? best_way(c, l) : public_http(c, listener);
}

struct public_way
public_used(const struct config *c, unsigned listener, bool over_tls)
{
	const struct config_listen *l = config_listener(c, listener);

	return way_of(c, l, over_tls ? "https" : scheme_in_clear(c, l));
}

uint16_t
public_backend(const struct config *c, unsigned listener, bool over_tls)
{
	const struct config_listen *l =
	    find(c, listener, over_tls ? ends_tls : takes_clear_clients);

	if (l == NULL)
		l = find(c, listener, ends_tls);
	return port_of(l != NULL ? l : config_listener(c, listener));
}

const char *
public_suffix(const struct public_way *way, char out[PUBLIC_SUFFIX_MAX])
{
	out[0] = '\0';
	if (way->port != (is_https(way->scheme) ? HTTPS_PORT : HTTP_PORT))
		snprintf(out, PUBLIC_SUFFIX_MAX, ":%u", (unsigned)way->port);
	return out;
}
