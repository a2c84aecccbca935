/* SPDX-License-Identifier: ISC */
#include "server/deadline.h"

#include <stdlib.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"

TAILQ_HEAD(deadline_head, deadline);

struct deadline_list {
	struct deadline_head head; /* soonest first */
	struct event *timer;	   /* set for the first one, or off */
	void (*expired)(void *arg, struct deadline *);
	void *arg;
};

/* Sets the timer for the first deadline, if there is one. */
static void
rearm(struct deadline_list *l)
{
	struct deadline *first = TAILQ_FIRST(&l->head);
	struct timeval tv;

	if (first == NULL)
		return;
	tv = clock_until(first->due_ms);
	evtimer_add(l->timer, &tv);
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct deadline_list *l = arg;
	struct deadline *d;
	uint64_t now = clock_ms();

	(void)fd;
	(void)what;
	while ((d = TAILQ_FIRST(&l->head)) != NULL && d->due_ms <= now) {
		deadline_del(l, d);
		l->expired(l->arg, d);
	}
	rearm(l);
}

struct deadline_list *
deadline_list_new(struct event_base *base,
    void (*expired)(void *arg, struct deadline *), void *arg)
{
	struct deadline_list *l = log_must_alloc(1, sizeof(*l));

	TAILQ_INIT(&l->head);
	l->expired = expired;
	l->arg = arg;
	l->timer = evtimer_new(base, timer_cb, l);
	if (l->timer == NULL)
		fatal("out of memory");
	return l;
}

void
deadline_list_free(struct deadline_list *l)
{
	if (l == NULL)
		return;
	event_free(l->timer);
	free(l);
}

void
deadline_add(struct deadline_list *l, struct deadline *d, uint64_t due_ms)
{
	struct deadline *before = TAILQ_LAST(&l->head, deadline_head);

	d->due_ms = due_ms == 0 ? 1 : due_ms;
	while (before != NULL && before->due_ms > d->due_ms)
		before = TAILQ_PREV(before, deadline_head, link);
	if (before != NULL) {
		TAILQ_INSERT_AFTER(&l->head, before, d, link);
	} else {
		TAILQ_INSERT_HEAD(&l->head, d, link);
		rearm(l);
	}
}

struct deadline *
deadline_first(const struct deadline_list *l)
{
	return TAILQ_FIRST(&l->head);
}

/* The timer stays as it is: one wake-up too many costs less than setting it
 * anew for each thing that ends in time. */
void
deadline_del(struct deadline_list *l, struct deadline *d)
{
	if (d->due_ms == 0)
		return;
	TAILQ_REMOVE(&l->head, d, link);
	d->due_ms = 0;
}
