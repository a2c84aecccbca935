/* SPDX-License-Identifier: ISC */
#include "server/places.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/channel.h"
#include "server/handoff.h"

#define QUICK_MS     1000  /* died so soon: wait before the next */
#define STEADY_MS    10000 /* alive so long: forget earlier deaths */
#define DELAY_MAX_S  30
#define START_FACTOR 6 /* how much longer a start may take than a turn */

/* What a place is at. */
enum place {
	PLACE_EMPTY,	/* no process, none wanted yet */
	PLACE_STARTING, /* forked, not ready */
	PLACE_READY,
	PLACE_WAITING, /* dead; its timer is set */
	PLACE_LEAVING, /* told to leave: it is none of those that are wanted */
};

struct row {
	struct places *places;
	enum place at;
	pid_t pid;
	uint32_t slot;
	uint32_t generation; /* of the program that has forked it */
	struct channel *channel;
	struct event *timer; /* of the respawn */
	uint64_t ready_ms;   /* when it became ready, 0: never yet */
	unsigned delay_s;    /* before the next attempt */
	uint64_t pulse;
	unsigned still; /* calls of places_watch() without another */
};

struct places {
	struct event_base *base;
	const struct places_ops *ops;
	void *arg;
	struct row *rows;
	size_t n;
	size_t wanted;
	uint32_t generation; /* of those that are wanted */
	size_t picked;	     /* the last one, see places_pick() */
	bool was_ready;	     /* some worker has been ready */
	bool stopping;
	bool was_cut; /* all were killed */
};

static void balance(struct places *);
static void dismiss_old(struct places *);
static void spawn(struct row *);

static void
message(void *arg, const struct channel_msg *msg, int fd)
{
	struct row *r = arg;
	struct places *p = r->places;

	if (msg->type == CHANNEL_READY && r->at == PLACE_LEAVING)
		return;
	if (msg->type == CHANNEL_READY) {
		r->at = PLACE_READY;
		r->ready_ms = clock_ms();
		p->was_ready = true;
		log_info("worker %u is ready pid=%d", r->slot + 1, (int)r->pid);
	}
	p->ops->message(p->arg, r->slot, msg, fd);
	if (msg->type == CHANNEL_READY)
		dismiss_old(p);
}

/* One that will be replaced when it dies. */
static bool
is_wanted(const struct row *r)
{
	return r->at != PLACE_EMPTY && r->at != PLACE_LEAVING &&
	       r->generation == r->places->generation;
}

/* A worker that does not read, or sends nonsense, is replaced; of one that
 * has died SIGCHLD tells, and one that was to leave may be about to. */
static void
closed(void *arg, const char *why)
{
	struct row *r = arg;

	log_debug("channel of worker %u closed: %s", r->slot + 1, why);
	channel_free(r->channel);
	r->channel = NULL;
	if (!r->places->stopping && r->at != PLACE_LEAVING)
		places_kill(r->places, r->slot);
}

static const struct channel_ops channel_ops = { message, closed };

/* Fills the place again after the delay that earlier quick deaths have
 * earned; another quick one makes it longer. */
static void
respawn(struct row *r, bool was_quick)
{
	struct timeval tv = { .tv_sec = r->delay_s };

	r->at = PLACE_WAITING;
	evtimer_add(r->timer, &tv);
	if (!was_quick)
		return;
	r->delay_s = r->delay_s == 0 ? 1 : r->delay_s * 2;
	if (r->delay_s > DELAY_MAX_S)
		r->delay_s = DELAY_MAX_S;
}

/* Forks the worker of a place. Signals are blocked meanwhile: a handler that
 * runs in the child would write into the master's pipe. */
