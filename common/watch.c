/* SPDX-License-Identifier: ISC
 *
 * An epoll set and a table of who is to be called, by descriptor. Whoever
 * moves bytes starts and stops here. It owns no descriptor but that of the
 * set.
 *
 * The kernel takes a descriptor out when it is closed, so nobody else does.
 * That leaves events of one that is gone, or was not closed after all; each
 * carries the turn in which its watch was started, and is only taken for news
 * if that is still the one in the table.
 */
#include "common/watch.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <event2/event.h>

#define BATCH 64 /* taken at once; what is more waits for the next turn */

struct slot {
	watch_fn fn; /* NULL: nobody */
	void *arg;
	uint32_t start; /* tells this watch from those before it */
	uint8_t missed; /* what came while it was paused */
	uint8_t what;	/* of WATCH_IN and WATCH_OUT it is told of these */
	bool is_in;	/* perhaps still in the epoll set */
};

struct watch_set {
	int fd;
	struct event *ev;
	uint32_t starts;
	size_t size;
	struct slot *slots; /* by descriptor */
};

static unsigned
what_of(uint32_t events)
{
	return ((events & EPOLLIN) != 0 ? WATCH_IN : 0) |
	       ((events & EPOLLOUT) != 0 ? WATCH_OUT : 0) |
	       ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 ? WATCH_HUP
								   : 0);
}

/* Calls change the table: nothing of it is kept from one to the next. */
static void
ready_cb(evutil_socket_t epoll, short what, void *arg)
{
	struct watch_set *set = arg;
	struct epoll_event events[BATCH];
	int n = epoll_wait(epoll, events, BATCH, 0);

	(void)what;
	for (int i = 0; i < n; i++) {
		uint32_t fd = (uint32_t)events[i].data.u64;
		unsigned what = what_of(events[i].events);
		struct slot *s = &set->slots[fd];

		if (s->start != events[i].data.u64 >> 32)
			continue;
		if (s->fn != NULL)
			s->fn((int)fd, what, s->arg);
		else
			s->missed |= (uint8_t)what;
	}
}

struct watch_set *
watch_set_new(struct event_base *base)
{
	struct watch_set *set = calloc(1, sizeof(*set));

	if (set == NULL)
		return NULL;
	if ((set->fd = epoll_create1(EPOLL_CLOEXEC)) != -1)
		set->ev = event_new(
		    base, set->fd, EV_READ | EV_PERSIST, ready_cb, set);
	if (set->ev == NULL || event_add(set->ev, NULL) == -1) {
		watch_set_free(set);
		return NULL;
	}
	return set;
}

void
watch_set_free(struct watch_set *set)
{
	if (set == NULL)
		return;
	if (set->ev != NULL)
		event_free(set->ev);
	if (set->fd != -1)
		close(set->fd);
	free(set->slots);
	free(set);
}

/* Makes the table large enough, and not much larger: descriptors are given out
 * from below, so it grows to what there is and stays there. */
static int
grow(struct watch_set *set, size_t n)
{
	size_t size = n + n / 8 + BATCH;
	struct slot *slots;

	if (n <= set->size)
		return 0;
	slots = realloc(set->slots, size * sizeof(*slots));
	if (slots == NULL)
		return -1;
	memset(slots + set->size, 0, (size - set->size) * sizeof(*slots));
	set->slots = slots;
	set->size = size;
	return 0;
}

/* Puts it into the epoll set. Whether it is there already is a guess. */
static int
put_in(struct watch_set *set, int fd, struct slot *s)
{
	int op = s->is_in ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLRDHUP | EPOLLET |
			  ((s->what & WATCH_OUT) != 0 ? EPOLLOUT : 0),
		.data.u64 = (uint64_t)s->start << 32 | (uint32_t)fd,
	};

	if (epoll_ctl(set->fd, op, fd, &ev) == 0)
		return 0;
	if (errno == ENOENT)
		return epoll_ctl(set->fd, EPOLL_CTL_ADD, fd, &ev);
	if (errno == EEXIST)
		return epoll_ctl(set->fd, EPOLL_CTL_MOD, fd, &ev);
	return -1;
}

int
watch_start(
    struct watch_set *set, int fd, unsigned what, watch_fn fn, void *arg)
{
	struct slot *s;

	if (grow(set, (size_t)fd + 1) == -1)
		return -1;
	s = &set->slots[fd];
	s->start = ++set->starts;
	s->what = (uint8_t)what;
	if (put_in(set, fd, s) == -1) {
		watch_stop(set, fd);
		return -1;
	}
	s->fn = fn;
	s->arg = arg;
	s->is_in = true;
	return 0;
}

int
watch_room(struct watch_set *set, int fd)
{
	struct slot *s = &set->slots[fd];

	assert((size_t)fd < set->size && s->is_in);
	if ((s->what & WATCH_OUT) != 0)
		return 0;
	s->what |= WATCH_OUT;
	return put_in(set, fd, s);
}

void
watch_pause(struct watch_set *set, int fd, unsigned left)
{
	if ((size_t)fd >= set->size)
		return;
	set->slots[fd].fn = NULL;
	set->slots[fd].missed = (uint8_t)left;
}

unsigned
watch_resume(struct watch_set *set, int fd, watch_fn fn, void *arg)
{
	struct slot *s = &set->slots[fd];

	assert((size_t)fd < set->size && s->fn == NULL && s->is_in);
	s->fn = fn;
	s->arg = arg;
	return s->missed | WATCH_OUT;
}

void
watch_stop(struct watch_set *set, int fd)
{
	watch_pause(set, fd, 0);
	if ((size_t)fd < set->size)
		set->slots[fd].is_in = false;
}

void
watch_remove(struct watch_set *set, int fd)
{
	watch_stop(set, fd);
	(void)epoll_ctl(set->fd, EPOLL_CTL_DEL, fd, NULL);
}
