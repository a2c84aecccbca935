/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/bridge.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/relay.h"
#include "server/worker.h"

#define BRIDGE_CHUNK  16384
#define BRIDGE_CHUNKS 4 /* what a new socket takes at once, and more */

struct bridge {
	LIST_ENTRY(bridge) link;
	struct bridge_set *set;
	struct stream visitor; /* TLS */
	struct stream owner;   /* our end of the pair */
	struct relay *relay;
};

struct bridge_set {
	LIST_HEAD(, bridge) each;
	size_t n;
};

struct bridge_set *
bridge_set_new(void)
{
	struct bridge_set *set = log_must_alloc(1, sizeof(*set));

	LIST_INIT(&set->each);
	return set;
}

static void
bridge_free(struct bridge *b)
{
	LIST_REMOVE(b, link);
	b->set->n--;
	relay_free(b->relay);
	stream_close(&b->visitor);
	stream_close(&b->owner);
	free(b);
}

void
bridge_set_free(struct bridge_set *set)
{
	if (set == NULL)
		return;
	while (!LIST_EMPTY(&set->each))
		bridge_free(LIST_FIRST(&set->each));
	free(set);
}

size_t
bridge_count(const struct bridge_set *set)
{
	return set->n;
}

static void
done(void *arg, enum relay_end end)
{
	(void)end;
	bridge_free(arg);
}

/* What was only peeked at goes over at once: the owner looks at it, too. What
 * does not fit is the first that the relay delivers. -1: no memory. */
static int
fill(struct relay *relay, const struct stream *from, int to)
{
	char chunk[BRIDGE_CHUNK];

	for (int i = 0; i < BRIDGE_CHUNKS; i++) {
		ssize_t sent, n = stream_read(from, chunk, sizeof(chunk));

		if (n <= 0)
			break;
		sent = send(to, chunk, (size_t)n, MSG_NOSIGNAL);
		if (sent == -1)
			sent = 0;
		if (sent < n)
			return relay_preload(relay, RELAY_A_TO_B, chunk + sent,
			    (size_t)(n - sent));
	}
	return 0;
}

bool
bridge_start(struct worker *w, struct conn *conn)
{
	static const struct relay_ops ops = { .done = done };
	struct bridge *b = calloc(1, sizeof(*b));
	int pair[2];
	bool is_filled;

	if (b == NULL ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		pair) == -1) {
		free(b);
		return false;
	}
	b->set = w->bridges;
	b->owner = (struct stream){ .fd = pair[0] };
	b->relay = relay_new(w->relays, &conn->stream, &b->owner, &ops, b);
	if (b->relay == NULL) {
		close(pair[0]);
		close(pair[1]);
		free(b);
		return false;
	}
	LIST_INSERT_HEAD(&b->set->each, b, link);
	b->set->n++;
	is_filled = fill(b->relay, &conn->stream, pair[0]) == 0;
	b->visitor = stream_take(&conn->stream);
	conn->stream = (struct stream){ .fd = pair[1] };
	conn->is_bridged = true;
	/* If it cannot start, the owner finds the end of it. */
	relay_end_with_b(b->relay);
	if (!is_filled || relay_start(b->relay) == -1)
		bridge_free(b);
	return true;
}
