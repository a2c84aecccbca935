/* SPDX-License-Identifier: ISC
 *
 * The bucket may be overdrawn by one read of each turn, and is then empty for
 * longer. Relays that wait stand in its list, which they leave by themselves
 * if they end.
 */
#include "common/brake.h"

#include <stdlib.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/flow.h"

#define BURST_MIN   RELAY_READ
#define WAIT_MIN_MS 10

struct brake {
	unsigned refs;
	uint64_t rate;
	int64_t burst;
	int64_t left; /* bytes; less than 0: overdrawn */
	uint64_t filled_ms;
	struct event *timer; /* pending while somebody waits */
	struct relay_list waiting;
};

/* What time has brought since the last look. */
static void
fill(struct brake *b)
{
	uint64_t now = clock_ms(), ms = now - b->filled_ms;

	/* So long that it is full in any case, and nothing can overflow. */
	if (ms > 60000)
		ms = 60000;
	if (b->rate * ms < 1000)
		return;
	b->left += (int64_t)(b->rate * ms / 1000);
	if (b->left > b->burst)
		b->left = b->burst;
	b->filled_ms = now;
}

static void
await(struct brake *b)
{
	uint64_t ms = (uint64_t)(1 - b->left) * 1000 / b->rate + 1;
	struct timeval tv = clock_span(ms < WAIT_MIN_MS ? WAIT_MIN_MS : ms);

	evtimer_add(b->timer, &tv);
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct brake *b = arg;

	(void)fd;
	(void)what;
	fill(b);
	if (b->left <= 0) {
		await(b);
		return;
	}
	while (!LIST_EMPTY(&b->waiting))
		relay_again(LIST_FIRST(&b->waiting));
}

struct brake *
brake_new(struct event_base *base, uint64_t rate)
{
	struct brake *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->refs = 1;
	b->rate = rate;
	b->burst = (int64_t)(rate / 10 > BURST_MIN ? rate / 10 : BURST_MIN);
	b->left = b->burst;
	b->filled_ms = clock_ms();
	LIST_INIT(&b->waiting);
	b->timer = evtimer_new(base, timer_cb, b);
	if (b->timer != NULL)
		return b;
	free(b);
	return NULL;
}

struct brake *
brake_ref(struct brake *b)
{
	if (b != NULL)
		b->refs++;
	return b;
}

void
brake_free(struct brake *b)
{
	if (b == NULL || --b->refs > 0)
		return;
	event_free(b->timer);
	free(b);
}

bool
brake_holds(struct brake *b, struct relay *r)
{
	fill(b);
	if (b->left > 0)
		return false;
	/* One that has another turn in any case comes here again. */
	if (r->is_listed)
		return true;
	LIST_INSERT_HEAD(&b->waiting, r, link);
	r->is_listed = true;
	r->is_braked = true;
	if (!evtimer_pending(b->timer, NULL))
		await(b);
	return true;
}

void
brake_took(struct brake *b, size_t bytes)
{
	b->left -= (int64_t)bytes;
}
