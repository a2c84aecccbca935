/* SPDX-License-Identifier: ISC
 *
 * One end of the socket between the main process and a worker. Called by crew
 * and worker. Both ends are the same program: what comes is taken as it is.
 */
#include "client/channel.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define WAITING_MAX (1024 * 1024) /* bytes */
#define FLUSH_MS    1000	  /* for each step that the other side takes */

struct channel {
	struct bufferevent *bev;
	const struct channel_ops *ops;
	void *arg;
};

int
channel_pair(int fds[2])
{
	return socketpair(
	    AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
}

static void
event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct channel *channel = arg;

	(void)what;
	bufferevent_disable(bev, EV_READ | EV_WRITE);
	channel->ops->closed(channel->arg);
}

/* A message that there is no memory for is not left out: that is the end. */
static void
read_cb(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct channel *channel = arg;
	struct channel_msg msg;
	const void *body;

	while (evbuffer_copyout(in, &msg, sizeof(msg)) == sizeof(msg) &&
	       evbuffer_get_length(in) - sizeof(msg) >= msg.len) {
		evbuffer_drain(in, sizeof(msg));
		body = evbuffer_pullup(in, (ev_ssize_t)msg.len);
		if (msg.len > 0 && body == NULL) {
			event_cb(bev, BEV_EVENT_ERROR, channel);
			return;
		}
		channel->ops->message(channel->arg, &msg, body);
		evbuffer_drain(in, msg.len);
	}
}

struct channel *
channel_new(
    struct event_base *base, int fd, const struct channel_ops *ops, void *arg)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (channel == NULL)
		return NULL;
	channel->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (channel->bev == NULL) {
		free(channel);
		return NULL;
	}
	channel->ops = ops;
	channel->arg = arg;
	bufferevent_setcb(channel->bev, read_cb, NULL, event_cb, channel);
	if (bufferevent_enable(channel->bev, EV_READ | EV_WRITE) == -1) {
		/* The descriptor stays the caller's. */
		bufferevent_setfd(channel->bev, -1);
		channel_free(channel);
		return NULL;
	}
	return channel;
}

void
channel_free(struct channel *channel)
{
	if (channel == NULL)
		return;
	bufferevent_free(channel->bev);
	free(channel);
}

bool
channel_send(
    struct channel *channel, const struct channel_msg *msg, const void *body)
{
	struct evbuffer *out = bufferevent_get_output(channel->bev);
	size_t len = sizeof(*msg) + msg->len;

	return evbuffer_get_length(out) + len <= WAITING_MAX &&
	       evbuffer_expand(out, len) == 0 &&
	       evbuffer_add(out, msg, sizeof(*msg)) == 0 &&
	       evbuffer_add(out, body, msg->len) == 0;
}

void
channel_end(struct channel *channel)
{
	bufferevent_disable(channel->bev, EV_WRITE);
	shutdown(bufferevent_getfd(channel->bev), SHUT_WR);
}

void
channel_flush(struct channel *channel)
{
	struct evbuffer *out = bufferevent_get_output(channel->bev);
	struct pollfd at = { .fd = bufferevent_getfd(channel->bev),
		.events = POLLOUT };

	bufferevent_disable(channel->bev, EV_WRITE);
	evbuffer_unfreeze(out, 1);
	while (evbuffer_get_length(out) > 0 && poll(&at, 1, FLUSH_MS) == 1 &&
	       evbuffer_write(out, at.fd) > 0)
		continue;
}
