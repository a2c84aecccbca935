/* SPDX-License-Identifier: ISC */
#include "server/park.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/deadline.h"
#include "server/serve.h"
#include "server/worker.h"

struct parked {
	TAILQ_ENTRY(parked) link;
	struct deadline deadline;
	struct conn conn;
	struct registry_ref tunnel;
	char name[LTP_NAME_MAX + 1];
};

TAILQ_HEAD(parked_head, parked);

struct park {
	struct deadline_list *deadlines;
	struct parked_head *by_slot; /* of the tunnel; all zero when unused */
};

/* Takes one out and frees it; the connection goes to *conn. */
static void
leave(struct worker *w, struct parked *p, struct conn *conn)
{
	TAILQ_REMOVE(&w->park->by_slot[p->tunnel.slot], p, link);
	deadline_del(w->park->deadlines, &p->deadline);
	counter_add(&w->count->parked, -1);
	*conn = conn_take(&p->conn);
	free(p);
}

static void
expired(void *arg, struct deadline *d)
{
	struct parked *p = deadline_of(d, struct parked, deadline);
	struct worker *w = arg;
	char name[LTP_NAME_MAX + 1];
	struct conn conn;

	memcpy(name, p->name, sizeof(name));
	leave(w, p, &conn);
	serve_refused(w, &conn, name, 502, "the tunnel's client is away");
}

struct park *
park_new(struct worker *w)
{
	struct park *park = log_must_alloc(1, sizeof(*park));

	park->by_slot =
	    log_must_alloc(registry_size(w->registry), sizeof(*park->by_slot));
	park->deadlines = deadline_list_new(w->base, expired, w);
	return park;
}

void
park_free(struct park *park)
{
	if (park == NULL)
		return;
	deadline_list_free(park->deadlines);
	free(park->by_slot);
	free(park);
}

void
park_add(struct worker *w, struct conn *conn, struct registry_ref tunnel,
    const char *name)
{
	struct parked_head *head = &w->park->by_slot[tunnel.slot];
	struct parked *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		serve_refused(
		    w, conn, name, 503, "the server is out of memory");
		return;
	}
	p->conn = conn_take(conn);
	p->tunnel = tunnel;
	memcpy(p->name, name, strnlen(name, LTP_NAME_MAX));
	if (head->tqh_last == NULL)
		TAILQ_INIT(head);
	TAILQ_INSERT_TAIL(head, p, link);
	deadline_add(w->park->deadlines, &p->deadline,
	    p->conn.accepted_ms + w->config->queue_timeout * 1000ull);
	counter_add(&w->count->parked, 1);
}

/* Those who find it away still are parked again, so what is taken out is
 * what was there at first. */
void
park_wake(struct worker *w, struct registry_ref tunnel)
{
	struct parked_head waiting, *head;
	struct parked *p;
	struct conn conn;
	char name[LTP_NAME_MAX + 1];

	if (tunnel.slot >= registry_size(w->registry))
		return;
	head = &w->park->by_slot[tunnel.slot];
	if (head->tqh_last == NULL)
		return;
	TAILQ_INIT(&waiting);
	TAILQ_CONCAT(&waiting, head, link);
	while ((p = TAILQ_FIRST(&waiting)) != NULL) {
		TAILQ_REMOVE(&waiting, p, link);
		TAILQ_INSERT_TAIL(head, p, link);
		memcpy(name, p->name, sizeof(name));
		leave(w, p, &conn);
		serve_tunnel(w, &conn, name);
	}
}
