/* SPDX-License-Identifier: ISC
 *
 * One end of the socket between the master and a worker: reads one message a
 * turn of the loop, writes at once or from a bounded queue. It owns its
 * descriptor, its events and duplicates of the descriptors that wait in the
 * queue. What arrives may come from a worker that was taken over: a message
 * that is not sound ends the channel, and nothing of it is used.
 */
#define _GNU_SOURCE

#include "server/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/fdpass.h"
#include "common/log.h"
#include "server/bound.h"
#include "server/config.h"

#define CHANNEL_BUFFER	  (1024 * 1024) /* of the socket, if it is granted */
#define CHANNEL_QUEUE_MAX 65536

struct queued {
	STAILQ_ENTRY(queued) link;
	struct channel_msg msg;
	int fd; /* ours; -1: none */
};

struct channel {
	int fd;
	struct event *readable;
	struct event *writable; /* added while the queue is not empty */
	STAILQ_HEAD(, queued) queue;
	size_t queue_n;
	const struct channel_ops *ops;
	void *arg;
	const char *why; /* it is over, and closed() says this */
	bool was_reset;
	bool is_closed; /* closed() was called */
};

int
channel_pair(int fds[2])
{
	int size = CHANNEL_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, fds) == -1)
		return -1;
	/* The kernel gives what it allows; the queue is there for the rest. */
	for (int i = 0; i < 2; i++)
		(void)setsockopt(
		    fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

static void
pop(struct channel *c)
{
	struct queued *q = STAILQ_FIRST(&c->queue);

	STAILQ_REMOVE_HEAD(&c->queue, link);
	c->queue_n--;
	if (q->fd != -1)
		close(q->fd);
	free(q);
}

static void
drop_queue(struct channel *c)
{
	while (!STAILQ_EMPTY(&c->queue))
		pop(c);
	event_del(c->writable);
}

/* The channel is over; closed() is called from the loop, never from here. */
static void
fail(struct channel *c, const char *why)
{
	if (c->why != NULL)
		return;
	c->why = why;
	drop_queue(c);
	event_active(c->readable, EV_READ, 0);
}

/* A text as it must come: the whole array, with an end in it. */
static bool
is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* A bool that came from elsewhere may hold any byte, and to read it as a bool
 * would be undefined. */
static void
make_bool(bool *b)
{
	uint8_t byte;

	memcpy(&byte, b, sizeof(byte));
	*b = byte != 0;
}

_Static_assert(sizeof(bool) == 1, "make_bool() takes one byte");

/* The same for an enum: it is looked at as bytes. */
static bool
is_kind(const enum registry_kind *kind)
{
	unsigned n;

	memcpy(&n, kind, sizeof(n));
	return n >= REGISTRY_HTTP && n <= REGISTRY_TCP;
}

_Static_assert(sizeof(enum registry_kind) == sizeof(unsigned), "is_kind()");

static bool
is_dialect(const enum registry_dialect *dialect)
{
	unsigned n;

	memcpy(&n, dialect, sizeof(n));
	return n >= REGISTRY_EXT && n <= REGISTRY_NODE;
}

_Static_assert(
    sizeof(enum registry_dialect) == sizeof(unsigned), "is_dialect()");

static bool
is_sound(struct channel_msg *msg)
{
	struct channel_claim *claim = &msg->claim;
	struct channel_claimed *claimed = &msg->claimed;

	switch (msg->type) {
	case CHANNEL_CLAIM:
		make_bool(&claim->has_proof);
		make_bool(&claim->has_group);
		make_bool(&claim->has_token);
		return is_kind(&claim->kind) && is_dialect(&claim->dialect) &&
		       claim->listener < CONFIG_SLOTS_MAX &&
		       is_text(claim->name, sizeof(claim->name)) &&
		       is_text(claim->session, sizeof(claim->session)) &&
		       is_text(claim->domain, sizeof(claim->domain));
	case CHANNEL_EMPTY:
		make_bool(&msg->empty.is_empty);
		return true;
	case CHANNEL_CLAIMED:
	case CHANNEL_ADOPT:
		return is_text(claimed->name, sizeof(claimed->name)) &&
		       is_text(claimed->label, sizeof(claimed->label)) &&
		       is_text(claimed->domain, sizeof(claimed->domain));
	case CHANNEL_LISTENER:
		return msg->id < CONFIG_SLOTS_MAX || msg->id == BOUND_METRICS;
	case CHANNEL_LOG:
		return msg->id < LOG_STREAMS;
	default:
		return msg->type >= CHANNEL_READY && msg->type <= CHANNEL_LEAVE;
	}
}

bool
channel_first(int fd, struct channel_msg *msg, int *msg_fd)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };

	for (;;) {
		if (poll(&readable, 1, -1) == -1 && errno != EINTR)
			return false;
		switch (fdpass_recv(fd, msg, sizeof(*msg), msg_fd)) {
		case FDPASS_AGAIN:
			continue;
		case FDPASS_OK:
			if (is_sound(msg))
				return true;
			if (*msg_fd != -1)
				close(*msg_fd);
			return false;
		default:
			return false;
		}
	}
}

