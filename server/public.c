/* SPDX-License-Identifier: ISC
 *
 * Where `public` is set it has the last word about scheme, host and port. A
 * listener that does not take what is asked about leaves the answer to one
 * that does. Pure but for the memory it is made of.
 */
#include "server/public.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "server/config.h"

#define HTTP_PORT  80
#define HTTPS_PORT 443

struct front {
	const struct config_listen *listen;
	uint16_t port; /* it is bound to */
};

struct public
{
	const struct config *config;
	struct front fronts[CONFIG_LISTEN_MAX];
	unsigned n;
};

/* True if a listener takes what is asked about. */
typedef bool takes_fn(const struct public *, const struct front *);

struct public *
public_new(const struct config *config)
{
	struct public *p = log_must_alloc(1, sizeof(*p));

	p->config = config;
	return p;
}

void
public_free(struct public *p)
{
	free(p);
}

void
public_add(struct public *p, const struct config_listen *l, uint16_t port)
{
	assert(p->n < CONFIG_LISTEN_MAX);
	p->fronts[p->n++] = (struct front){ l, port };
}

/* The number may come from another worker: any is answered. */
static const struct front *
front_of(const struct public *p, unsigned listener)
{
	assert(p->n > 0);
	return &p->fronts[listener < p->n ? listener : 0];
}

/* This listener if it takes what is asked about, else the first that does;
 * NULL if none does. */
static const struct front *
find(const struct public *p, unsigned listener, takes_fn *takes)
{
	const struct front *f = front_of(p, listener);

	if (takes(p, f))
		return f;
	for (unsigned i = 0; i < p->n; i++)
		if (takes(p, &p->fronts[i]))
			return &p->fronts[i];
	return NULL;
}

unsigned
public_kinds(const struct public *p, unsigned listener)
{
	return front_of(p, listener)->listen->kinds;
}

static bool
is_https(const char *scheme)
{
	return strcmp(scheme, "https") == 0;
}

/* TLS, whoever ends it. */
static bool
takes_tls(const struct public *p, const struct front *f)
{
	(void)p;
	return (f->listen->kinds & CONFIG_TLS) != 0;
}

/* TLS that we can end. */
static bool
ends_tls(const struct public *p, const struct front *f)
{
	return takes_tls(p, f) && p->config->certificates.n > 0;
}

/* What a visitor used from whom no TLS arrives: https if somebody in front
 * must have ended it. */
static const char *
scheme_in_clear(const struct public *p, const struct front *f)
{
	const char *scheme = f->listen->public.scheme;

	return scheme != NULL && is_https(scheme) && !ends_tls(p, f) ? "https"
								     : "http";
}

/* Visitors in clear, who are not sent away. */
static bool
serves_clear(const struct public *p, const struct front *f)
{
	if ((f->listen->kinds & CONFIG_HTTP) == 0)
		return false;
	return !p->config->redirect_to_https || is_https(scheme_in_clear(p, f));
}

static bool
serves_http(const struct public *p, const struct front *f)
{
	return ends_tls(p, f) || serves_clear(p, f);
}

static bool
takes_clear_clients(const struct public *p, const struct front *f)
{
	return (f->listen->kinds & CONFIG_LTP) != 0 &&
	       !p->config->backend_tls_required;
}

/* Clients that know no more than a URL: in clear they ask there, by HTTP, for
 * the port for clients. */
static bool
serves_clients(const struct public *p, const struct front *f)
{
	return ends_tls(p, f) ||
	       ((f->listen->kinds & (CONFIG_HTTP | CONFIG_LTP)) != 0 &&
		   !is_https(scheme_in_clear(p, f)) &&
		   find(p, 0, takes_clear_clients) != NULL);
}

static uint16_t
port_of(const struct front *f)
{
	const struct config_public *public = &f->listen->public;

	return public->scheme != NULL ? public->port : f->port;
}

static struct public_way
way_of(const struct public *p, const struct front *f, const char *scheme)
{
	const char *host = f->listen->public.host;

	return (struct public_way){
		.scheme = scheme,
		.host = host[0] != '\0' ? host : p->config->domain,
		.port = port_of(f),
	};
}

/* What `public` says, else https where we can. */
static struct public_way
best_way(const struct public *p, const struct front *f)
{
	const char *scheme = f->listen->public.scheme;

	if (scheme == NULL)
		scheme = ends_tls(p, f) ? "https" : "http";
	return way_of(p, f, scheme);
}

struct public_way
public_http(const struct public *p, unsigned listener)
{
	const struct front *f = front_of(p, listener);

	if (!serves_http(p, f) && (f = find(p, listener, ends_tls)) == NULL &&
	    (f = find(p, listener, serves_clear)) == NULL)
		f = front_of(p, listener);
	return best_way(p, f);
}

struct public_way
public_tls(const struct public *p, unsigned listener)
{
	const struct front *f = find(p, listener, takes_tls);

	return way_of(p, f != NULL ? f : front_of(p, listener), "https");
}

struct public_way
public_server(const struct public *p, unsigned listener)
{
	const struct front *f = find(p, listener, serves_clients);

	return f != NULL ? best_way(p, f) : public_http(p, listener);
}

struct public_way
public_used(const struct public *p, unsigned listener, bool over_tls)
{
	const struct front *f = front_of(p, listener);

	return way_of(p, f, over_tls ? "https" : scheme_in_clear(p, f));
}

uint16_t
public_backend(const struct public *p, unsigned listener, bool over_tls)
{
	const struct front *f =
	    find(p, listener, over_tls ? ends_tls : takes_clear_clients);

	if (f == NULL)
		f = find(p, listener, ends_tls);
	return port_of(f != NULL ? f : front_of(p, listener));
}

const char *
public_suffix(const struct public_way *way, char out[PUBLIC_SUFFIX_MAX])
{
	out[0] = '\0';
	if (way->port != (is_https(way->scheme) ? HTTPS_PORT : HTTP_PORT))
		snprintf(out, PUBLIC_SUFFIX_MAX, ":%u", (unsigned)way->port);
	return out;
}
