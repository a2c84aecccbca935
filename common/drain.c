/* SPDX-License-Identifier: ISC
 *
 * The decent end of a connection. Whoever answers a peer that may still be
 * talking hands the descriptor over here and forgets it. Each set owns the
 * descriptors in it, each with one event that is armed anew every time with
 * what is left of its DRAIN_MS. It never calls back.
 */
#include "common/drain.h"

#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/clock.h"
#include "common/stream.h"

#define CHUNK 16384

struct drain {
	LIST_ENTRY(drain) link;
	struct drain_set *set;
	struct event ev;
	struct stream stream;
	bool has_ended; /* the peer has sent its end of file */
	bool is_shut;	/* all has been said, and that it was all */
	uint64_t deadline_ms;
	size_t room; /* how many bytes may still be thrown away */
	size_t sent; /* of text */
	size_t len;
	char text[];
};

LIST_HEAD(drain_list, drain);

struct drain_set {
	struct event_base *base;
	struct drain_list list;
	size_t count;
	size_t max;
};

static void drain_cb(evutil_socket_t, short, void *);

struct drain_set *
drain_set_new(struct event_base *base, size_t max)
{
	struct drain_set *set;

	if ((set = calloc(1, sizeof(*set))) == NULL)
		return NULL;
	set->base = base;
	set->max = max;
	LIST_INIT(&set->list);
	return set;
}

static void
end(struct drain *d)
{
	LIST_REMOVE(d, link);
	d->set->count--;
	event_del(&d->ev);
	stream_close(&d->stream);
	free(d);
}

void
drain_set_free(struct drain_set *set)
{
	struct drain *d;

	if (set == NULL)
		return;
	while ((d = LIST_FIRST(&set->list)) != NULL)
		end(d);
	free(set);
}

/* Writes what it can, and then says that it was all. The number of bytes, or
 * -1 if the peer is gone. */
static ssize_t
say(const struct stream *stream, const char *text, size_t len, bool *is_shut)
{
	ssize_t n = 0;

	if (len > 0)
		n = stream_write(stream, text, len);
	if (n == -1 && errno == EAGAIN)
		n = 0;
	*is_shut = n == (ssize_t)len && stream_shutdown(stream) == 0;
	return n;
}

/* Waits for what is left to do; false if there is nothing. */
static bool
wait_on(struct drain *d)
{
	struct timeval tv = clock_until(d->deadline_ms);
	short what = 0;

	if (!d->has_ended)
		what |= EV_READ;
	if (!d->is_shut)
		what |= EV_WRITE;
	if (what == 0 || d->room == 0)
		return false;
	event_assign(&d->ev, d->set->base, d->stream.fd, what, drain_cb, d);
	return event_add(&d->ev, &tv) == 0;
}

/* Throws one piece away, as it comes from the socket; false if the peer is
 * gone. */
static bool
discard(struct drain *d)
{
	char chunk[CHUNK];
	size_t want = d->room < CHUNK ? d->room : CHUNK;
	ssize_t n = recv(d->stream.fd, chunk, want, MSG_DONTWAIT);

	if (n == -1)
		return errno == EAGAIN;
	d->room -= (size_t)n;
	d->has_ended = n == 0;
	return true;
}

static void
drain_cb(evutil_socket_t fd, short what, void *arg)
{
	struct drain *d = arg;
	ssize_t n = 0;

	(void)fd;
	if (!d->is_shut)
		n = say(&d->stream, d->text + d->sent, d->len - d->sent,
		    &d->is_shut);
	if (n > 0)
		d->sent += (size_t)n;
	if (n == -1 || (what & EV_TIMEOUT) != 0 ||
	    ((what & EV_READ) != 0 && !discard(d)) || !wait_on(d))
		end(d);
}

/* Takes the connection into the set, with what could not be said yet. */
static bool
take(struct drain_set *set, struct stream *stream, const char *text, size_t len,
    bool is_shut)
{
	struct drain *d;

	if (set->count >= set->max || (d = calloc(1, sizeof(*d) + len)) == NULL)
		return false;
	d->set = set;
	d->stream = *stream;
	d->deadline_ms = clock_ms() + DRAIN_MS;
	d->room = DRAIN_BYTES;
	d->len = len;
	d->is_shut = is_shut;
	if (len > 0)
		memcpy(d->text, text, len);
	if (!wait_on(d)) {
		free(d);
		return false;
	}
	(void)stream_take(stream);
	LIST_INSERT_HEAD(&set->list, d, link);
	set->count++;
	return true;
}

void
drain_start(
    struct drain_set *set, struct stream *stream, const void *text, size_t len)
{
	const struct linger gentle = { .l_onoff = 0 };
	const char *rest = text != NULL ? text : "";
	bool is_shut;
	ssize_t n;

	len = text != NULL ? len : 0;
	/* Whoever had it before may have wanted a reset. */
	setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &gentle, sizeof(gentle));
	n = say(stream, rest, len, &is_shut);
	if (n == -1 || !take(set, stream, rest + n, len - (size_t)n, is_shut))
		stream_close(stream);
}

size_t
drain_count(const struct drain_set *set)
{
	return set->count;
}
