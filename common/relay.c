/* SPDX-License-Identifier: ISC
 *
 * Moves the bytes of two joined connections: their events, whose turn it is,
 * and how it ends; flow.c moves the bytes of one direction. Whoever joins two
 * connections makes a relay. It borrows the descriptors and owns their events
 * and what is on its way; it must never call done() but as its last act, and
 * never pass a reset on while bytes are queued that it would destroy.
 */
#include "common/relay.h"

#include <sys/ioctl.h>
#include <sys/queue.h>

#include <assert.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/flow.h"
#include "common/net.h"
#include "common/watch.h"

#define LINGER_MS    50 /* between two looks at the send queue */
#define LINGER_LOOKS 100
#define TURN_PIPES   4 /* that are filled in one turn */

static void turn(struct relay *);

/* Those who asked for another turn before this one began. */
static void
turn_cb(evutil_socket_t fd, short what, void *arg)
{
	struct relay_env *env = arg;
	struct relay_list now = env->again;
	struct relay *r;

	(void)fd;
	(void)what;
	if (!LIST_EMPTY(&now))
		LIST_FIRST(&now)->link.le_prev = &LIST_FIRST(&now);
	LIST_INIT(&env->again);
	while ((r = LIST_FIRST(&now)) != NULL) {
		LIST_REMOVE(r, link);
		r->is_listed = false;
		turn(r);
	}
}

struct relay_env *
relay_env_new(struct event_base *base, struct watch_set *watches,
    size_t pipe_max, size_t pipe_size)
{
	struct relay_env *env;

	if ((env = calloc(1, sizeof(*env))) == NULL)
		return NULL;
	env->base = base;
	env->watches = watches;
	env->turn_bytes = TURN_PIPES * pipe_size;
	LIST_INIT(&env->again);
	env->turn = evtimer_new(base, turn_cb, env);
	env->pipes = pipe_pool_new(pipe_max, pipe_size);
	if (env->turn == NULL || env->pipes == NULL) {
		relay_env_free(env);
		return NULL;
	}
	return env;
}

void
relay_env_free(struct relay_env *env)
{
	if (env == NULL)
		return;
	if (env->turn != NULL)
		event_free(env->turn);
	if (env->spare != NULL)
		evbuffer_free(env->spare);
	pipe_pool_free(env->pipes);
	free(env);
}

void
relay_env_limit(struct relay_env *env, size_t pipe_max)
{
	pipe_pool_limit(env->pipes, pipe_max);
}

size_t
relay_env_pipes(const struct relay_env *env)
{
	return pipe_taken(env->pipes);
}

/* Takes it out of the list that it is in, if any. */
static void
unlist(struct relay *r)
{
	if (r->is_listed)
		LIST_REMOVE(r, link);
	r->is_listed = false;
	r->is_braked = false;
}

/* Another turn, after the other connections had theirs. Who asks for it in his
 * turn lets the others be heard first; who is new need not wait for that. A
 * turn that is to be is left alone: libevent would put it off. */
void
relay_again(struct relay *r)
{
	const struct timeval now = { 0 };
	struct relay_env *env = r->env;

	if (r->is_listed && !r->is_braked)
		return;
	unlist(r);
	LIST_INSERT_HEAD(&env->again, r, link);
	r->is_listed = true;
	if (!env->is_turning)
		event_active(env->turn, EV_TIMEOUT, 0);
	else if (!evtimer_pending(env->turn, NULL))
		event_add(env->turn, &now);
}

/* Ends the relay as soon as the stack is unwound. */
void
relay_end_now(struct relay *r, enum relay_end how)
{
	if (!r->is_over)
		r->how = how;
	r->is_over = true;
}

/*
 * An end is gone. What was due for it is lost; what it said before is still
 * delivered, except what is held, because nobody has allowed it to pass.
 */
void
relay_fail(struct relay *r, struct end *e)
{
	struct flow *from = &r->flow[e - r->end];

	if (e->has_failed)
		return;
	e->has_failed = true;
	if (!r->is_over && !from->dst->has_failed)
		r->how = from->dir == RELAY_A_TO_B ? RELAY_END_RESET_A
						   : RELAY_END_RESET_B;
	flow_cut(r, &r->flow[1 - from->dir]);
	flow_source_gone(from);
	relay_again(r);
}

/* Unregisters everything. */
static void
stop(struct relay *r)
{
	if (r->is_started) {
		watch_stop(r->env->watches, r->end[0].stream.fd);
		watch_stop(r->env->watches, r->end[1].stream.fd);
	}
	if (r->linger != NULL)
		event_free(r->linger);
	r->linger = NULL;
	unlist(r);
}

static void
finish(struct relay *r, enum relay_end how)
{
	stop(r);
	r->ops->done(r->arg, how);
}

static void
linger_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn(arg);
}

/* True if the reset of one end may be passed on to the other one: when the
 * kernel has no bytes for it left, or has tried for long enough. */
static bool
may_reset(struct relay *r, const struct end *survivor)
{
	const struct timeval tv = clock_span(LINGER_MS);
	int queued = 0;

	if (ioctl(survivor->stream.fd, SIOCOUTQ, &queued) == -1 || queued == 0)
		return true;
	if (r->linger == NULL)
		r->linger = evtimer_new(r->env->base, linger_cb, r);
	if (r->linger == NULL)
		return true;
	if (evtimer_pending(r->linger, NULL))
		return false;
	return r->looks++ == LINGER_LOOKS || evtimer_add(r->linger, &tv) == -1;
}

