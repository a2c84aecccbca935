/* SPDX-License-Identifier: ISC */
#include "server/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"

#define LISTENER_BURST	  32   /* accepted in one turn of the loop */
#define LISTENER_TRY	  8    /* full turns before more are tried */
#define LISTENER_LAST	  4096 /* of a backlog, at the end */
#define LISTENER_PAUSE_MS 200  /* after EMFILE and its like */

struct listener {
	LIST_ENTRY(listener) link;
	struct listener_set *set;
	struct event *ev;
	int fd;
	uint16_t index;
	int burst; /* how many to accept in one turn */
	int full;  /* turns, the last ones, in which so many came */
};

struct listener_set {
	struct event_base *base;
	LIST_HEAD(, listener) each;
	struct event *resume;
	uint64_t said_ms; /* when a pause was last logged */
	const struct listener_ops *ops;
	void *arg;
};

static void
resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listener_set *set = arg;
	struct listener *l;

	(void)fd;
	(void)what;
	LIST_FOREACH (l, &set->each, link)
		event_add(l->ev, NULL);
}

/* Stops accepting for a moment and says why, once a second at most. */
static void
pause_all(struct listener_set *set, int error)
{
	struct timeval tv = clock_span(LISTENER_PAUSE_MS);
	uint64_t now = clock_ms();
	struct listener *l;

	LIST_FOREACH (l, &set->each, link)
		event_del(l->ev);
	evtimer_add(set->resume, &tv);
	if (now - set->said_ms < 1000)
		return;
	set->said_ms = now;
	log_error("accept paused: %s", strerror(error));
}

/* Accepts at most `n`; stops where nobody waits, or nobody can be taken.
 * Returns how many came. */
static int
accept_some(struct listener *l, int n)
{
	int got = 0;
	struct conn c = { .listener = l->index };

	if (!l->set->ops->has_room(l->set->arg)) {
		pause_all(l->set, EMFILE);
		return 0;
	}
	while (got < n) {
		c.stream.fd = net_accept(l->fd, &c.peer);
		if (c.stream.fd != -1) {
			c.accepted_ms = clock_ms();
			l->set->ops->accepted(l->set->arg, &c);
			got++;
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			pause_all(l->set, errno);
			l->set->ops->make_room(l->set->arg);
		}
		/* Anything else is about one caller, who is gone. */
		break;
	}
	return got;
}

/* Mostly one is there, and to ask for another costs as much as to take one: no
 * more are taken than came the last time, and now and then it is tried whether
 * that is too few. */
static void
accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	int got = accept_some(l, l->burst);

	(void)fd;
	(void)what;
	if (got < l->burst) {
		l->burst = got > 0 ? got : 1;
		l->full = 0;
	} else if (++l->full >= LISTENER_TRY && l->burst < LISTENER_BURST) {
		l->burst *= 2;
		l->full = 0;
	}
}

void
listener_set_last_call(struct listener_set *set)
{
	struct listener *l;

	LIST_FOREACH (l, &set->each, link)
		(void)accept_some(l, LISTENER_LAST);
}

struct listener_set *
listener_set_new(
    struct event_base *base, const struct listener_ops *ops, void *arg)
{
	struct listener_set *set = log_must_alloc(1, sizeof(*set));

	set->base = base;
	LIST_INIT(&set->each);
	set->ops = ops;
	set->arg = arg;
	set->resume = evtimer_new(base, resume_cb, set);
	if (set->resume == NULL)
		fatal("out of memory");
	return set;
}

static void
listener_free(struct listener *l)
{
	LIST_REMOVE(l, link);
	if (l->ev != NULL)
		event_free(l->ev);
	close(l->fd);
	free(l);
}

bool
listener_set_add(struct listener_set *set, uint16_t index, int fd)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		close(fd);
		return false;
	}
	l->set = set;
	l->fd = fd;
	l->index = index;
	l->burst = 1;
	LIST_INSERT_HEAD(&set->each, l, link);
	l->ev = event_new(set->base, fd, EV_READ | EV_PERSIST, accept_cb, l);
	if (l->ev != NULL && event_add(l->ev, NULL) == 0)
		return true;
	listener_free(l);
	return false;
}

void
listener_set_remove(struct listener_set *set, uint16_t index)
{
	struct listener *l;

	LIST_FOREACH (l, &set->each, link)
		if (l->index == index)
			break;
	if (l != NULL)
		listener_free(l);
}

void
listener_set_free(struct listener_set *set)
{
	if (set == NULL)
		return;
	while (!LIST_EMPTY(&set->each))
		listener_free(LIST_FIRST(&set->each));
	event_free(set->resume);
	free(set);
}