static void
closed(struct channel *c)
{
	if (c->is_closed)
		return;
	c->is_closed = true;
	event_del(c->readable);
	c->ops->closed(c->arg, c->why);
}

static void
received(struct channel *c, struct channel_msg *msg, int fd)
{
	if (is_sound(msg)) {
		c->ops->message(c->arg, msg, fd);
		return;
	}
	if (fd != -1)
		close(fd);
	fail(c, "a message made no sense");
}

/* A peer that dies with messages of ours unread gives a reset first, and
 * after it what it had sent: so only a second end is the end. */
static void
at_end(struct channel *c)
{
	if (c->was_reset)
		fail(c, "the other side has closed it");
	c->was_reset = true;
}

/* One message a turn, and nothing after the callback: it may free us, and no
 * worker can keep the master to itself. */
static void
read_cb(evutil_socket_t sock, short what, void *arg)
{
	struct channel *c = arg;
	struct channel_msg msg;
	int fd;

	(void)what;
	if (c->why != NULL) {
		closed(c);
		return;
	}
	switch (fdpass_recv(sock, &msg, sizeof(msg), &fd)) {
	case FDPASS_OK:
	case FDPASS_LOST: /* the descriptor is; fd is -1 */
		received(c, &msg, fd);
		return;
	case FDPASS_AGAIN:
		return;
	case FDPASS_EOF:
		at_end(c);
		return;
	case FDPASS_BAD:
		fail(c, "a message had the wrong form");
		return;
	case FDPASS_ERROR:
		fail(c, strerror(errno));
		return;
	}
}

/* True if the message need not be tried again: it was sent, or the peer is
 * gone. Of that reading tells, after what the peer still had to say. */
static bool
try_send(struct channel *c, const struct channel_msg *msg, int fd)
{
	switch (fdpass_send(c->fd, msg, sizeof(*msg), fd)) {
	case FDPASS_AGAIN:
		return false;
	case FDPASS_ERROR:
		fail(c, strerror(errno));
		return true;
	default:
		return true;
	}
}

static void
write_cb(evutil_socket_t sock, short what, void *arg)
{
	struct channel *c = arg;
	struct queued *q;

	(void)sock;
	(void)what;
	while ((q = STAILQ_FIRST(&c->queue)) != NULL) {
		if (!try_send(c, &q->msg, q->fd))
			return;
		if (c->why != NULL)
			return;
		pop(c);
	}
	event_del(c->writable);
}

static void
enqueue(struct channel *c, const struct channel_msg *msg, int fd)
{
	struct queued *q;

	if (c->queue_n == CHANNEL_QUEUE_MAX) {
		fail(c, "the other side does not read");
		return;
	}
	q = malloc(sizeof(*q));
	if (q == NULL) {
		fail(c, "out of memory");
		return;
	}
	q->msg = *msg;
	q->fd = fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	STAILQ_INSERT_TAIL(&c->queue, q, link);
	if (c->queue_n++ == 0)
		event_add(c->writable, NULL);
	if (fd != -1 && q->fd == -1)
		fail(c, "out of descriptors");
}

void
channel_send(struct channel *c, const struct channel_msg *msg, int fd)
{
	if (c->why != NULL)
		return;
	if (c->queue_n > 0 || !try_send(c, msg, fd))
		enqueue(c, msg, fd);
}

bool
channel_is_idle(const struct channel *c, int *fd)
{
	*fd = c->fd;
	return c->queue_n == 0 && c->why == NULL;
}

struct channel *
channel_new(
    struct event_base *base, int fd, const struct channel_ops *ops, void *arg)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	c->fd = fd;
	c->ops = ops;
	c->arg = arg;
	STAILQ_INIT(&c->queue);
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, read_cb, c);
	c->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, write_cb, c);
	if (c->readable == NULL || c->writable == NULL ||
	    event_add(c->readable, NULL) == -1) {
		channel_free(c);
		return NULL;
	}
	return c;
}

void
channel_free(struct channel *c)
{
	if (c == NULL)
		return;
	while (!STAILQ_EMPTY(&c->queue))
		pop(c);
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	close(c->fd);
	free(c);
}
