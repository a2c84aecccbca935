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

#include "common/clock.h"
#include "server/pulse.h"
#include "server/room.h"

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

enum route_host
route_name(const struct registry *registry, const char *host,
    const char *domain, char name[LTP_NAME_MAX + 1])
{
	enum route_host where = route_host(host, domain, name);
	struct registry_tunnel tunnel;

	if (where != ROUTE_HOST_OTHER ||
	    !registry_find_domain(registry, host, &tunnel))
		return where;
	memcpy(name, tunnel.name, sizeof(tunnel.name));
	return ROUTE_HOST_TUNNEL;
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

/* --- visitors ------------------------------------------------------------ */

/* Where a worker stands still, or is short of descriptors, nobody is sent while
 * there is another one. */
#define ROUTE_STILL ((uint64_t)1 << 32)

static bool
is_fit(struct counters *counters, uint32_t slot)
{
	return pulse_is_there(counters, slot) &&
	       counter_get(&counters_worker(counters, slot)->room) >
		   ROOM_VISITOR;
}

/* The seats of a tunnel that lead somewhere, and how busy each is. */
struct choice {
	struct registry_seat seats[REGISTRY_SEATS_MAX];
	uint64_t busy[REGISTRY_SEATS_MAX];
	bool has_idle[REGISTRY_SEATS_MAX];
	size_t n;
};

static void
look_at(struct choice *c, const struct registry_tunnel *tunnel,
    struct counters *counters)
{
	const struct counters_session *count;

	c->n = 0;
	for (uint32_t i = 0; i < tunnel->seats_n; i++) {
		const struct registry_seat *seat = &tunnel->seats[i];

		if (seat->worker == REGISTRY_NO_WORKER ||
		    seat->worker >= counters_workers(counters) ||
		    seat->session.slot >= counters_sessions(counters))
			continue;
		count = counters_session(counters, seat->session.slot);
		c->busy[c->n] =
		    counter_get(&count->busy) + counter_get(&count->queued);
		c->has_idle[c->n] = counter_get(&count->idle) > 0;
		if (!is_fit(counters, seat->worker))
			c->busy[c->n] += ROUTE_STILL;
		c->seats[c->n++] = *seat;
	}
}

/* How busy a client is with all its sessions; UINT64_MAX for every seat but
 * the first that it has. */
static uint64_t
busy_of_member(const struct choice *c, size_t i)
{
	uint64_t sum = 0;

	for (size_t j = 0; j < c->n; j++) {
		if (c->seats[j].member != c->seats[i].member)
			continue;
		if (j < i)
			return UINT64_MAX;
		sum += c->busy[j];
	}
	return sum;
}

/* The client with the fewest busy connections, ties in turn: the first seat
 * that it has. */
static size_t
choose_member(const struct choice *c, uint32_t turn)
{
	size_t tied[REGISTRY_SEATS_MAX] = { 0 }, n = 0;
	uint64_t busy, least = UINT64_MAX;

	for (size_t i = 0; i < c->n; i++) {
		busy = busy_of_member(c, i);
		if (busy < least) {
			least = busy;
			n = 0;
		}
		if (busy == least && busy != UINT64_MAX)
			tied[n++] = i;
	}
	return tied[n > 1 ? turn % n : 0];
}

/* True if a visitor goes to seat i rather than to seat j: where he need not
 * wait for a proxy connection, need not be handed over, where fewer are. */
static bool
is_better(const struct choice *c, size_t i, size_t j, uint32_t self)
{
	bool is_own = c->seats[i].worker == self;
	bool is_still = c->busy[i] >= ROUTE_STILL;

	if (is_still != (c->busy[j] >= ROUTE_STILL))
		return !is_still;
	if (c->has_idle[i] != c->has_idle[j])
		return c->has_idle[i];
	if (is_own != (c->seats[j].worker == self))
		return is_own;
	return c->busy[i] < c->busy[j];
}

/* The best of its sessions, of which `first` is the first. */
static const struct registry_seat *
choose_seat(const struct choice *c, size_t first, uint32_t self)
{
	size_t found = first;

	for (size_t i = first + 1; i < c->n; i++)
		if (c->seats[i].member == c->seats[first].member &&
		    is_better(c, i, found, self))
			found = i;
	return &c->seats[found];
}

struct route
route_visitor(const struct registry *registry, struct counters *counters,
    uint32_t self, uint32_t turn, const char *name)
{
	const struct registry_seat *seat;
	struct registry_tunnel tunnel;
	struct choice c = { .n = 0 };

	if (!registry_find(registry, name, &tunnel))
		return (struct route){ .where = ROUTE_NONE };
	look_at(&c, &tunnel, counters);
	if (c.n == 0)
		return (struct route){
			.where = ROUTE_AWAY,
			.worker = REGISTRY_NO_WORKER,
			.tunnel = tunnel.ref,
			.kind = tunnel.kind,
		};
	seat = choose_seat(&c, choose_member(&c, turn), self);
	return (struct route){
		.where = ROUTE_WORKER,
		.worker = seat->worker,
		.tunnel = tunnel.ref,
		.session = seat->session,
		.kind = tunnel.kind,
	};
}

/* --- clients ------------------------------------------------------------- */

static bool
has_label(const struct ltp_message *m)
{
	return m->session != NULL && m->session[0] != '\0';
}

struct route
route_proxy(const struct registry *registry, const struct ltp_message *m)
{
	struct registry_session session;
	struct registry_tunnel tunnel;
	char name[LTP_NAME_MAX + 1];

	if (has_label(m) &&
	    registry_find_session(registry, m->session, &session))
		return to_session(&session);
	if (has_label(m) || m->name == NULL || !ltp_name(m->name, name) ||
	    !registry_find(registry, name, &tunnel) ||
	    !registry_session(registry, tunnel.seats[0].session, &session))
		return (struct route){ .where = ROUTE_NONE };
	return to_session(&session);
}

/* How busy a worker is; nobody is busier than one that is not ready, or stands
 * still. */
static uint64_t
load_of(struct counters *counters, uint32_t slot)
{
	const struct counters_worker *w = counters_worker(counters, slot);

	return counter_get(&w->ready) == 1 && pulse_is_there(counters, slot)
		   ? counters_load(counters, slot, clock_ms())
		   : UINT64_MAX;
}

/* How many sessions of a tunnel are in a worker. */
static uint64_t
seats_in(const struct registry_tunnel *tunnel, uint32_t worker)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < tunnel->seats_n; i++)
		n += tunnel->seats[i].worker == worker;
	return n;
}

