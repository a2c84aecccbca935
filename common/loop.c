/* SPDX-License-Identifier: ISC
 *
 * The event loop of a process; each makes one, when it starts.
 */
#include "common/loop.h"

#include <stdlib.h>
#include <sys/time.h>

#include <event2/event.h>
#include <event2/event_struct.h>

static void
never_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* What libevent keeps timers in grows with how many there are, and never
 * shrinks: so there are many, once. */
static int
make_room(struct event_base *base)
{
	const struct timeval hour = { .tv_sec = 3600 };
	struct event *timers = calloc(LOOP_TIMERS, sizeof(*timers));
	int result = timers == NULL ? -1 : 0;
	size_t n;

	for (n = 0; result == 0 && n < LOOP_TIMERS; n++) {
		evtimer_assign(&timers[n], base, never_cb, NULL);
		result = evtimer_add(&timers[n], &hour);
	}
	while (n > 0)
		evtimer_del(&timers[--n]);
	free(timers);
	return result;
}

struct event_base *
loop_new(void)
{
	struct event_base *base = event_base_new();

	if (base == NULL || make_room(base) == 0)
		return base;
	event_base_free(base);
	return NULL;
}
