/* SPDX-License-Identifier: ISC
 *
 * One direction of a relay: takes bytes from its source, shows them to the
 * inspector, delivers them to its destination. Only relay.c calls it. A flow
 * owns what is on its way in it; it must never hold more than one piece, and
 * never splice while user space holds bytes.
 *
 *   FLOW_OPEN <--> FLOW_HELD     what a flow is in
 *       |              |
 *   FLOW_ENDING  <-----+         no more is read, some is still due
 *       |
 *   FLOW_OVER                    delivered, the destination is shut; or the
 *                                destination is gone
 *
 * A read that is not filled has taken all there was, and what comes later is
 * told, so nothing is read only to hear EAGAIN. Where the watch has told of an
 * end or a reset, or there is TLS, reading goes on until that comes.
 */
#define _GNU_SOURCE

#include "common/flow.h"

#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "common/tls.h"

/* What TLS takes at once; it must be shown the same again after EAGAIN. */
#define TLS_PIECE 16384

/* --- what is due for a destination --------------------------------------- */

static size_t
due(const struct flow *f)
{
	return f->out != NULL ? evbuffer_get_length(f->out) : 0;
}

/* The buffer of a flow, made if there is none. */
static struct evbuffer *
out_of(struct relay *r, struct flow *f)
{
	if (f->out != NULL)
		return f->out;
	if (r->env->spare != NULL) {
		f->out = r->env->spare;
		r->env->spare = NULL;
	} else if ((f->out = evbuffer_new()) == NULL) {
		relay_end_now(r, RELAY_END_NO_MEMORY);
	}
	return f->out;
}

/* Quiet flows have no buffer. An emptied one is kept for whoever is next. */
static void
release_out(struct relay *r, struct flow *f)
{
	if (f->out == NULL)
		return;
	if (due(f) == 0 && r->env->spare == NULL)
		r->env->spare = f->out;
	else
		evbuffer_free(f->out);
	f->out = NULL;
}

static void
drop_rest(struct flow *f)
{
	free(f->rest);
	f->rest = NULL;
	f->rest_len = 0;
	f->wants_more = false;
}

/* Throws away what cannot be delivered any more. */
void
flow_cut(struct relay *r, struct flow *f)
{
	release_out(r, f);
	pipe_put(r->env->pipes, &f->pipe);
	drop_rest(f);
	f->state = FLOW_OVER;
}

static bool
has_tls(const struct end *e)
{
	return e->stream.tls != NULL;
}

