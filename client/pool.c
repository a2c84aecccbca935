/* SPDX-License-Identifier: ISC
 *
 * Keeps proxy connections ready. Called by supply and worker. Owns the proxies.
 * A visitor who takes one has it replaced at once; one that fails or is refused
 * is replaced after a growing pause, never in a tight loop. Idle ones are never
 * closed from here while the session lives: each may be on its way to a
 * visitor. With too few descriptors those that were used are not replaced.
 */
#include "client/pool.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "client/backoff.h"
#include "client/client.h"
#include "client/counters.h"
#include "client/options.h"
#include "client/proxy.h"
#include "common/clock.h"
#include "common/drain.h"
#include "common/limit.h"
#include "common/ltp.h"

#define LASTED_MS      5000  /* an idle one that lived so long was all right */
#define RETIRE_MS      30000 /* how long retired idle ones wait for visitors */
#define MISSES_MAX     2     /* then there is no tunnel any more */
#define RETIRE_LOOK_MS 50    /* when to look what became of joined bare ones */
#define FD_PER_PROXY   2
#define FD_RESERVE     16 /* for everything else */
#define TELL_MS	       200
#define SETTLE_MS      10000 /* who is there after two of them has settled */

struct member {
	LIST_ENTRY(member) entry; /* in spare or joined */
	struct pool *pool;
	struct proxy *proxy;
	uint64_t started_ms;
	bool is_open; /* it was connected */
	bool is_joined;
	unsigned char looks; /* see settle_cb() */
};

LIST_HEAD(member_list, member);

struct pool {
	LIST_ENTRY(pool) entry; /* in the client */
	struct client *client;
	struct service *service;
	const struct pool_ops *ops;
	void *arg;
	struct proxy_to to; /* with the proxy request */
	char *hello;
	char *sni;
	struct member_list spare; /* connecting or idle */
	size_t spare_n;
	struct member_list joined;
	size_t joined_n;
	size_t target; /* of spare_n; bare: of both together */
	size_t owed;   /* visitors whose connections are to be replaced */
	bool is_proven;
	bool is_retired;
	bool is_starved; /* there was no room for as many as wanted */
	unsigned misses; /* the last ones that did not live, none being left */
	struct backoff backoff;
	struct event next;   /* replaces those */
	struct event timer;  /* refill; retired: close the spare ones */
	struct event tell;   /* the end of some, in one line */
	struct event settle; /* looks for those that have lived for long */
	char why[128];	     /* why they have ended */
	size_t ended_n;	     /* how many of them were not yet told */
};

static void
tell_ended(struct pool *pool)
{
	if (pool->ended_n > 0)
		display_detail(&pool->service->options->display,
		    "proxy connections ended: %zu, %s", pool->ended_n,
		    pool->why);
	pool->ended_n = 0;
}

static void
tell_cb(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tell_ended(arg);
}

/* Often many end at once, and for the same reason. */
static void
note_end(struct pool *pool, const char *why)
{
	struct timeval span = clock_span(TELL_MS);

	if (strncmp(pool->why, why, sizeof(pool->why) - 1) != 0)
		tell_ended(pool);
	snprintf(pool->why, sizeof(pool->why), "%s", why);
	if (pool->ended_n++ == 0)
		evtimer_add(&pool->tell, &span);
}

static void
pool_free(struct pool *pool)
{
	tell_ended(pool);
	event_del(&pool->next);
	evtimer_del(&pool->tell);
	evtimer_del(&pool->settle);
	LIST_REMOVE(pool, entry);
	evtimer_del(&pool->timer);
	free(pool->hello);
	free(pool->sni);
	free(pool);
}

static void
member_free(struct member *member)
{
	struct pool *pool = member->pool;

	LIST_REMOVE(member, entry);
	if (member->is_joined) {
		pool->client->own->joined--;
		pool->joined_n--;
	} else {
		pool->spare_n--;
	}
	pool->client->connections--;
	proxy_free(&member->proxy);
	free(member);
}

