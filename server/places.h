/* SPDX-License-Identifier: ISC
 *
 * The workers as processes: one place for each that there can be. It forks
 * them, has the master's end of their channels, notices their death and fills
 * the place again, at once or, where they keep dying at their start, after
 * growing pauses. What a worker says and what its death means is the master's
 * affair.
 */
#ifndef LT_SERVER_PLACES_H
#define LT_SERVER_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct channel_msg;
struct event_base;
struct handoff;
struct places;

/* The exit code of a worker that cannot start with this setup. */
#define PLACES_CANNOT_START 2

struct places_ops {
	/* In the child, with its end of the channel: never returns. */
	void (*run)(void *arg, uint32_t slot, int channel_fd);

	/* A worker was forked: what is sent now it gets first. */
	void (*forked)(void *arg, uint32_t slot);

	/* What it says, READY too. fd is -1 or the callee's. */
	void (*message)(
	    void *arg, uint32_t slot, const struct channel_msg *, int fd);

	/* What changes as long as it lives; see pulse.h. */
	uint64_t (*pulse)(void *arg, uint32_t slot);

	/* It is not wanted any more, while others serve on; it is never picked
	 * from here on. */
	void (*leave)(void *arg, uint32_t slot);

	/* It is dead, and its place not filled yet. `has_left`: it was told to
	 * leave, so nobody will take this place for it. */
	void (*gone)(void *arg, uint32_t slot, bool has_left);

	/* The first ones cannot start: there is no sense in going on. */
	void (*cannot_start)(void *arg);

	/* None is left, and none will come: it was stopped. */
	void (*all_gone)(void *arg);
};

/* What is known of a place. */
struct places_worker {
	const char *state; /* static text; NULL: the place is not in use */
	pid_t pid;	   /* 0: none */
	uint64_t ready_ms; /* since when it is ready; 0: it is not */
};

/* Empty ones. Fatal without memory. */
struct places *places_new(size_t n);

/* Once, when there is an event loop. */
void places_start(
    struct places *, struct event_base *, const struct places_ops *, void *arg);

/*
 * For a program that takes the place of this one: who is alive, and how to
 * speak to them; false while something waits to be said to somebody. And those
 * from it, after places_start(): they are of an older generation, which is told
 * to leave as soon as all who are wanted are ready.
 */
bool places_save(const struct places *, struct handoff *);
void places_adopt(struct places *, struct handoff *);

/* How many generations are alive, and how many places are free. */
size_t places_generations(const struct places *);
size_t places_free_n(const struct places *);

/* From here on there are to be `n`: places are filled, or workers told to
 * leave. */
void places_want(struct places *, size_t n);

/* Sends, if there is somebody; `fd` (-1: none) stays the caller's. */
void places_send(
    struct places *, uint32_t slot, const struct channel_msg *, int fd);
void places_send_all(struct places *, const struct channel_msg *, int fd);

/* Kills one that has sent nonsense; it is replaced. */
void places_kill(struct places *, uint32_t slot);

/* The next one in turn that is ready; else UINT32_MAX. */
uint32_t places_pick(struct places *);

/* SIGCHLD has come. */
void places_reap(struct places *);

/* Called once a second: ends those whose pulse has not changed in so many calls
 * (0: nobody). Calls count, and not the clock: a machine that was asleep wakes
 * up with all of them late. */
void places_watch(struct places *, unsigned calls);

/* None is replaced any more; with `cut` all are killed. */
void places_stop(struct places *, bool cut);

/* How many there can be. */
size_t places_size(const struct places *);

/* False if there is no such place. */
bool places_look(const struct places *, size_t slot, struct places_worker *);

/* Frees all, in a child or at the end; kills nobody. */
void places_free(struct places *);

#endif
