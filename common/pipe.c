/* SPDX-License-Identifier: ISC
 *
 * A capped pool of pipes. The relays of a process take pipes from it and put
 * them back; it owns those that rest, the taker owns those that are taken.
 * A pipe that holds bytes never comes to rest here.
 */
#define _GNU_SOURCE

#include "common/pipe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct pipe_pool {
	size_t max;  /* taken and resting together */
	size_t size; /* asked for */
	size_t taken;
	size_t resting;
	struct pipe rest[]; /* a stack: the warm one is taken first */
};

struct pipe_pool *
pipe_pool_new(size_t max, size_t size)
{
	struct pipe_pool *pool;

	pool = calloc(1, sizeof(*pool) + max * sizeof(pool->rest[0]));
	if (pool == NULL)
		return NULL;
	pool->max = max;
	pool->size = size;
	return pool;
}

static void
destroy(struct pipe *p)
{
	close(p->rd);
	close(p->wr);
}

void
pipe_pool_free(struct pipe_pool *pool)
{
	if (pool == NULL)
		return;
	while (pool->resting > 0)
		destroy(&pool->rest[--pool->resting]);
	free(pool);
}

void
pipe_pool_limit(struct pipe_pool *pool, size_t max)
{
	pool->max = max;
	while (pool->resting > 0 && pool->taken + pool->resting > max)
		destroy(&pool->rest[--pool->resting]);
}

/* A new pipe; one that the kernel makes smaller than was asked for will do. */
static bool
make(struct pipe *p, size_t size)
{
	int fds[2], got;

	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) == -1)
		return false;
	*p = (struct pipe){ .rd = fds[0], .wr = fds[1] };
	got = fcntl(p->wr, F_SETPIPE_SZ, (int)size);
	if (got == -1)
		got = fcntl(p->wr, F_GETPIPE_SZ);
	if (got <= 0) {
		destroy(p);
		return false;
	}
	p->size = (size_t)got;
	return true;
}

bool
pipe_take(struct pipe_pool *pool, struct pipe *p)
{
	struct pipe fresh;

	if (pool->resting > 0)
		fresh = pool->rest[--pool->resting];
	else if (pool->taken >= pool->max || !make(&fresh, pool->size))
		return false;
	pool->taken++;
	*p = fresh;
	return true;
}

void
pipe_put(struct pipe_pool *pool, struct pipe *p)
{
	if (p->rd == -1)
		return;
	pool->taken--;
	if (p->len != 0 || pool->taken + pool->resting >= pool->max)
		destroy(p);
	else
		pool->rest[pool->resting++] = *p;
	*p = (struct pipe)PIPE_NONE;
}

size_t
pipe_taken(const struct pipe_pool *pool)
{
	return pool->taken;
}