/* The ready worker with the fewest sessions of this tunnel (which may have no
 * seats), then of all; `self` before others. */
static struct route
to_least_loaded(const struct registry_tunnel *tunnel, struct counters *counters,
    uint32_t self)
{
	uint64_t load, seats, least = load_of(counters, self);
	uint64_t fewest = seats_in(tunnel, self);
	uint32_t n = (uint32_t)counters_workers(counters), chosen = self;

	for (uint32_t slot = 0; slot < n; slot++) {
		if ((load = load_of(counters, slot)) == UINT64_MAX)
			continue;
		seats = seats_in(tunnel, slot);
		if (least == UINT64_MAX || seats < fewest ||
		    (seats == fewest && load < least)) {
			fewest = seats;
			least = load;
			chosen = slot;
		}
	}
	return (struct route){ .where = ROUTE_WORKER, .worker = chosen };
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
	struct registry_tunnel tunnel = { 0 };
	char name[LTP_NAME_MAX + 1];
	struct route r;

	if (has_label(m) && to_live(registry, counters, m->session, &r))
		return r;
	if (m->name != NULL && ltp_name(m->name, name))
		(void)registry_find(registry, name, &tunnel);
	return to_least_loaded(&tunnel, counters, self);
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
	struct registry_tunnel tunnel = { 0 };
	struct route r;

	if (split_sni(sni, domain, label, name) &&
	    to_live(registry, counters, label, &r))
		return r;
	if (route_host(sni, domain, name) == ROUTE_HOST_TUNNEL)
		(void)registry_find(registry, name, &tunnel);
	return to_least_loaded(&tunnel, counters, self);
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