/* Goes through members; true if some of them have yet to settle. */
static bool
settle(struct member_list *list)
{
	struct member *member;
	bool is_more = false;

	LIST_FOREACH (member, list, entry) {
		if (member->looks < 2 && ++member->looks == 2)
			proxy_settle(member->proxy);
		is_more |= member->looks < 2;
	}
	return is_more;
}

static void
settle_later(struct pool *pool)
{
	struct timeval span = clock_span(SETTLE_MS);

	if (!evtimer_pending(&pool->settle, NULL))
		evtimer_add(&pool->settle, &span);
}

static void
settle_cb(int fd, short what, void *arg)
{
	struct pool *pool = arg;
	bool is_more = settle(&pool->spare);

	(void)fd;
	(void)what;
	if (settle(&pool->joined) || is_more)
		settle_later(pool);
}

/* Refill after `ms`, or when that was to happen anyhow. */
static void
hold(struct pool *pool, uint64_t ms)
{
	struct timeval span = clock_span(ms);

	if (!pool->is_retired && !evtimer_pending(&pool->timer, NULL))
		evtimer_add(&pool->timer, &span);
}

/* An idle one ended that had lived long: the server or the network tidied up.
 * One that did not live is a sign of trouble. */
static void
hold_after(struct pool *pool, uint64_t lived_ms)
{
	if (lived_ms < LASTED_MS) {
		hold(pool, backoff_next(&pool->backoff));
		return;
	}
	backoff_reset(&pool->backoff);
	hold(pool, backoff_between(50, 250));
}

/* How many are to be opened. */
static size_t
missing(const struct pool *pool)
{
	size_t have = pool->spare_n + (pool->to.is_bare ? pool->joined_n : 0);

	return have < pool->target ? pool->target - have : 0;
}

/* There is room again: whoever waits for it does not wait any longer. */
static void
feed_starved(struct client *client)
{
	struct pool *pool;

	LIST_FOREACH (pool, &client->pools, entry)
		if (pool->is_starved && !pool->is_retired)
			event_active(&pool->timer, EV_TIMEOUT, 0);
}

static bool open_one(struct pool *);

static void
starve(struct pool *pool)
{
	pool->is_starved = true;
	hold(pool, backoff_between(BACKOFF_MIN_MS, 2 * BACKOFF_MIN_MS));
}

/* True if no visitor can come any more, after the end of an idle connection.
 * Where nobody listens there is no tunnel. One connection that the server ends
 * at once may be one too many; so may those of a moment. */
static bool
is_unserved(struct pool *pool, const struct member *member, uint64_t lived_ms)
{
	if (pool->spare_n > 1)
		return false;
	if (!member->is_open && proxy_is_refused(member->proxy))
		return true;
	if (pool->joined_n > 0)
		return false;
	pool->misses = lived_ms < LASTED_MS ? pool->misses + 1 : 0;
	return !member->is_open || pool->misses >= MISSES_MAX;
}

static void
joined_ended(struct member *member)
{
	struct pool *pool = member->pool;
	struct client *client = pool->client;

	member_free(member);
	if (pool->is_retired && pool->spare_n + pool->joined_n == 0)
		pool_free(pool);
	else if (!pool->is_retired && pool->to.is_bare && missing(pool) > 0 &&
		 !open_one(pool))
		starve(pool);
	feed_starved(client);
}

static void
spare_ended(struct member *member, const char *why)
{
	struct pool *pool = member->pool;
	uint64_t lived_ms = clock_ms() - member->started_ms;
	bool unserved = is_unserved(pool, member, lived_ms);

	pool->is_proven |= member->is_open && lived_ms >= LASTED_MS;
	member_free(member);
	if (pool->is_retired && pool->spare_n + pool->joined_n == 0) {
		pool_free(pool);
		return;
	}
	if (pool->is_retired)
		return;
	if (missing(pool) > 0)
		hold_after(pool, lived_ms);
	/* The last thing here: it may free the pool. */
	if (unserved)
		pool->ops->unserved(pool->arg, why);
}

