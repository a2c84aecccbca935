/* SPDX-License-Identifier: ISC */
#include "server/room.h"

#include <fcntl.h>

#include "common/drain.h"
#include "common/limit.h"
#include "server/arrival.h"
#include "server/bridge.h"
#include "server/handover.h"
#include "server/handshake.h"
#include "server/node.h"
#include "server/worker.h"

/* For one burst of accept and one of the inbox, which nobody interrupts. */
#define ROOM_RESERVE 96

#define ROOM_FEW   64 /* visitors; for fewer there is no sense in it */
#define ROOM_OTHER 64 /* logs, memory, event loops, what libraries have */

size_t
room_need(const struct config *c, size_t slots)
{
	size_t visitors =
	    c->max_connections > 0 ? c->max_connections : ROOM_FEW;

	return 2 * visitors + 2 * WORKER_PIPES + 2 * slots + c->listen_n +
	       ROOM_HALF_MADE + ROOM_RESERVE + ROOM_OTHER;
}

void
room_init(struct worker *w)
{
	w->fds_fixed = ROOM_RESERVE;
	/* What start-up opened has low numbers. */
	for (int fd = 0; fd < 1024 && (size_t)fd < limit_fds(); fd++)
		w->fds_fixed += fcntl(fd, F_GETFD) != -1;
	(void)room_look(w);
}

/* The descriptors in use, as the gauges have them. A session has one, for its
 * control connection or its port. */
static size_t
in_use(const struct worker *w)
{
	const struct counters_worker *c = w->count;

	return w->fds_fixed + 2 * w->pipes + counter_get(&c->half_made) +
	       counter_get(&c->handshaking) + counter_get(&c->parked) +
	       counter_get(&c->queued) + counter_get(&c->idle) +
	       counter_get(&c->sessions) + w->doors +
	       2 * counter_get(&c->joined) + drain_count(w->drains) +
	       2 * bridge_count(w->bridges) + handover_count(w->handover) +
	       node_set_held(w->nodes);
}

size_t
room_look(struct worker *w)
{
	size_t used = in_use(w), limit = limit_fds();
	size_t room = limit > used ? limit - used : 0;

	counter_set(&w->count->fds, used);
	counter_set(&w->count->room, room);
	return room;
}

bool
room_make(struct worker *w)
{
	return arrivals_make_room(w) || handshakes_make_room(w);
}

bool
room_is_left(struct worker *w, enum room_for what)
{
	while (room_look(w) <= what)
		if (!room_make(w))
			return false;
	return true;
}