static void
spawn(struct row *r)
{
	struct places *p = r->places;
	sigset_t all, mask;
	int fds[2];

	if (channel_pair(fds) == -1) {
		log_error(
		    "cannot start worker %u: %s", r->slot + 1, strerror(errno));
		respawn(r, true);
		return;
	}
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask);
	r->pid = fork();
	if (r->pid == 0) {
		close(fds[0]);
		event_reinit(p->base);
		sigprocmask(SIG_SETMASK, &mask, NULL);
		p->ops->run(p->arg, r->slot, fds[1]);
		abort();
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(fds[1]);
	r->ready_ms = 0;
	r->still = 0;
	if (r->pid == -1) {
		log_error(
		    "cannot fork worker %u: %s", r->slot + 1, strerror(errno));
		r->pid = 0;
		close(fds[0]);
		respawn(r, true);
		return;
	}
	r->at = PLACE_STARTING;
	r->generation = p->generation;
	r->channel = channel_new(p->base, fds[0], &channel_ops, r);
	if (r->channel == NULL) {
		log_error(
		    "cannot talk to worker %u: out of memory", r->slot + 1);
		places_kill(p, r->slot);
	}
	p->ops->forked(p->arg, r->slot);
}

static void
respawn_cb(evutil_socket_t fd, short what, void *arg)
{
	struct row *r = arg;

	(void)fd;
	(void)what;
	if (!r->places->stopping)
		spawn(r);
}

static bool
any_left(const struct places *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].pid != 0)
			return true;
	return false;
}

static void
say_death(const struct row *r, int status)
{
	int pid = (int)r->pid;

	if (WIFSIGNALED(status) && r->places->was_cut)
		log_debug("worker %u killed pid=%d", r->slot + 1, pid);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		log_error("worker %u died pid=%d signal=%d: it made a system "
			  "call that its sandbox forbids; sandbox = trap names "
			  "it",
		    r->slot + 1, pid, SIGSYS);
	else if (WIFSIGNALED(status))
		log_error("worker %u died pid=%d signal=%d", r->slot + 1, pid,
		    WTERMSIG(status));
	else if (r->at == PLACE_LEAVING && WEXITSTATUS(status) == 0)
		log_info("worker %u has left pid=%d", r->slot + 1, pid);
	else if (!r->places->stopping)
		log_error("worker %u died pid=%d exit=%d", r->slot + 1, pid,
		    WEXITSTATUS(status));
}

/* The place of a dead worker is filled again, sooner or later. */
static void
bury(struct row *r, int status)
{
	struct places *p = r->places;
	uint64_t lived_ms = r->ready_ms == 0 ? 0 : clock_ms() - r->ready_ms;
	bool has_left = !is_wanted(r);

	say_death(r, status);
	channel_free(r->channel);
	r->channel = NULL;
	r->pid = 0;
	r->at = PLACE_EMPTY;
	p->ops->gone(p->arg, r->slot, has_left);
	if (p->stopping)
		return;
	if (has_left) {
		balance(p);
		return;
	}
	if (!p->was_ready && WIFEXITED(status) &&
	    WEXITSTATUS(status) == PLACES_CANNOT_START) {
		log_error("worker %u cannot start: giving up", r->slot + 1);
		p->ops->cannot_start(p->arg);
		return;
	}
	if (lived_ms >= STEADY_MS)
		r->delay_s = 0;
	respawn(r, lived_ms < QUICK_MS);
}

void
places_reap(struct places *p)
{
	int status;
	pid_t pid;

	/* Others have children too. */
	for (size_t i = 0; i < p->n; i++) {
		pid = p->rows[i].pid;
		if (pid != 0 && waitpid(pid, &status, WNOHANG) == pid)
			bury(&p->rows[i], status);
	}
	if (p->stopping && !any_left(p))
		p->ops->all_gone(p->arg);
}

void
places_stop(struct places *p, bool cut)
{
	p->stopping = true;
	p->was_cut |= cut;
	for (size_t i = 0; cut && i < p->n; i++)
		places_kill(p, (uint32_t)i);
	if (!any_left(p))
		p->ops->all_gone(p->arg);
}

void
places_kill(struct places *p, uint32_t slot)
{
	if (p->rows[slot].pid != 0)
		kill(p->rows[slot].pid, SIGKILL);
}

/* First with a core to look at, if there may be one; that is not enough for a
 * process that is stopped. */
static void
end_still(const struct row *r, bool is_first)
{
	log_error("worker %u stands still: %s pid=%d", r->slot + 1,
	    is_first ? "ended" : "killed", (int)r->pid);
	kill(r->pid, is_first ? SIGABRT : SIGKILL);
}

