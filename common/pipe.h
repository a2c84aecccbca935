/* SPDX-License-Identifier: ISC
 *
 * A capped pool of pipes for splice(2). A direction of a relay takes one
 * while bytes are in flight and puts it back when it goes quiet. A pipe that
 * still holds bytes is destroyed, never put back: the next user would be
 * sent somebody else's bytes.
 *
 * The cap is on all pipes taken or resting. The kernel shrinks the pipes of
 * an unprivileged user to 8 KiB once they hold 64 MiB over all processes, so
 * callers keep the sum over their processes under 48 MiB (pipe(7)).
 */
#ifndef LT_COMMON_PIPE_H
#define LT_COMMON_PIPE_H

#include <stdbool.h>
#include <stddef.h>

struct pipe_pool;

struct pipe {
	int rd; /* -1 if there is no pipe */
	int wr;
	size_t len;  /* bytes in it, kept by the user */
	size_t size; /* how many it can hold */
};

#define PIPE_NONE                                                              \
	{                                                                      \
		.rd = -1, .wr = -1                                             \
	}

/* A pool of at most `max` pipes, of `size` bytes each where the kernel
 * grants it. NULL if there is no memory. */
struct pipe_pool *pipe_pool_new(size_t max, size_t size);

/* From here on there are at most `max`, which is no more than it was made for;
 * those that are taken stay so. */
void pipe_pool_limit(struct pipe_pool *, size_t max);
void pipe_pool_free(struct pipe_pool *);

/* Fills in an empty pipe; false if the cap is reached or the kernel gives
 * none: then use read and write. */
bool pipe_take(struct pipe_pool *, struct pipe *);

/* Gives a pipe back and sets it to PIPE_NONE; does nothing if it is that
 * already. Destroys it if len is not 0. */
void pipe_put(struct pipe_pool *, struct pipe *);

/* How many are taken now. */
size_t pipe_taken(const struct pipe_pool *);

#endif