static void
ended_cb(void *arg, const char *why)
{
	struct member *member = arg;

	if (why != NULL)
		note_end(member->pool, why);
	if (member->is_joined)
		joined_ended(member);
	else
		spare_ended(member, why != NULL ? why : "it closed");
}

static void
opened_cb(void *arg)
{
	struct member *member = arg;

	member->is_open = true;
}

/* The local connection that each proxy connection may need has its room kept
 * from the start, and so have the pipes, two descriptors each: later nothing
 * could be done but let the visitor wait. */
static bool
has_room(struct client *client)
{
	size_t limit = limit_fds();

	if ((client->connections + 1) * FD_PER_PROXY + 2 * client->pipes +
		drain_count(client->drains) + FD_RESERVE <=
	    limit)
		return true;
	if (!client->said_full)
		display_error(&client->options->display,
		    "the limit of %zu open files is reached; some visitors "
		    "have to wait (see ulimit -n)",
		    limit);
	client->said_full = true;
	return false;
}

/* True if another pool waits for room and has fewer: it goes first, or one
 * session could leave the visitors of another none. */
static bool
is_richer(const struct pool *pool)
{
	const struct pool *other;

	LIST_FOREACH (other, &pool->client->pools, entry)
		if (other->is_starved && !other->is_retired &&
		    other->spare_n < pool->spare_n)
			return true;
	return false;
}

/* Replaces those that were taken. */
static void
next_cb(int fd, short what, void *arg)
{
	struct pool *pool = arg;

	(void)fd;
	(void)what;
	for (; pool->owed > 0; pool->owed--)
		if (!pool->is_retired && pool->spare_n < pool->target &&
		    !open_one(pool))
			starve(pool);
}

static void
joined_cb(void *arg)
{
	const struct timeval now = { 0 };
	struct member *member = arg;
	struct pool *pool = member->pool;

	LIST_REMOVE(member, entry);
	LIST_INSERT_HEAD(&pool->joined, member, entry);
	member->is_joined = true;
	/* There will be a local connection, too. */
	member->looks = 0;
	settle_later(pool);
	pool->client->own->joined++;
	pool->spare_n--;
	pool->joined_n++;
	pool->misses = 0;
	pool->is_proven = true;
	/* A bare one is replaced when its visitor has gone. */
	if (pool->is_retired || pool->to.is_bare)
		return;
	backoff_reset(&pool->backoff);
	/* The one that went is replaced at once, in a pause too; but he who is
	 * here goes before those who are to come. */
	pool->owed++;
	/* What is to be soon would be put off by libevent. */
	if (!evtimer_pending(&pool->next, NULL))
		evtimer_add(&pool->next, &now);
}

static bool
open_one(struct pool *pool)
{
	static const struct proxy_ops ops = { opened_cb, joined_cb, ended_cb };
	struct member *member;

	if (!has_room(pool->client) ||
	    (pool->client->said_full && is_richer(pool)))
		return false;
	member = calloc(1, sizeof(*member));
	if (member == NULL)
		return false;
	member->pool = pool;
	member->started_ms = clock_ms();
	member->proxy =
	    proxy_start(pool->client, pool->service, &pool->to, &ops, member);
	if (member->proxy == NULL) {
		free(member);
		return false;
	}
	LIST_INSERT_HEAD(&pool->spare, member, entry);
	settle_later(pool);
	pool->spare_n++;
	pool->client->connections++;
	return true;
}

static void
fill(struct pool *pool)
{
	pool->is_starved = false;
	while (missing(pool) > 0)
		if (!open_one(pool)) {
			starve(pool);
			return;
		}
}

static void
close_spare(struct pool *pool)
{
	struct member *member;

	while ((member = LIST_FIRST(&pool->spare)) != NULL)
		member_free(member);
}

/* The server keeps them for the next visitor, who is not to come. */
static void
close_between(struct pool *pool)
{
	struct member *member, *next;

	for (member = LIST_FIRST(&pool->joined); member != NULL;
	     member = next) {
		next = LIST_NEXT(member, entry);
		if (proxy_is_between(member->proxy))
			member_free(member);
	}
}