/* One that is not ready yet has more to do at a time. */
static void
watch(struct row *r, unsigned calls)
{
	uint64_t pulse = r->places->ops->pulse(r->places->arg, r->slot);

	if (r->at == PLACE_STARTING)
		calls *= START_FACTOR;
	if (pulse != r->pulse) {
		r->pulse = pulse;
		r->still = 0;
	} else if (++r->still >= calls) {
		end_still(r, r->still == calls);
	}
}

void
places_watch(struct places *p, unsigned calls)
{
	for (size_t i = 0; i < p->n && calls > 0; i++)
		if (p->rows[i].pid != 0)
			watch(&p->rows[i], calls);
}

void
places_send(
    struct places *p, uint32_t slot, const struct channel_msg *msg, int fd)
{
	if (slot < p->n && p->rows[slot].channel != NULL)
		channel_send(p->rows[slot].channel, msg, fd);
}

void
places_send_all(struct places *p, const struct channel_msg *msg, int fd)
{
	for (size_t i = 0; i < p->n; i++)
		places_send(p, (uint32_t)i, msg, fd);
}

uint32_t
places_pick(struct places *p)
{
	for (size_t i = 0; i < p->n && !p->stopping; i++) {
		p->picked = (p->picked + 1) % p->n;
		if (p->rows[p->picked].at == PLACE_READY)
			return (uint32_t)p->picked;
	}
	return UINT32_MAX;
}

size_t
places_size(const struct places *p)
{
	return p->n;
}

bool
places_look(const struct places *p, size_t slot, struct places_worker *w)
{
	static const char *const states[] = {
		[PLACE_EMPTY] = NULL,
		[PLACE_STARTING] = "starting",
		[PLACE_READY] = "ready",
		[PLACE_WAITING] = "waiting",
		[PLACE_LEAVING] = "leaving",
	};
	const struct row *r;

	if (slot >= p->n)
		return false;
	r = &p->rows[slot];
	w->state = p->stopping && r->pid != 0 ? "draining" : states[r->at];
	w->pid = r->pid;
	w->ready_ms = r->at == PLACE_READY ? r->ready_ms : 0;
	return true;
}

struct places *
places_new(size_t n)
{
	struct places *p = log_must_alloc(1, sizeof(*p));

	p->n = n;
	p->rows = log_must_alloc(n, sizeof(*p->rows));
	return p;
}

void
places_start(struct places *p, struct event_base *base,
    const struct places_ops *ops, void *arg)
{
	p->base = base;
	p->ops = ops;
	p->arg = arg;
	for (size_t i = 0; i < p->n; i++) {
		struct row *r = &p->rows[i];

		r->places = p;
		r->slot = (uint32_t)i;
		r->timer = evtimer_new(base, respawn_cb, r);
		if (r->timer == NULL)
			fatal("out of memory");
	}
}

/* How many there are of those that are wanted, dead ones that will be replaced
 * among them. */
static size_t
count(const struct places *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += is_wanted(&p->rows[i]);
	return n;
}

/* The last wanted row that is at a place; NULL if none is. */
static struct row *
find_last(struct places *p, enum place at)
{
	for (size_t i = p->n; i > 0; i--)
		if (p->rows[i - 1].at == at && is_wanted(&p->rows[i - 1]))
			return &p->rows[i - 1];
	return NULL;
}

static struct row *
find_empty(struct places *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].at == PLACE_EMPTY)
			return &p->rows[i];
	return NULL;
}

static void
leave(struct row *r)
{
	static const struct channel_msg msg = { .type = CHANNEL_LEAVE };
	struct places *p = r->places;

	log_info("worker %u is to leave pid=%d", r->slot + 1, (int)r->pid);
	r->at = PLACE_LEAVING;
	places_send(p, r->slot, &msg, -1);
	p->ops->leave(p->arg, r->slot);
}

