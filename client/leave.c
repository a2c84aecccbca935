/* SPDX-License-Identifier: ISC
 *
 * Waits for the last visitors and until the goodbyes are heard. Called by main
 * and worker. Owns a timer. It looks again and again, since connections end in
 * many places: in a pool, in a relay, in a page that is still being sent.
 */
#include "client/leave.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "client/client.h"
#include "client/counters.h"
#include "client/crew.h"
#include "client/options.h"
#include "common/clock.h"
#include "common/drain.h"

#define LOOK_MS 20
#define IDLE_MS 1000 /* how long the server may take to end idle ones */

struct leave {
	struct client *client;
	int64_t joined_ms;
	leave_fn fn;
	void *arg;
	struct event look;
	uint64_t since_ms; /* 0: not begun */
	bool is_urgent;	   /* nothing is waited for but what drains */
};

static bool
is_over(const struct leave *leave)
{
	const struct client *client = leave->client;
	int64_t ms = (int64_t)(clock_ms() - leave->since_ms);

	if (ms >= leave->joined_ms)
		return true;
	/* The goodbyes, and the last pages. */
	if (drain_count(client->drains) > 0)
		return false;
	if (leave->is_urgent)
		return true;
	if (client->own->joined > 0 || crew_count(client->crew) > 0)
		return false;
	/* Until the server has ended the idle ones a visitor may come. */
	return client->connections == 0 || ms >= IDLE_MS;
}

static void
look_cb(int fd, short what, void *arg)
{
	struct leave *leave = arg;
	uint64_t joined;

	(void)fd;
	(void)what;
	if (!is_over(leave))
		return;
	event_del(&leave->look);
	joined = counters_joined(leave->client->counters);
	if (joined > 0)
		display_note(&leave->client->options->display,
		    "visitors who are cut off: %ju", (uintmax_t)joined);
	leave->fn(leave->arg);
}

struct leave *
leave_new(struct client *client, int64_t joined_ms, leave_fn fn, void *arg)
{
	struct leave *leave = calloc(1, sizeof(*leave));

	if (leave == NULL)
		return NULL;
	leave->client = client;
	leave->joined_ms = joined_ms;
	leave->fn = fn;
	leave->arg = arg;
	event_assign(
	    &leave->look, client->base, -1, EV_PERSIST, look_cb, leave);
	return leave;
}

void
leave_free(struct leave *leave)
{
	if (leave == NULL)
		return;
	event_del(&leave->look);
	free(leave);
}

void
leave_begin(struct leave *leave, bool is_urgent)
{
	struct timeval span = clock_span(LOOK_MS);
	uint64_t joined = counters_joined(leave->client->counters);

	if (leave->since_ms != 0 || event_add(&leave->look, &span) == -1) {
		leave->fn(leave->arg);
		return;
	}
	leave->since_ms = clock_ms();
	leave->is_urgent = is_urgent;
	if (joined > 0 && !is_urgent)
		display_note(&leave->client->options->display,
		    "visitors who are still served: %ju; they have %d s, "
		    "another signal ends them at once",
		    (uintmax_t)joined, LEAVE_MAX_S);
	look_cb(-1, EV_TIMEOUT, leave);
}