/* Writes some of what is due; see write(2). */
static ssize_t
write_due(struct flow *f)
{
	size_t len = due(f);
	const void *at;
	ssize_t n;

	/* Mostly it is one piece, and send(2) costs less than writev(2). */
	if (!has_tls(f->dst) && evbuffer_get_contiguous_space(f->out) < len)
		return evbuffer_write(f->out, f->dst->stream.fd);
	if (has_tls(f->dst) && len > TLS_PIECE)
		len = TLS_PIECE;
	if ((at = evbuffer_pullup(f->out, (ssize_t)len)) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	n = stream_write(&f->dst->stream, at, len);
	if (n > 0)
		evbuffer_drain(f->out, (size_t)n);
	return n;
}

/* Books what a write to the destination gave: a count, or -1 and errno. */
static void
wrote(struct relay *r, struct flow *f, ssize_t n)
{
	if (n > 0)
		f->bytes += (uint64_t)n;
	else if (n == -1 && errno == EAGAIN)
		relay_await_room(r, f->dst);
	else
		relay_fail(r, f->dst);
}

/* Delivers what is due; true if nothing is left. */
static bool
deliver(struct relay *r, struct flow *f)
{
	ssize_t n;

	while (due(f) > 0) {
		if (!f->dst->is_writable)
			return false;
		wrote(r, f, write_due(f));
	}
	release_out(r, f);
	while (f->pipe.len > 0) {
		if (!f->dst->is_writable)
			return false;
		n = splice(f->pipe.rd, NULL, f->dst->stream.fd, NULL,
		    f->pipe.len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n > 0)
			f->pipe.len -= (size_t)n;
		wrote(r, f, n);
	}
	return true;
}

/* Writes some of what was read; see write(2). The end of the stream goes in the
 * same segment, if nothing keeps it from being read next and passed on. */
static ssize_t
write_some(struct flow *f, const char *buf, size_t len)
{
	if (f->is_tail && f->opaque == RELAY_ALL && !has_tls(f->dst)) {
		f->is_corked = true;
		return stream_write_more(&f->dst->stream, buf, len);
	}
	return stream_write(&f->dst->stream, buf,
	    has_tls(f->dst) && len > TLS_PIECE ? TLS_PIECE : len);
}

/* It was another end than that of the stream. */
static void
uncork(struct flow *f)
{
	if (f->is_corked)
		stream_push(&f->dst->stream);
	f->is_corked = false;
}

/* Lets bytes pass: at once if nothing is before them, else behind it. */
static void
pass(struct relay *r, struct flow *f, const char *buf, size_t len)
{
	ssize_t n;

	if (due(f) == 0) {
		while (len > 0 && f->dst->is_writable) {
			n = write_some(f, buf, len);
			wrote(r, f, n);
			if (f->state == FLOW_OVER)
				return;
			if (n > 0) {
				buf += n;
				len -= (size_t)n;
			}
		}
	}
	if (len > 0 &&
	    (out_of(r, f) == NULL || evbuffer_add(f->out, buf, len) == -1))
		relay_end_now(r, RELAY_END_NO_MEMORY);
}

/* --- what comes from a source -------------------------------------------- */

/* A piece of what was read. */
struct span {
	const char *buf;
	size_t len;
};

static void
skip(struct span *in, size_t n)
{
	in->buf += n;
	in->len -= n;
}

static void
pass_opaque(struct relay *r, struct flow *f, struct span *in)
{
	size_t n = f->opaque < in->len ? (size_t)f->opaque : in->len;

	if (n == 0)
		return;
	if (f->opaque != RELAY_ALL)
		f->opaque -= n;
	pass(r, f, in->buf, n);
	skip(in, n);
}

/* What an inspector is asked about: bytes, the end of file, an end that TLS has
 * not confirmed. */
enum flow_ask { FLOW_ASK_BYTES, FLOW_ASK_EOF, FLOW_ASK_CUT };

/* Asks the inspector about what was read, and does as it says; true if it says
 * that nothing is missing. */
static bool
ask(struct relay *r, struct flow *f, struct span *in, enum flow_ask when)
{
	bool is_eof = when != FLOW_ASK_BYTES;
	struct relay_view v = {
		.dir = f->dir,
		.in = in->buf,
		.len = in->len,
		.is_eof = is_eof,
		.is_cut = when == FLOW_ASK_CUT,
		.out = out_of(r, f),
	};

	if (v.out == NULL)
		return false;
	r->ops->inspect(r->arg, &v);
	assert(v.used <= v.len);
	assert(is_eof || v.next != RELAY_GO || v.used > 0 || v.opaque > 0);
	skip(in, v.used);
	f->opaque = v.next == RELAY_MORE || v.next == RELAY_HOLD ? 0 : v.opaque;
	if (v.next == RELAY_MORE) {
		assert(is_eof || in->len < RELAY_READ);
		f->wants_more = true;
	} else if (v.next == RELAY_HOLD && !is_eof) {
		f->state = FLOW_HELD;
	} else if (v.next == RELAY_SHUT) {
		f->state = FLOW_ENDING;
		pass_opaque(r, f, in);
		in->len = 0;
	} else if (v.next == RELAY_END_NOW) {
		relay_end_now(r, RELAY_END_INSPECTOR);
	}
	return v.is_whole;
}

int
flow_keep(struct flow *f, const char *buf, size_t len)
{
	if ((f->rest = malloc(len)) == NULL)
		return -1;
	memcpy(f->rest, buf, len);
	f->rest_len = len;
	return 0;
}

/* Sends on what was read, as far as that is allowed; keeps the rest. */
static void
process(struct relay *r, struct flow *f, struct span in)
{
	while (in.len > 0 && f->state == FLOW_OPEN && !f->wants_more &&
	       !r->is_over) {
		if (f->opaque > 0)
			pass_opaque(r, f, &in);
		else
			ask(r, f, &in, FLOW_ASK_BYTES);
	}
	if (in.len == 0 || f->state == FLOW_OVER || r->is_over)
		return;
	if (flow_keep(f, in.buf, in.len) == -1)
		relay_end_now(r, RELAY_END_NO_MEMORY);
}

/* Deals with what was left over, without reading. */
static void
process_rest(struct relay *r, struct flow *f)
{
	char *rest = f->rest;
	struct span in = { rest, f->rest_len };

	f->rest = NULL;
	f->rest_len = 0;
	process(r, f, in);
	free(rest);
}

/* The source has said all it will: what is left over passes as it is. */
static void
source_ended(struct relay *r, struct flow *f, bool may_ask)
{
	struct span in = { f->rest != NULL ? f->rest : "", f->rest_len };

	if (may_ask && f->opaque != RELAY_ALL)
		ask(r, f, &in, FLOW_ASK_EOF);
	if (in.len > 0 && f->state == FLOW_OPEN && !r->is_over)
		pass(r, f, in.buf, in.len);
	drop_rest(f);
	f->has_ended = true;
	if (f->state == FLOW_OPEN)
		f->state = FLOW_ENDING;
}

/* The source ended without close_notify: true if it had said all it would, as
 * far as the inspector knows. Many programs just close. */
static bool
is_whole(struct relay *r, struct flow *f)
{
	struct span nothing = { "", 0 };

	return f->opaque == 0 && f->rest_len == 0 &&
	       ask(r, f, &nothing, FLOW_ASK_CUT);
}

/* A read gave -1. */
static void
source_failed(struct relay *r, struct flow *f)
{
	if (errno == EAGAIN) {
		f->src->is_readable = false;
		uncork(f);
		return;
	}
	if (errno == TLS_NOT_SHUT && is_whole(r, f)) {
		source_ended(r, f, false);
		return;
	}
	relay_fail(r, f->src);
	/* Of this the inspector could not say yet whether it may pass. */
	if (f->wants_more)
		drop_rest(f);
	source_ended(r, f, false);
}

/* One read into the shared buffer, behind what was left over. */
static size_t
copy(struct relay *r, struct flow *f)
{
	char *buf = r->env->buf;
	size_t old = f->rest_len;
	ssize_t n, want = RELAY_READ;

	assert(old < RELAY_READ);
	/* Where there will be no splicing it may be two pieces. */
	if (f->opaque == RELAY_ALL && has_tls(f->dst))
		want = 2 * RELAY_READ - (ssize_t)old;
	n = stream_read(&f->src->stream, buf + old, (size_t)want);
	if (n == -1) {
		source_failed(r, f);
	} else if (n == 0) {
		source_ended(r, f, true);
	} else {
		if (r->brake != NULL)
			brake_took(r->brake, (size_t)n);
		if (old > 0)
			memcpy(buf, f->rest, old);
		drop_rest(f);
		f->is_bulk = n == want;
		f->src->is_readable =
		    n == want || f->src->has_hung_up || has_tls(f->src);
		f->is_tail = f->src->has_hung_up && n < want &&
			     !has_tls(f->src) && r->brake == NULL;
		process(r, f, (struct span){ buf, old + (size_t)n });
		f->is_tail = false;
	}
	return (size_t)want;
}

/*
 * One splice into an empty pipe: with an empty one, EAGAIN can only mean that
 * the source has nothing now. Bulk has ended with a piece that one read could
 * have taken. Whether 0 is the end is left to read(2).
 */
static size_t
fill_pipe(struct relay *r, struct flow *f)
{
	size_t want =
	    f->opaque < f->pipe.size ? (size_t)f->opaque : f->pipe.size;
	ssize_t n = splice(f->src->stream.fd, NULL, f->pipe.wr, NULL, want,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n == 0 || (n == -1 && errno == EINVAL)) {
		f->is_bulk = false;
		return 0;
	}
	if (n == -1) {
		source_failed(r, f);
		return 0;
	}
	f->is_bulk = n >= RELAY_READ;
	f->pipe.len = (size_t)n;
	if (f->opaque != RELAY_ALL)
		f->opaque -= (size_t)n;
	return f->pipe.len > RELAY_READ ? f->pipe.len : RELAY_READ;
}

/* All was delivered: the destination hears of the end, unless that is a reset,
 * which the relay passes on. If it has said all it will, and there is no TLS,
 * it hears of it by close(2), which comes next. */
static void
shut(struct relay *r, struct flow *f, const struct flow *opposite)
{
	bool is_last = opposite->state == FLOW_OVER && opposite->has_ended &&
		       !has_tls(f->dst);

	if (f->src->has_failed)
		uncork(f);
	if (f->src->has_failed || is_last ||
	    stream_shutdown(&f->dst->stream) == 0)
		f->state = FLOW_OVER;
	else
		relay_await_room(r, f->dst);
}

/* --- a turn --------------------------------------------------------------- */

/* Moves what can be moved in one direction, up to a limit. */
void
flow_pump(struct relay *r, struct flow *f)
{
	size_t moved = 0;

	while (!r->is_over && deliver(r, f) && f->state == FLOW_OPEN) {
		if (f->rest_len > 0 && !f->wants_more) {
			process_rest(r, f);
		} else if (!f->src->is_readable ||
			   (r->brake != NULL && brake_holds(r->brake, r))) {
			break;
		} else if (moved >= r->env->turn_bytes) {
			relay_again(r);
			break;
		} else if (f->is_bulk && f->opaque > 0 && r->brake == NULL &&
			   !has_tls(f->src) && !has_tls(f->dst) &&
			   (f->pipe.rd != -1 ||
			       pipe_take(r->env->pipes, &f->pipe))) {
			moved += fill_pipe(r, f);
		} else {
			moved += copy(r, f);
		}
	}
	if (f->pipe.len == 0)
		pipe_put(r->env->pipes, &f->pipe);
	if (f->state == FLOW_ENDING && flow_is_empty(f))
		shut(r, f, &r->flow[1 - f->dir]);
}

void
flow_source_gone(struct flow *f)
{
	if (f->state != FLOW_HELD)
		return;
	drop_rest(f);
	f->state = FLOW_ENDING;
}

bool
flow_is_empty(const struct flow *f)
{
	return f->rest_len == 0 && f->pipe.len == 0 && due(f) == 0;
}