/* Once all who are wanted are ready, nobody older is needed. */
static void
dismiss_old(struct places *p)
{
	size_t ready = 0;

	for (size_t i = 0; i < p->n; i++)
		ready += is_wanted(&p->rows[i]) && p->rows[i].at == PLACE_READY;
	if (ready < p->wanted || p->stopping)
		return;
	for (size_t i = 0; i < p->n; i++) {
		struct row *r = &p->rows[i];

		if (r->generation != p->generation &&
		    (r->at == PLACE_STARTING || r->at == PLACE_READY))
			leave(r);
	}
}

/* One too many: those go first that serve nobody. */
static void
dismiss_one(struct places *p)
{
	struct row *r = find_last(p, PLACE_WAITING);

	if (r != NULL) {
		event_del(r->timer);
		r->at = PLACE_EMPTY;
		return;
	}
	r = find_last(p, PLACE_STARTING);
	if (r == NULL)
		r = find_last(p, PLACE_READY);
	leave(r);
}

/* As many as are wanted, as far as there are places: those that leave have one
 * until they are gone. */
static void
balance(struct places *p)
{
	struct row *r;
	size_t n = count(p);

	for (; n > p->wanted; n--)
		dismiss_one(p);
	for (; n < p->wanted && (r = find_empty(p)) != NULL; n++)
		spawn(r);
}

void
places_want(struct places *p, size_t n)
{
	p->wanted = n;
	balance(p);
	dismiss_old(p);
}

size_t
places_free_n(const struct places *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->rows[i].at == PLACE_EMPTY;
	return n;
}

/* True if no row before this one is of the same generation. */
static bool
is_first(const struct places *p, const struct row *r)
{
	for (const struct row *o = p->rows; o < r; o++)
		if (o->pid != 0 && o->generation == r->generation)
			return false;
	return r->pid != 0;
}

size_t
places_generations(const struct places *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += is_first(p, &p->rows[i]);
	return n;
}

bool
places_save(const struct places *p, struct handoff *h)
{
	json_t *list = json_array();
	bool is_good = true;

	for (size_t i = 0; i < p->n; i++) {
		const struct row *r = &p->rows[i];
		json_t *part;
		int fd;

		if (r->pid == 0)
			continue;
		is_good &=
		    r->channel != NULL && channel_is_idle(r->channel, &fd);
		if (!is_good)
			break;
		part = json_pack("{s:I, s:i, s:i, s:I, s:I}", "slot",
		    (json_int_t)i, "at", (int)r->at, "pid", (int)r->pid,
		    "generation", (json_int_t)r->generation, "ready_ms",
		    (json_int_t)r->ready_ms);
		handoff_put_fd(h, part, "fd", fd);
		json_array_append_new(list, part);
	}
	json_object_set_new(handoff_root(h), "workers", list);
	return is_good;
}

static void
adopt_row(struct row *r, const json_t *part)
{
	int fd = handoff_take_fd(part, "fd");

	r->at = (enum place)json_integer_value(json_object_get(part, "at"));
	r->pid = (pid_t)json_integer_value(json_object_get(part, "pid"));
	r->generation =
	    (uint32_t)json_integer_value(json_object_get(part, "generation"));
	r->ready_ms =
	    (uint64_t)json_integer_value(json_object_get(part, "ready_ms"));
	if (fd == -1 || (r->channel = channel_new(
			     r->places->base, fd, &channel_ops, r)) == NULL)
		fatal("the channel of worker %u is lost", r->slot + 1);
}

void
places_adopt(struct places *p, struct handoff *h)
{
	const json_t *list = json_object_get(handoff_root(h), "workers"), *part;
	size_t i;

	p->was_ready = true;
	json_array_foreach(list, i, part)
	{
		json_int_t slot =
		    json_integer_value(json_object_get(part, "slot"));

		if (slot < 0 || (size_t)slot >= p->n)
			continue;
		adopt_row(&p->rows[slot], part);
		if (p->rows[slot].generation >= p->generation)
			p->generation = p->rows[slot].generation + 1;
	}
}

void
places_free(struct places *p)
{
	for (size_t i = 0; i < p->n; i++) {
		channel_free(p->rows[i].channel);
		event_free(p->rows[i].timer);
	}
	free(p->rows);
	free(p);
}
