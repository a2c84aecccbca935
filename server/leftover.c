/* SPDX-License-Identifier: ISC */
#include "server/leftover.h"

#include <stdlib.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/conn.h"
#include "server/inbox.h"

#define BURST	 64 /* passed on in one turn of the loop */
#define PAUSE_MS 20 /* while nobody can have one */

struct row {
	struct leftovers *set;
	struct event *readable; /* NULL: the inbox has a reader */
	uint32_t slot;
};

struct leftovers {
	struct event_base *base;
	struct inbox *inbox;
	uint32_t (*pick)(void *arg);
	void *arg;
	struct event *resume; /* its timer */
	size_t n;
	struct row rows[];
};

/* True if somebody has it. */
static bool
pass_on(struct leftovers *set, struct inbox_msg *msg)
{
	uint32_t to;

	for (size_t i = 0; i < set->n; i++) {
		to = set->pick(set->arg);
		if (to == UINT32_MAX)
			return false;
		if (inbox_send(set->inbox, to, msg) == FDPASS_OK)
			return true;
	}
	return false;
}

static void
pause_all(struct leftovers *set)
{
	struct timeval tv = clock_span(PAUSE_MS);

	for (size_t i = 0; i < set->n; i++)
		if (set->rows[i].readable != NULL)
			event_del(set->rows[i].readable);
	evtimer_add(set->resume, &tv);
}

static void
resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct leftovers *set = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < set->n; i++)
		if (set->rows[i].readable != NULL)
			event_add(set->rows[i].readable, NULL);
}

static void
read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct row *r = arg;
	struct leftovers *set = r->set;
	struct inbox_msg msg;

	(void)fd;
	(void)what;
	for (int i = 0; i < BURST; i++) {
		/* Before one is taken out somebody must be there for it. */
		if (set->pick(set->arg) == UINT32_MAX) {
			pause_all(set);
			return;
		}
		switch (inbox_recv(set->inbox, r->slot, &msg)) {
		case FDPASS_OK:
			if (pass_on(set, &msg))
				continue;
			log_error("a connection was lost: every inbox is full");
			conn_close(&msg.conn);
			continue;
		case FDPASS_LOST:
			log_error("a connection was lost: out of descriptors");
			continue;
		case FDPASS_BAD:
			log_error("nonsense in an inbox was dropped");
			continue;
		default:
			return;
		}
	}
}

struct leftovers *
leftovers_new(struct event_base *base, struct inbox *inbox, size_t slots,
    uint32_t (*pick)(void *arg), void *arg)
{
	struct leftovers *set =
	    log_must_alloc(1, sizeof(*set) + slots * sizeof(set->rows[0]));

	set->base = base;
	set->inbox = inbox;
	set->pick = pick;
	set->arg = arg;
	set->n = slots;
	for (size_t i = 0; i < slots; i++) {
		set->rows[i].set = set;
		set->rows[i].slot = (uint32_t)i;
	}
	set->resume = evtimer_new(base, resume_cb, set);
	if (set->resume == NULL)
		fatal("out of memory");
	return set;
}

void
leftovers_free(struct leftovers *set)
{
	for (size_t i = 0; i < set->n; i++)
		leftovers_end(set, (uint32_t)i);
	event_free(set->resume);
	free(set);
}

void
leftovers_begin(struct leftovers *set, uint32_t slot)
{
	struct row *r = &set->rows[slot];

	if (r->readable != NULL)
		return;
	r->readable = event_new(set->base, inbox_fd(set->inbox, slot),
	    EV_READ | EV_PERSIST, read_cb, r);
	if (r->readable == NULL || event_add(r->readable, NULL) == -1)
		log_error("cannot wait on an inbox");
}

void
leftovers_end(struct leftovers *set, uint32_t slot)
{
	struct row *r = &set->rows[slot];

	if (r->readable != NULL)
		event_free(r->readable);
	r->readable = NULL;
}
