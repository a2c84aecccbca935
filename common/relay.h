/* SPDX-License-Identifier: ISC
 *
 * Moves the bytes of two joined connections, both ways, until both have
 * ended. Server and client use the same code.
 *
 * Small payloads go through read(2) and write(2) over one buffer that all
 * relays of a process share; a direction whose read fills RELAY_READ bytes
 * changes to splice(2) through a pipe of the pool, and gives the pipe back
 * when it goes quiet. Where one side has TLS there is no splicing. End of file
 * is per direction: what was read is delivered, then writing to the other side
 * is shut down, and the opposite direction goes on. A reset is passed on once
 * what was read before it has been delivered. A side that reads slowly stops
 * the reading of the other one: what waits in user space is at most RELAY_READ
 * bytes (twice that on the way into TLS) plus what an inspector adds, and in
 * the kernel one pipe, per direction.
 *
 *          inspect()                      one direction, A to B
 *   A --> read ----> shared buffer ----> write --> B
 *     \-> splice ------> pipe --------> splice -/
 *
 * Each descriptor is watched from beginning to end (watch.h), so a relay in its
 * steady state calls nothing but read, write and splice.
 *
 * A direction may have an inspector: it sees the bytes before they go on,
 * says what goes on in their place, and how many bytes after that pass
 * unseen. That is how request heads are checked and rewritten while bodies
 * are spliced.
 *
 * User memory: about 300 bytes a quiet relay.
 */
#ifndef LT_COMMON_RELAY_H
#define LT_COMMON_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct brake;
struct evbuffer;
struct event_base;
struct relay;
struct relay_env;
struct stream;
struct watch_set;

#define RELAY_READ 16384      /* bytes asked for by one read */
#define RELAY_ALL  UINT64_MAX /* opaque to the end */

enum relay_dir { RELAY_A_TO_B, RELAY_B_TO_A };

/* How a relay ended. */
enum relay_end {
	RELAY_END_EOF,	     /* both sides have ended, all was delivered;
				the last end is for the caller to tell, by
				closing both */
	RELAY_END_RESET_A,   /* A was reset or failed; closing B resets it */
	RELAY_END_RESET_B,   /* B was reset or failed; closing A resets it */
	RELAY_END_INSPECTOR, /* an inspector said RELAY_END_NOW */
	RELAY_END_NO_MEMORY,
};

/* What an inspector wants to happen with its direction. */
enum relay_next {
	RELAY_GO,      /* go on: `opaque` bytes unseen, then ask again */
	RELAY_MORE,    /* nothing can be said of what is left without more:
			  ask again when more was read. After the last call
			  what is left is delivered as it is, except after a
			  reset: then it is dropped */
	RELAY_HOLD,    /* read no more until relay_resume(), which says how
			  many are opaque then */
	RELAY_SHUT,    /* read no more, ever: deliver what is due (out, and
			  what of the rest is opaque), then shut down writing
			  to the other side */
	RELAY_END_NOW, /* end the relay at once */
};

/* One call of an inspector: what it is given, and what it answers. */
struct relay_view {
	enum relay_dir dir;
	const char *in; /* read and not yet used; contiguous */
	size_t len;
	bool is_eof;	      /* the source has ended: this is the last call,
				 made also if nothing is left (len 0) */
	bool is_cut;	      /* it has, but for all that TLS can tell somebody
				 else has ended it */
	size_t used;	      /* answer: how many of them are dealt with; the
				 rest is shown again, or passes as opaque */
	struct evbuffer *out; /* answer: what goes on instead of them */
	uint64_t opaque;      /* answer: how many then pass unseen */
	enum relay_next next; /* answer; RELAY_GO to begin with */
	bool is_whole;	      /* answer to is_cut: nothing is missing, so it
				 is no reset after all */
};

struct relay_ops {
	/* Called only for directions under inspection, and once more at their
	 * end of file (is_eof), unless opaque was RELAY_ALL by then. It must
	 * use at least one byte, or set opaque, or answer other than RELAY_GO;
	 * it must not leave RELAY_READ bytes or more with RELAY_MORE. At the
	 * end of file it may do nothing: what it leaves is delivered as it
	 * is, unless it is cut short: that is a reset for the other side. It
	 * may call relay_inspect, relay_resume and the queries, nothing
	 * else. */
	void (*inspect)(void *arg, struct relay_view *);

	/* The last thing a relay does: free it here. The descriptors are the
	 * caller's again, unregistered and open. */
	void (*done)(void *arg, enum relay_end);
};

/* What all relays of a process share: the event base, one buffer, the pipes.
 * The first two are borrowed. NULL if there is no memory. Free it after the
 * last relay. */
struct relay_env *relay_env_new(
    struct event_base *, struct watch_set *, size_t pipe_max, size_t pipe_size);
void relay_env_free(struct relay_env *);

/* From here on at most `pipe_max` pipes, no more than it was made with. */
void relay_env_limit(struct relay_env *, size_t pipe_max);

/* How many pipes are in use now; 0 when all relays are quiet. */
size_t relay_env_pipes(const struct relay_env *);

/*
 * A relay between two streams with non-blocking sockets, which it only
 * borrows (the structs are copied). Both directions are opaque to the end
 * unless said otherwise; nothing moves before relay_start(). NULL if there is
 * no memory.
 */
struct relay *relay_new(struct relay_env *, const struct stream *a,
    const struct stream *b, const struct relay_ops *, void *arg);

/* Puts a direction under inspection from the next byte read on. */
void relay_inspect(struct relay *, enum relay_dir);

/* From here on the end of B is the end of A's direction too, once all that B
 * has said is delivered: no more is read from A, and writing to B is shut down.
 * For a B that is not done with as long as A might say something. */
void relay_end_with_b(struct relay *);

/* Bytes that were read from the source already: they come first, as if they
 * were read now. Before the start, once. -1 without memory. */
int relay_preload(struct relay *, enum relay_dir, const char *buf, size_t len);

/* Limits what it moves, both ways together, by a brake (NULL: none) that others
 * may share. Before relay_start(). */
void relay_brake(struct relay *, struct brake *);

/* Starts; moves what can be moved in the next turn of the loop, so done() is
 * never called from here. -1 if the events cannot be added. */
int relay_start(struct relay *);

/* Lets a held direction go on: `opaque` bytes unseen (RELAY_ALL: to the
 * end), then under inspection again. */
void relay_resume(struct relay *, enum relay_dir, uint64_t opaque);

/* Bytes delivered to the destination so far. */
uint64_t relay_bytes(const struct relay *, enum relay_dir);

/* True if nothing that was read in this direction waits for delivery. */
bool relay_is_empty(const struct relay *, enum relay_dir);

/* Frees it wherever it stands, without calling done(); NULL is fine. The
 * descriptors stay open. */
void relay_free(struct relay *);

#endif