static void
hold_retired(struct pool *pool)
{
	struct timeval span =
	    clock_span(pool->to.is_bare ? RETIRE_LOOK_MS : RETIRE_MS);

	evtimer_add(&pool->timer, &span);
}

static void
timer_cb(int fd, short what, void *arg)
{
	struct pool *pool = arg;

	(void)fd;
	(void)what;
	if (!pool->is_retired) {
		fill(pool);
		return;
	}
	close_spare(pool);
	if (pool->to.is_bare)
		close_between(pool);
	if (pool->joined_n == 0)
		pool_free(pool);
	else if (pool->to.is_bare)
		hold_retired(pool);
}

static size_t
clamp(int64_t concurrency)
{
	if (concurrency < 1)
		return 1;
	return concurrency > POOL_MAX ? POOL_MAX : (size_t)concurrency;
}

struct pool *
pool_new(struct client *client, struct service *service,
    const struct pool_session *session, int64_t concurrency,
    const struct pool_ops *ops, void *arg)
{
	struct ltp_message hello = {
		.type = LTP_PROXY,
		.name = session->name,
		.client = session->client,
		.session = session->session,
		.secret = session->secret,
		.has_ext = session->session != NULL,
	};
	struct pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	if (session->sni != NULL)
		pool->sni = strdup(session->sni);
	if (!session->is_bare)
		pool->hello = ltp_format(&hello, &pool->to.hello_len);
	if ((pool->hello == NULL && !session->is_bare) ||
	    (session->sni != NULL && pool->sni == NULL)) {
		free(pool->hello);
		free(pool->sni);
		free(pool);
		return NULL;
	}
	pool->client = client;
	pool->service = service;
	pool->ops = ops;
	pool->arg = arg;
	pool->to.is_bare = session->is_bare;
	pool->to.is_ours = session->session != NULL;
	pool->to.addr = session->backend;
	pool->to.hello = pool->hello;
	pool->to.sni = pool->sni;
	pool->target = clamp(concurrency);
	LIST_INIT(&pool->spare);
	LIST_INIT(&pool->joined);
	evtimer_assign(&pool->timer, client->base, timer_cb, pool);
	evtimer_assign(&pool->next, client->base, next_cb, pool);
	evtimer_assign(&pool->tell, client->base, tell_cb, pool);
	evtimer_assign(&pool->settle, client->base, settle_cb, pool);
	LIST_INSERT_HEAD(&client->pools, pool, entry);
	fill(pool);
	return pool;
}

void
pool_resize(struct pool *pool, int64_t concurrency)
{
	size_t target = clamp(concurrency);

	if (target != pool->target)
		display_detail(&pool->service->options->display,
		    "proxy connections to keep ready: %zu instead of %zu",
		    target, pool->target);
	pool->target = target;
	if (!evtimer_pending(&pool->timer, NULL))
		fill(pool);
}

bool
pool_is_proven(const struct pool *pool)
{
	return pool->is_proven;
}

void
pool_retire(struct pool **poolp)
{
	struct pool *pool = *poolp;

	*poolp = NULL;
	if (pool == NULL)
		return;
	pool->is_retired = true;
	/* A bare pool is all that keeps the tunnel. */
	if (pool->to.is_bare) {
		close_spare(pool);
		close_between(pool);
	}
	if (pool->spare_n + pool->joined_n == 0)
		pool_free(pool);
	else
		hold_retired(pool);
}

void
pool_publish(const struct client *client)
{
	uint64_t in = client->bytes_in, out = client->bytes_out;
	const struct pool *pool;
	const struct member *member;

	LIST_FOREACH (pool, &client->pools, entry)
		LIST_FOREACH (member, &pool->joined, entry)
			proxy_add_bytes(member->proxy, &in, &out);
	client->own->bytes_in = in;
	client->own->bytes_out = out;
}

void
pool_free_all(struct client *client)
{
	struct pool *pool;
	struct member *member;

	while ((pool = LIST_FIRST(&client->pools)) != NULL) {
		close_spare(pool);
		while ((member = LIST_FIRST(&pool->joined)) != NULL)
			member_free(member);
		pool_free(pool);
	}
}
