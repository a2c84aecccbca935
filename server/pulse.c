/* SPDX-License-Identifier: ISC */
#include "server/pulse.h"

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/counters.h"
#include "server/room.h"
#include "server/worker.h"

#define PULSE_MS 500
#define PULSE_LATE_MS                                                          \
	2000 /* so old it is the pulse of one who stands still                 \
	      */

static void
beat_cb(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	counter_set(&w->count->pulse_ms, clock_ms());
	/* Nobody is handed to who seems to be without room, so nobody else
	 * would have it look. */
	(void)room_look(w);
}

void
pulse_start(struct worker *w)
{
	struct timeval tv = clock_span(PULSE_MS);

	w->pulse = event_new(w->base, -1, EV_PERSIST, beat_cb, w);
	if (w->pulse == NULL || event_add(w->pulse, &tv) == -1)
		fatal("no pulse");
	beat_cb(-1, 0, w);
}

bool
pulse_is_there(struct counters *counters, uint32_t slot)
{
	uint64_t last = counter_get(&counters_worker(counters, slot)->pulse_ms);

	return last == 0 || clock_ms() < last + PULSE_LATE_MS;
}
