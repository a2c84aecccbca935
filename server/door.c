/* SPDX-License-Identifier: ISC
 *
 * Accepts the visitors of tunnels of kind tcp. control opens a door when the
 * session begins, session closes it when it ends. Owns a duplicate of the
 * listening descriptor; the master has another, so that callers wait in the
 * backlog while no session is there.
 */
#include "server/door.h"

#include <stdlib.h>

#include "server/listener.h"
#include "server/room.h"
#include "server/serve.h"
#include "server/session.h"
#include "server/worker.h"

struct door {
	struct session *session;
	struct listener_set *listener;
	uint16_t came_by; /* of the client; visitors count as coming by it */
};

static void
accepted(void *arg, struct conn *conn)
{
	struct door *d = arg;
	struct worker *w = d->session->worker;

	counter_add(&w->count->accepted, 1);
	conn->listener = d->came_by;
	conn->language = CONN_OPAQUE;
	conn->ready_ms = conn->accepted_ms;
	serve_tunnel(w, conn, d->session->name);
}

static bool
has_room(void *arg)
{
	struct door *d = arg;

	return room_is_left(d->session->worker, ROOM_ANY);
}

static void
make_room(void *arg)
{
	struct door *d = arg;

	(void)room_make(d->session->worker);
}

bool
door_open(struct session *s, const struct channel_claimed *claimed,
    unsigned listener, int *fd)
{
	static const struct listener_ops ops = { accepted, has_room,
		make_room };
	struct door *d;

	if (*fd == -1 || (d = calloc(1, sizeof(*d))) == NULL)
		return false;
	d->session = s;
	d->came_by = (uint16_t)listener;
	d->listener = listener_set_new(s->worker->base, &ops, d);
	if (!listener_set_add(d->listener, 0, *fd)) {
		*fd = -1;
		listener_set_free(d->listener);
		free(d);
		return false;
	}
	*fd = -1;
	s->door = d;
	s->worker->doors++;
	s->port = claimed->port;
	return true;
}

void
door_close(struct session *s)
{
	if (s->door == NULL)
		return;
	listener_set_free(s->door->listener);
	s->worker->doors--;
	free(s->door);
	s->door = NULL;
}