/* Is it over? done() may be called from here and nowhere else. */
static void
settle(struct relay *r)
{
	struct end *a = &r->end[0], *b = &r->end[1];
	bool from_a = r->flow[RELAY_A_TO_B].state == FLOW_OVER;
	bool from_b = r->flow[RELAY_B_TO_A].state == FLOW_OVER;

	if (r->is_over && r->how == RELAY_END_NO_MEMORY) {
		net_reset_on_close(a->stream.fd);
		net_reset_on_close(b->stream.fd);
		finish(r, r->how);
	} else if (r->is_over || (a->has_failed && b->has_failed)) {
		finish(r, r->how);
	} else if (a->has_failed && from_a && may_reset(r, b)) {
		net_reset_on_close(b->stream.fd);
		finish(r, RELAY_END_RESET_A);
	} else if (b->has_failed && from_b && may_reset(r, a)) {
		net_reset_on_close(a->stream.fd);
		finish(r, RELAY_END_RESET_B);
	} else if (from_a && from_b && !a->has_failed && !b->has_failed) {
		finish(r, RELAY_END_EOF);
	}
}

/* B has ended, and that is the end of both. */
static void
end_with_b(struct relay *r)
{
	struct flow *f = &r->flow[RELAY_A_TO_B];

	if (r->is_over || r->flow[RELAY_B_TO_A].state != FLOW_OVER ||
	    f->state == FLOW_OVER || f->src->has_failed || f->dst->has_failed)
		return;
	flow_cut(r, f);
	/* If it does not work now it says nothing that B waits for. */
	(void)stream_shutdown(&f->dst->stream);
}

static void
turn(struct relay *r)
{
	struct relay_env *env = r->env;

	env->is_turning = true;
	flow_pump(r, &r->flow[RELAY_A_TO_B]);
	flow_pump(r, &r->flow[RELAY_B_TO_A]);
	if (r->ends_with_b)
		end_with_b(r);
	settle(r);
	env->is_turning = false;
}

void
relay_await_room(struct relay *r, struct end *e)
{
	e->is_writable = false;
	if (watch_room(r->env->watches, e->stream.fd) == -1)
		relay_end_now(r, RELAY_END_NO_MEMORY);
}

/* Keeps what is known of an end. */
static void
note(struct end *e, unsigned what)
{
	/* TLS may have to write before it can read, and the other way. */
	if (e->stream.tls != NULL)
		what |= WATCH_IN | WATCH_OUT;
	e->is_readable |= (what & (WATCH_IN | WATCH_HUP)) != 0;
	e->is_writable |= (what & WATCH_OUT) != 0;
	e->has_hung_up |= (what & WATCH_HUP) != 0;
}

static void
watch_cb(int fd, unsigned what, void *arg)
{
	struct relay *r = arg;
	size_t i = fd == r->end[0].stream.fd ? 0 : 1;
	struct end *e = &r->end[i];

	note(e, what);
	/* No read will tell of a reset if there will be no read. */
	if ((what & WATCH_HUP) != 0 && r->flow[i].state != FLOW_OPEN &&
	    net_error(fd) != 0)
		relay_fail(r, e);
	turn(r);
}

/* --- the interface -------------------------------------------------------- */

struct relay *
relay_new(struct relay_env *env, const struct stream *a, const struct stream *b,
    const struct relay_ops *ops, void *arg)
{
	const struct stream *streams[2] = { a, b };
	struct relay *r;
	int i;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return NULL;
	r->env = env;
	r->ops = ops;
	r->arg = arg;
	for (i = 0; i < 2; i++) {
		r->end[i].stream = *streams[i];
		r->end[i].is_writable = true; /* writing tells if not */
		r->flow[i] = (struct flow){
			.src = &r->end[i],
			.dst = &r->end[1 - i],
			.opaque = RELAY_ALL,
			.pipe = PIPE_NONE,
			.dir = (enum relay_dir)i,
		};
	}
	return r;
}

void
relay_inspect(struct relay *r, enum relay_dir dir)
{
	r->flow[dir].opaque = 0;
}

void
relay_end_with_b(struct relay *r)
{
	r->ends_with_b = true;
}

void
relay_brake(struct relay *r, struct brake *brake)
{
	r->brake = brake_ref(brake);
}

int
relay_preload(struct relay *r, enum relay_dir dir, const char *buf, size_t len)
{
	return flow_keep(&r->flow[dir], buf, len);
}

int
relay_start(struct relay *r)
{
	struct watch_set *watches = r->env->watches;

	r->is_started = true;
	for (int i = 0; i < 2; i++) {
		struct end *e = &r->end[i];
		int fd = e->stream.fd;

		/* Of one that is new we are told what the kernel has, but not
		 * what TLS has; what was seen there need not be told again. */
		if (e->stream.is_watched)
			note(e, watch_resume(watches, fd, watch_cb, r));
		else if (watch_start(watches, fd, WATCH_IN, watch_cb, r) == -1)
			return -1;
		else
			note(e, e->stream.is_unread ? WATCH_IN : 0);
	}
	relay_again(r);
	return 0;
}

void
relay_resume(struct relay *r, enum relay_dir dir, uint64_t opaque)
{
	struct flow *f = &r->flow[dir];

	if (f->state != FLOW_HELD)
		return;
	f->state = FLOW_OPEN;
	f->opaque = opaque;
	relay_again(r);
}

uint64_t
relay_bytes(const struct relay *r, enum relay_dir dir)
{
	return r->flow[dir].bytes;
}

bool
relay_is_empty(const struct relay *r, enum relay_dir dir)
{
	return flow_is_empty(&r->flow[dir]);
}

void
relay_free(struct relay *r)
{
	if (r == NULL)
		return;
	stop(r);
	flow_cut(r, &r->flow[RELAY_A_TO_B]);
	flow_cut(r, &r->flow[RELAY_B_TO_A]);
	brake_free(r->brake);
	free(r);
}
