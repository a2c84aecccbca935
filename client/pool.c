/* SPDX-License-Identifier: ISC
 *
 * Keeps proxy connections ready. Called by tunnel. Owns the proxies. A visitor
 * who takes one has it replaced at once; one that fails or is refused is
 * replaced after a growing pause, never in a tight loop.
 */
#include "client/pool.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/resource.h>

#include "client/backoff.h"
#include "client/client.h"
#include "client/options.h"
#include "client/proxy.h"
#include "common/clock.h"
#include "common/ltp.h"

#define LASTED_MS    5000  /* an idle one that lived so long was all right */
#define RETIRE_MS    30000 /* how long retired idle ones wait for visitors */
#define FD_PER_PROXY 2
#define FD_RESERVE   16 /* for everything that is no proxy connection */

struct member {
	LIST_ENTRY(member) entry; /* in spare or joined */
	struct pool *pool;
	struct proxy *proxy;
	uint64_t started_ms;
	bool is_joined;
};

LIST_HEAD(member_list, member);

struct pool {
	LIST_ENTRY(pool) entry; /* in the client */
	struct client *client;
	struct net_addr backend;
	char *hello; /* the proxy request */
	size_t hello_len;
	struct member_list spare; /* connecting or idle */
	size_t spare_n;
	struct member_list joined;
	size_t target; /* of spare_n */
	bool is_retired;
	struct backoff backoff;
	struct event timer; /* refill; retired: close the spare ones */
};

static void
pool_free(struct pool *pool)
{
	LIST_REMOVE(pool, entry);
	evtimer_del(&pool->timer);
	free(pool->hello);
	free(pool);
}

static void
member_free(struct member *member)
{
	struct pool *pool = member->pool;

	LIST_REMOVE(member, entry);
	if (!member->is_joined)
		pool->spare_n--;
	pool->client->connections--;
	proxy_free(&member->proxy);
	free(member);
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

static void
ended_cb(void *arg, const char *why)
{
	struct member *member = arg;
	struct pool *pool = member->pool;
	uint64_t lived_ms = clock_ms() - member->started_ms;
	bool was_joined = member->is_joined;

	if (why != NULL)
		display_detail(&pool->client->options->display,
		    "proxy connection: %s", why);
	member_free(member);
	if (!pool->is_retired && !was_joined && pool->spare_n < pool->target)
		hold_after(pool, lived_ms);
	else if (pool->is_retired && LIST_EMPTY(&pool->spare) &&
		 LIST_EMPTY(&pool->joined))
		pool_free(pool);
}

static bool
make_room_cb(void *arg)
{
	struct member *member = arg;
	struct member *victim = LIST_FIRST(&member->pool->spare);

	if (victim == NULL)
		return false;
	member_free(victim);
	hold(member->pool, backoff_next(&member->pool->backoff));
	return true;
}

/* Each proxy connection may need a local one as well. */
static bool
has_room(struct client *client)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 ||
	    (client->connections + 1) * FD_PER_PROXY + FD_RESERVE <=
		limit.rlim_cur)
		return true;
	if (!client->said_full)
		display_error(&client->options->display,
		    "the limit of %ju open files is reached; some visitors "
		    "have to wait (see ulimit -n)",
		    (uintmax_t)limit.rlim_cur);
	client->said_full = true;
	return false;
}

static bool open_one(struct pool *);

static void
joined_cb(void *arg)
{
	struct member *member = arg;
	struct pool *pool = member->pool;

	LIST_REMOVE(member, entry);
	LIST_INSERT_HEAD(&pool->joined, member, entry);
	member->is_joined = true;
	pool->spare_n--;
	if (pool->is_retired)
		return;
	backoff_reset(&pool->backoff);
	/* The one that went is replaced at once, in a pause too. */
	if (pool->spare_n < pool->target && !open_one(pool))
		hold(pool, backoff_next(&pool->backoff));
}

static bool
open_one(struct pool *pool)
{
	static const struct proxy_ops ops = { joined_cb, make_room_cb,
		ended_cb };
	struct member *member;

	if (!has_room(pool->client))
		return false;
	member = calloc(1, sizeof(*member));
	if (member == NULL)
		return false;
	member->pool = pool;
	member->started_ms = clock_ms();
	member->proxy = proxy_start(pool->client, &pool->backend, pool->hello,
	    pool->hello_len, &ops, member);
	if (member->proxy == NULL) {
		free(member);
		return false;
	}
	LIST_INSERT_HEAD(&pool->spare, member, entry);
	pool->spare_n++;
	pool->client->connections++;
	return true;
}

static void
fill(struct pool *pool)
{
	while (pool->spare_n < pool->target)
		if (!open_one(pool)) {
			hold(pool, backoff_next(&pool->backoff));
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
	if (LIST_EMPTY(&pool->joined))
		pool_free(pool);
}

static size_t
clamp(int64_t concurrency)
{
	if (concurrency < 1)
		return 1;
	return concurrency > POOL_MAX ? POOL_MAX : (size_t)concurrency;
}

struct pool *
pool_new(struct client *client, const struct pool_session *session,
    int64_t concurrency)
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
	pool->hello = ltp_format(&hello, &pool->hello_len);
	if (pool->hello == NULL) {
		free(pool);
		return NULL;
	}
	pool->client = client;
	pool->backend = session->backend;
	pool->target = clamp(concurrency);
	LIST_INIT(&pool->spare);
	LIST_INIT(&pool->joined);
	evtimer_assign(&pool->timer, client->base, timer_cb, pool);
	LIST_INSERT_HEAD(&client->pools, pool, entry);
	fill(pool);
	return pool;
}

void
pool_resize(struct pool *pool, int64_t concurrency)
{
	pool->target = clamp(concurrency);
	if (!evtimer_pending(&pool->timer, NULL))
		fill(pool);
}

void
pool_retire(struct pool **poolp)
{
	struct pool *pool = *poolp;
	struct timeval span = clock_span(RETIRE_MS);

	*poolp = NULL;
	if (pool == NULL)
		return;
	pool->is_retired = true;
	if (LIST_EMPTY(&pool->spare) && LIST_EMPTY(&pool->joined))
		pool_free(pool);
	else
		evtimer_add(&pool->timer, &span);
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
