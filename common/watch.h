/* SPDX-License-Identifier: ISC
 *
 * Descriptors that are waited on all their life, edge-triggered, for whatever
 * may happen to them: an epoll set of our own, of which the event loop sees
 * one descriptor. Those who relay use it instead of an event for each
 * connection, for three reasons. It tells a reset and the end of a stream from
 * bytes, so that nobody has to read until EAGAIN to learn of them. A
 * connection that goes from one owner to the next, or is closed, needs no
 * system calls to take it out and put it in again. And it costs 24 bytes a
 * descriptor.
 */
#ifndef LT_COMMON_WATCH_H
#define LT_COMMON_WATCH_H

struct event_base;
struct watch_set;

/* What happened, as a set. */
#define WATCH_IN  1u /* there may be bytes to read */
#define WATCH_OUT 2u /* there may be room to write */
#define WATCH_HUP                                                              \
	4u /* the peer sends no more, or there was an error or a               \
	      reset: reading tells which, once all is read */

typedef void (*watch_fn)(int fd, unsigned what, void *arg);

/* NULL without memory or descriptors. Free it after all who use it. */
struct watch_set *watch_set_new(struct event_base *);
void watch_set_free(struct watch_set *);

/* From now on fn is called for `fd`, in a later turn of the loop: first of all
 * with what holds now, if that is anything, then each time that something
 * changes. `what` is WATCH_IN, or with WATCH_OUT: a connection has room nearly
 * always, and who hears of that needlessly has a turn for nothing. An end is
 * told in any case. One that is watched for somebody else is taken over. -1: no
 * memory. */
int watch_start(struct watch_set *, int fd, unsigned what, watch_fn, void *arg);

/* There was no room: from now on it is told of that too, and at once if there
 * is room again. Does nothing if it was told before. -1: no memory. */
int watch_room(struct watch_set *, int fd);

/* No more calls until watch_resume(), or watch_start(). `left` is what was told
 * and not dealt with: whoever resumes is told again. */
void watch_pause(struct watch_set *, int fd, unsigned left);

/* Goes on where it was paused, for fn now, without a system call. Returns what
 * was left, what happened since, and WATCH_OUT: of that there will be no call.
 */
unsigned watch_resume(struct watch_set *, int fd, watch_fn, void *arg);

/* No more calls. Makes no system call: for a descriptor that is about to be
 * closed here and is open nowhere else, or will cause some needless turns. */
void watch_stop(struct watch_set *, int fd);

/* The same for one that goes on to another process: it is taken out of the
 * set, which nobody could do any more once it is closed here. */
void watch_remove(struct watch_set *, int fd);

#endif
