/* SPDX-License-Identifier: ISC */
#include "server/park.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/crowd.h"
#include "server/deadline.h"
#include "server/peers.h"
#include "server/serve.h"
#include "server/worker.h"

struct parked {
	TAILQ_ENTRY(parked) link;
	struct deadline deadline;
	struct peer *of_peer; /* he is counted there, or NULL */
	struct conn conn;
	struct registry_ref tunnel;
	char name[LTP_NAME_MAX + 1];
};

TAILQ_HEAD(parked_list, parked);

/* Those of one tunnel; all zero when it was never used. */
struct parked_head {
	struct parked_list list;
	unsigned n;
};

struct park {
	struct deadline_list *deadlines;
	struct parked_head *by_slot; /* of the tunnel */
};

/* Takes one out and frees it; the connection goes to *conn. */
static void
leave(struct worker *w, struct parked *p, struct conn *conn)
{
	struct parked_head *head = &w->park->by_slot[p->tunnel.slot];

	TAILQ_REMOVE(&head->list, p, link);
	head->n--;
	deadline_del(w->park->deadlines, &p->deadline);
	peers_let_go(&p->of_peer);
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
	struct parked *p;

	if (!crowd_admits(w, conn, name))
		return;
	if (head->n >= w->config->queue_limit) {
		serve_refused(w, conn, name, 503,
		    "too many visitors are waiting for this tunnel");
		return;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		serve_refused(
		    w, conn, name, 503, "the server is out of memory");
		return;
	}
	p->conn = conn_take(conn);
	p->tunnel = tunnel;
	memcpy(p->name, name, strnlen(name, LTP_NAME_MAX));
	if (head->list.tqh_last == NULL)
		TAILQ_INIT(&head->list);
	TAILQ_INSERT_TAIL(&head->list, p, link);
	head->n++;
	p->of_peer = crowd_add(w, &p->conn.peer);
	deadline_add(w->park->deadlines, &p->deadline,
	    p->conn.ready_ms + w->config->queue_timeout * 1000ull);
	counter_add(&w->count->parked, 1);
}

/* Who finds the tunnel away still is parked again, behind the others: so it
 * is enough to look at as many as there were. */
void
park_wake(struct worker *w, struct registry_ref tunnel)
{
	struct parked_head *head;
	struct parked *p;
	struct conn conn;
	char name[LTP_NAME_MAX + 1];

	if (tunnel.slot >= registry_size(w->registry))
		return;
	head = &w->park->by_slot[tunnel.slot];
	for (unsigned n = head->n; n > 0; n--) {
		p = TAILQ_FIRST(&head->list);
		memcpy(name, p->name, sizeof(name));
		leave(w, p, &conn);
		serve_tunnel(w, &conn, name);
	}
}
