/* SPDX-License-Identifier: ISC
 *
 * Reads the registry, and the gauges of the workers, to say where a
 * connection belongs. The registry can change between two looks; then the
 * answer is ROUTE_AWAY, which is always safe: whoever is parked hears of the
 * change from the master and comes here again. It keeps no state.
 */
#define _GNU_SOURCE

#include "server/route.h"

#include <string.h>

/* The label that `host`, `len` bytes of it, ends with; its length too. */
static const char *
last_label(const char *host, size_t len, size_t *label_len)
{
	const char *dot = memrchr(host, '.', len);
	const char *label = dot != NULL ? dot + 1 : host;

	*label_len = len - (size_t)(label - host);
	return label;
}

enum route_host
route_host(const char *host, const char *domain, char name[LTP_NAME_MAX + 1])
{
	size_t len = strlen(host), domain_len = strlen(domain), label_len;
	char label[LTP_NAME_MAX + 1];
	const char *at;

	if (strcmp(host, domain) == 0)
		return ROUTE_HOST_BASE;
	if (len <= domain_len + 1 || host[len - domain_len - 1] != '.' ||
	    strcmp(host + len - domain_len, domain) != 0)
		return ROUTE_HOST_OTHER;
	at = last_label(host, len - domain_len - 1, &label_len);
	if (label_len > LTP_NAME_MAX)
		return ROUTE_HOST_OTHER;
	memcpy(label, at, label_len);
	label[label_len] = '\0';
	return ltp_name(label, name) ? ROUTE_HOST_TUNNEL : ROUTE_HOST_OTHER;
}

/* To the owner of a session, if it has one. */
static struct route
to_session(const struct registry_session *s)
{
	return (struct route){
		.where =
		    s->worker == REGISTRY_NO_WORKER ? ROUTE_AWAY : ROUTE_WORKER,
		.worker = s->worker,
		.tunnel = s->tunnel,
		.session = s->ref,
		.kind = s->kind,
	};
}

struct route
route_visitor(const struct registry *registry, const char *name)
{
	struct registry_tunnel tunnel;
	struct registry_session session;

	if (!registry_find(registry, name, &tunnel))
		return (struct route){ .where = ROUTE_NONE };
	if (!registry_session(registry, tunnel.session, &session))
		return (struct route){
			.where = ROUTE_AWAY,
			.worker = REGISTRY_NO_WORKER,
			.tunnel = tunnel.ref,
			.session = tunnel.session,
		};
	return to_session(&session);
}

static bool
has_label(const struct ltp_message *m)
{
	return m->session != NULL && m->session[0] != '\0';
}

struct route
route_proxy(const struct registry *registry, const struct ltp_message *m)
{
	struct registry_session session;
	char name[LTP_NAME_MAX + 1];

	if (has_label(m) &&
	    registry_find_session(registry, m->session, &session))
		return to_session(&session);
	if (has_label(m) || m->name == NULL || !ltp_name(m->name, name))
		return (struct route){ .where = ROUTE_NONE };
	return route_visitor(registry, name);
}

/* How busy a worker is; nobody is busier than one that is not ready. */
static uint64_t
load_of(struct counters *counters, uint32_t slot)
{
	const struct counters_worker *w = counters_worker(counters, slot);

	return counter_get(&w->ready) == 1 ? counter_get(&w->sessions)
					   : UINT64_MAX;
}

static uint32_t
least_loaded(struct counters *counters, uint32_t self)
{
	uint64_t load, least = load_of(counters, self);
	uint32_t n = (uint32_t)counters_workers(counters), chosen = self;

	for (uint32_t slot = 0; slot < n; slot++) {
		load = load_of(counters, slot);
		if (load < least) {
			least = load;
			chosen = slot;
		}
	}
	return chosen;
}

/* To the owner of a live session that is ready, if there is one. */
static bool
to_live(const struct registry *registry, struct counters *counters,
    const char *label, struct route *r)
{
	struct registry_session session;

	if (!registry_find_session(registry, label, &session) ||
	    session.worker == REGISTRY_NO_WORKER ||
	    load_of(counters, session.worker) == UINT64_MAX)
		return false;
	*r = to_session(&session);
	return true;
}

struct route
route_control(const struct registry *registry, struct counters *counters,
    uint32_t self, const struct ltp_message *m)
{
	struct route r;

	if (has_label(m) && to_live(registry, counters, m->session, &r))
		return r;
	return (struct route){
		.where = ROUTE_WORKER,
		.worker = least_loaded(counters, self),
	};
}

/* Splits LABEL.NAME.DOMAIN; false if it is not of that form. */
static bool
split_sni(const char *sni, const char *domain,
    char label[REGISTRY_LABEL_MAX + 1], char name[LTP_NAME_MAX + 1])
{
	size_t len = strcspn(sni, ".");
	const char *host = sni + len + (sni[len] == '.');

	if (len == 0 || len > REGISTRY_LABEL_MAX ||
	    route_host(host, domain, name) != ROUTE_HOST_TUNNEL ||
	    strlen(host) != strlen(name) + 1 + strlen(domain))
		return false;
	memcpy(label, sni, len);
	label[len] = '\0';
	return true;
}

struct route
route_client(const struct registry *registry, struct counters *counters,
    uint32_t self, const char *sni, const char *domain)
{
	char label[REGISTRY_LABEL_MAX + 1], name[LTP_NAME_MAX + 1];
	struct route r;

	if (split_sni(sni, domain, label, name) &&
	    to_live(registry, counters, label, &r))
		return r;
	return (struct route){
		.where = ROUTE_WORKER,
		.worker = least_loaded(counters, self),
	};
}

bool
route_sni_fits(const struct registry *registry, const char *sni,
    const char *domain, const struct ltp_message *m)
{
	char label[REGISTRY_LABEL_MAX + 1], name[LTP_NAME_MAX + 1];
	char asked[LTP_NAME_MAX + 1];
	struct registry_tunnel tunnel;

	if (split_sni(sni, domain, label, name))
		return m->session != NULL && strcmp(m->session, label) == 0 &&
		       ltp_name(m->name, asked) && strcmp(asked, name) == 0;
	/* A client that proves nothing yet names the server, which may have a
	 * host name that looks like a tunnel's. */
	if (m->secret == NULL ||
	    route_host(sni, domain, name) != ROUTE_HOST_TUNNEL ||
	    !registry_find(registry, name, &tunnel))
		return true;
	return ltp_name(m->name, asked) && strcmp(asked, name) == 0;
}
