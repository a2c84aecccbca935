/* SPDX-License-Identifier: ISC
 *
 * The inside of a relay, shared by relay.c (two connections, their events,
 * how it ends) and flow.c (one direction); nobody else includes it.
 */
#ifndef LT_COMMON_FLOW_H
#define LT_COMMON_FLOW_H

#include <sys/queue.h>

#include "common/brake.h"
#include "common/pipe.h"
#include "common/relay.h"
#include "common/stream.h"

enum flow_state { FLOW_OPEN, FLOW_HELD, FLOW_ENDING, FLOW_OVER };

/* One connection. */
struct end {
	struct stream stream;
	bool is_readable; /* until a read leaves nothing */
	bool is_writable;
	bool
	    has_hung_up; /* an end, error or reset is behind what can be read */
	bool has_failed; /* reset, or an error: nothing more goes to it */
};

/* One direction; at most one of out and pipe holds something. */
struct flow {
	struct end *src;
	struct end *dst;
	uint64_t opaque;      /* how many pass unseen; 0: ask the inspector */
	uint64_t bytes;	      /* delivered */
	struct evbuffer *out; /* due for dst; NULL most of the time */
	char *rest;	      /* read, not yet dealt with by the inspector */
	size_t rest_len;
	struct pipe pipe; /* taken only while bytes flow */
	enum relay_dir dir;
	enum flow_state state;
	bool is_bulk;	 /* the last read, or splice, gave much */
	bool is_tail;	 /* behind what was read is the end */
	bool is_corked;	 /* what was written waits for that */
	bool wants_more; /* of what rest is the beginning */
	bool has_ended;	 /* the source has said all it will */
};

struct relay {
	struct relay_env *env;
	const struct relay_ops *ops;
	void *arg;
	struct event *linger; /* made when a reset waits to be passed on */
	int looks;	      /* at the send queue */
	bool is_over;	      /* at once, with reason `how` */
	bool is_started;
	bool is_listed;
	bool is_braked;	     /* listed with its brake, not for a turn */
	struct brake *brake; /* a reference; NULL: no limit */
	bool ends_with_b;
	enum relay_end how;
	LIST_ENTRY(relay) link; /* those who want another turn */
	struct end end[2];	/* A, B */
	struct flow flow[2];	/* by enum relay_dir: [i] comes from end[i] */
};

LIST_HEAD(relay_list, relay);

struct relay_env {
	struct event_base *base;
	struct watch_set *watches;
	struct pipe_pool *pipes;
	struct relay_list again;
	struct event *turn;	/* runs that list */
	bool is_turning;	/* a relay has its turn now */
	size_t turn_bytes;	/* of a direction, before others come */
	struct evbuffer *spare; /* for the next flow that needs one */
	char buf[2 * RELAY_READ];
};

/* Moves what can be moved, up to a limit. */
void flow_pump(struct relay *, struct flow *);

/* That one takes nothing now: waits until it does. */
void relay_await_room(struct relay *, struct end *);

/* Keeps what was read and not yet dealt with; -1 without memory. */
int flow_keep(struct flow *, const char *buf, size_t len);

/* Throws away what cannot be delivered any more; the flow is over. */
void flow_cut(struct relay *, struct flow *);

/* The source is gone. What it said is still delivered, except what is held:
 * nobody will allow it to pass. */
void flow_source_gone(struct flow *);

/* True if nothing that was read waits for delivery. */
bool flow_is_empty(const struct flow *);

/* What a flow says to its relay: an end is gone; it wants another turn after
 * the other connections had theirs; all is over as soon as the stack is
 * unwound. */
void relay_fail(struct relay *, struct end *);
void relay_again(struct relay *);
void relay_end_now(struct relay *, enum relay_end);

#endif
