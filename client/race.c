/* SPDX-License-Identifier: ISC
 *
 * Addresses tried side by side. Called by dial only. Owns the sockets until
 * one of them is connected, which goes to the caller; the others are closed
 * then.
 */
#include "client/race.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/display.h"
#include "common/clock.h"

/* One address. */
struct runner {
	struct race *race;
	struct net_addr addr;
	int fd; /* -1 unless it is under way */
	struct event io;
};

struct race {
	struct event_base *base;
	race_fn fn;
	void *arg;
	const struct display *display; /* or NULL */
	size_t n;
	size_t next; /* the one to start next */
	size_t running;
	struct event step; /* starts it */
	struct event late; /* time is up */
	struct net_addr last;
	int error;		 /* 0: none yet */
	struct runner runners[]; /* n of them */
};

static void
runner_close(struct runner *runner)
{
	if (runner->fd == -1)
		return;
	event_del(&runner->io);
	close(runner->fd);
	runner->fd = -1;
	runner->race->running--;
}

static void
race_free(struct race *race)
{
	for (size_t i = 0; i < race->n; i++)
		runner_close(&race->runners[i]);
	evtimer_del(&race->step);
	evtimer_del(&race->late);
	free(race);
}

/* The one way out: frees it, then tells. */
static void
race_end(struct race *race, int fd)
{
	struct race_result result = {
		.fd = fd, .addr = race->last, .error = race->error
	};
	race_fn fn = race->fn;
	void *arg = race->arg;

	race_free(race);
	fn(arg, &result);
}

static void
tell(const struct runner *runner, const char *what)
{
	char addr[NET_TEXT_MAX];

	if (runner->race->display != NULL)
		display_detail(runner->race->display, "%s: %s",
		    net_addr_text(&runner->addr, addr), what);
}

/* True if that only says that there is no way to addresses of this family,
 * which is nothing to tell if there are others. */
static bool
is_no_way(int error)
{
	return error == ENETUNREACH || error == EHOSTUNREACH ||
	       error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

static void
failed(struct runner *runner, int error)
{
	struct race *race = runner->race;
	struct timeval now = { 0, 0 };

	tell(runner, strerror(error));
	runner_close(runner);
	if (race->error == 0 || is_no_way(race->error) || !is_no_way(error)) {
		race->error = error;
		race->last = runner->addr;
	}
	/* Nobody has to wait for one that is out. */
	if (race->next < race->n)
		evtimer_add(&race->step, &now);
	else if (race->running == 0)
		race_end(race, -1);
}

static void
won(struct runner *runner)
{
	struct race *race = runner->race;
	int fd = runner->fd;

	tell(runner, "connected");
	event_del(&runner->io);
	runner->fd = -1;
	race->running--;
	race->last = runner->addr;
	race->error = 0;
	race_end(race, fd);
}

static void
io_cb(int fd, short what, void *arg)
{
	struct runner *runner = arg;
	int error = net_error(fd);

	(void)what;
	if (error == 0)
		won(runner);
	else
		failed(runner, error);
}

static void
late_cb(int fd, short what, void *arg)
{
	struct race *race = arg;

	(void)fd;
	(void)what;
	race->error = ETIMEDOUT;
	race_end(race, -1);
}

static void
step_cb(int fd, short what, void *arg)
{
	struct race *race = arg;
	struct runner *runner = &race->runners[race->next++];
	struct timeval span = clock_span(RACE_STEP_MS);

	(void)fd;
	(void)what;
	tell(runner, "connecting");
	runner->fd = net_connect(&runner->addr, false);
	if (runner->fd == -1) {
		failed(runner, errno);
		return;
	}
	race->running++;
	race->last = runner->addr;
	event_assign(
	    &runner->io, race->base, runner->fd, EV_WRITE, io_cb, runner);
	if (net_is_connected(runner->fd))
		won(runner);
	else if (event_add(&runner->io, NULL) == -1)
		failed(runner, ENOMEM);
	else if (race->next < race->n)
		evtimer_add(&race->step, &span);
}

void
race_order(struct net_addr *addrs, size_t n)
{
	struct net_addr sorted[RACE_MAX];
	sa_family_t family = AF_INET6;
	bool is_used[RACE_MAX] = { false };
	size_t i, k;

	assert(n <= RACE_MAX);
	for (i = 0; i < n; i++) {
		for (k = 0; k < n; k++)
			if (!is_used[k] && addrs[k].sa.sa_family == family)
				break;
		if (k == n)
			for (k = 0; is_used[k]; k++)
				continue;
		is_used[k] = true;
		sorted[i] = addrs[k];
		family = addrs[k].sa.sa_family == AF_INET6 ? AF_INET : AF_INET6;
	}
	if (n > 0)
		memcpy(addrs, sorted, n * sizeof(*addrs));
}

struct race *
race_start(
    struct event_base *base, const struct race_to *to, race_fn fn, void *arg)
{
	struct race *race =
	    calloc(1, sizeof(*race) + to->n * sizeof(race->runners[0]));
	struct timeval span = clock_span(to->timeout_ms), now = { 0, 0 };

	assert(to->n > 0 && to->n <= RACE_MAX);
	if (race == NULL)
		return NULL;
	race->base = base;
	race->fn = fn;
	race->arg = arg;
	race->display = to->display;
	race->n = to->n;
	for (size_t i = 0; i < to->n; i++) {
		race->runners[i].race = race;
		race->runners[i].addr = to->addrs[i];
		race->runners[i].fd = -1;
	}
	evtimer_assign(&race->step, base, step_cb, race);
	evtimer_assign(&race->late, base, late_cb, race);
	if (evtimer_add(&race->step, &now) == 0 &&
	    evtimer_add(&race->late, &span) == 0)
		return race;
	race_free(race);
	return NULL;
}

void
race_stop(struct race **racep)
{
	struct race *race = *racep;

	*racep = NULL;
	if (race != NULL)
		race_free(race);
}
