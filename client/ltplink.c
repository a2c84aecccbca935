/* SPDX-License-Identifier: ISC
 *
 * A tunnel in LTP. Called by control. Owns the control connection: header,
 * request, reply, heartbeat, events. Must not touch itself after it has told
 * of its end.
 *
 * Heartbeat: a server that knows our extensions says how often, pings, and is
 * pinged; two heartbeats without a byte and it is given up. An old server
 * pings every 5 s and must not be pinged, so that there two of these and some
 * slack are waited for.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/language.h"
#include "client/options.h"
#include "common/clock.h"
#include "common/drain.h"
#include "common/ltp.h"

#define REPLY_TIMEOUT_MS 10000
#define OLD_SILENCE_MS	 15000 /* two heartbeats of 5 s, and slack */
#define HEARTBEAT_MAX_S	 600
#define USER_TIMEOUT_MS	 30000

struct ltplink {
	struct control *control;
	struct stream stream;
	struct bufferevent *bev; /* borrows it */
	struct event beat;	 /* with extensions: our ping */
	bool is_up;
	bool has_ext;
};

static void
send_message(struct ltplink *link, const struct ltp_message *message)
{
	size_t len;
	char *frame = ltp_format(message, &len);

	/* No memory: the server will miss it, and that is how it ends. */
	if (frame != NULL)
		bufferevent_write(link->bev, frame, len);
	free(frame);
}

static void
beat_cb(int fd, short what, void *arg)
{
	struct ltp_message ping = { .type = LTP_PING };

	(void)fd;
	(void)what;
	send_message(arg, &ping);
}

/* A byte of the server must come every `ms`. */
static void
expect_within(struct ltplink *link, uint64_t ms)
{
	struct timeval span = clock_span(ms);

	bufferevent_set_timeouts(link->bev, &span, NULL);
}

static void
start_heartbeat(struct ltplink *link, const struct ltp_message *reply)
{
	int64_t seconds = reply->heartbeat_s;
	struct timeval span;

	link->has_ext = reply->has_ext;
	if (!reply->has_ext || seconds <= 0) {
		expect_within(link, OLD_SILENCE_MS);
		return;
	}
	if (seconds > HEARTBEAT_MAX_S)
		seconds = HEARTBEAT_MAX_S;
	expect_within(link, (uint64_t)seconds * 2000);
	span = clock_span((uint64_t)seconds * 1000);
	event_assign(&link->beat, control_client(link->control)->base, -1,
	    EV_PERSIST, beat_cb, link);
	event_add(&link->beat, &span);
}

/* A message before the tunnel is up. True if more can be read. */
static bool
handle_reply(struct ltplink *link, const struct ltp_message *message)
{
	switch (message->type) {
	case LTP_ERROR:
		control_end(link->control, CONTROL_REFUSED,
		    message->error != NULL ? message->error : "",
		    message->text != NULL ? message->text : "");
		return false;
	case LTP_CONTROL_REPLY:
		link->is_up = true;
		start_heartbeat(link, message);
		return control_up(link->control, message);
	default:
		control_end(link->control, CONTROL_UNREACHABLE, "",
		    "the server answers something that is no reply");
		return false;
	}
}

/* A message while the tunnel is up. True if more can be read. */
static bool
handle_message(struct ltplink *link, const struct ltp_message *message)
{
	struct ltp_message pong = { .type = LTP_PONG };

	switch (message->type) {
	case LTP_PING:
		send_message(link, &pong);
		return true;
	case LTP_CONCURRENCY:
		control_resize(link->control, message->concurrency);
		return true;
	case LTP_RECONNECT:
		control_leave(link->control, message->reconnect_ms);
		return true;
	case LTP_CLOSE:
		control_end(link->control, CONTROL_CLOSED, "",
		    message->text != NULL ? message->text : "");
		return false;
	case LTP_ERROR:
		control_end(link->control, CONTROL_LOST, "",
		    message->text != NULL ? message->text : "an error");
		return false;
	default: /* a pong; or something newer than we are */
		return true;
	}
}

static void
broken(struct ltplink *link, const char *why)
{
	control_end(link->control,
	    link->is_up ? CONTROL_LOST : CONTROL_UNREACHABLE, "", why);
}

/* Takes one message off the input. False if there is none, or if the control
 * connection is gone. */
static bool
take_message(struct ltplink *link)
{
	struct evbuffer *in = bufferevent_get_input(link->bev);
	size_t len = evbuffer_get_length(in), json_len;
	const unsigned char *buf = evbuffer_pullup(in, -1);
	struct ltp_message message = { 0 };
	const char *why;
	bool go_on;

	if (len > 0 && buf == NULL) {
		broken(link, "out of memory");
		return false;
	}
	switch (len == 0 ? LTP_MORE : ltp_frame(buf, len, &json_len)) {
	case LTP_MORE:
		return false;
	case LTP_BAD:
		broken(link, "the server does not speak LTP");
		return false;
	case LTP_OK:
		break;
	}
	if (ltp_parse(&message, LTP_FROM_SERVER, buf + 4, json_len, &why) !=
	    LTP_OK) {
		/* Old servers say only what must be understood; a newer one
		 * of ours may say more. */
		if (link->is_up && link->has_ext) {
			evbuffer_drain(in, 4 + json_len);
			return true;
		}
		broken(link, why);
		return false;
	}
	evbuffer_drain(in, 4 + json_len);
	if (link->is_up)
		go_on = handle_message(link, &message);
	else
		go_on = handle_reply(link, &message);
	ltp_message_fini(&message);
	return go_on;
}

static void
read_cb(struct bufferevent *bev, void *arg)
{
	(void)bev;
	while (take_message(arg))
		continue;
}

static void
event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct ltplink *link = arg;

	(void)bev;
	if (what & BEV_EVENT_TIMEOUT)
		broken(link, link->is_up ? "it is silent"
					 : "the server does not answer");
	else if (!link->is_up && (what & BEV_EVENT_EOF))
		control_end(link->control, CONTROL_MUTE, "",
		    "the server closed the connection without an answer");
	else if (what & BEV_EVENT_EOF)
		broken(link, "it closed the connection");
	else
		broken(link,
		    EVUTIL_SOCKET_ERROR() != 0
			? evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR())
			: "TLS has failed");
}

static void
send_request(struct ltplink *link)
{
	const struct control_ask *ask = control_asked(link->control);
	struct ltp_message message = {
		.type = LTP_CONTROL,
		.has_ext = true,
		.name = control_name(link->control),
		.client = ask->client,
		.session = ask->session,
		.secret = ask->secret,
		.agent = CLIENT_AGENT,
		.token = options_token(control_client(link->control)->options),
		.kind = ask->kind,
		.port = ask->port,
		.group = ask->group,
		.custom = ask->domain,
		.strict = ask->strict,
		.auth = ask->gate->auth,
		.allow = ask->gate->allow,
		.deny = ask->gate->deny,
	};

	send_message(link, &message);
}

static void
ltplink_free(void *arg)
{
	struct ltplink *link = arg;

	if (link->bev != NULL)
		bufferevent_free(link->bev);
	stream_close(&link->stream);
	if (event_initialized(&link->beat))
		event_del(&link->beat);
	free(link);
}

static void *
ltplink_start(struct control *control, struct stream *stream)
{
	struct ltplink *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return NULL;
	link->control = control;
	link->bev = stream_bufferevent(control_client(control)->base, stream);
	link->stream = stream_take(stream);
	if (link->bev == NULL ||
	    bufferevent_enable(link->bev, EV_READ | EV_WRITE) == -1) {
		ltplink_free(link);
		return NULL;
	}
	net_keepalive(link->stream.fd);
	net_user_timeout(link->stream.fd, USER_TIMEOUT_MS);
	bufferevent_setcb(link->bev, read_cb, NULL, event_cb, link);
	expect_within(link, REPLY_TIMEOUT_MS);
	send_request(link);
	return link;
}

/* The control connection knows better whether there is a tunnel. */
static void
ltplink_unserved(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

/* Once the server has ended the connection too, it has heard it, and the name
 * is free; closed before, unread bytes could take the goodbye with them. */
static void
ltplink_goodbye(void *arg, const char *text)
{
	struct ltp_message message = { .type = LTP_CLOSE, .text = text };
	struct ltplink *link = arg;
	struct evbuffer *out = bufferevent_get_output(link->bev);

	if (link->is_up && !link->has_ext)
		return;
	send_message(link, &message);
	bufferevent_disable(link->bev, EV_READ | EV_WRITE);
	drain_start(control_client(link->control)->drains, &link->stream,
	    evbuffer_pullup(out, -1), evbuffer_get_length(out));
}

const struct language ltplink_language = {
	.start = ltplink_start,
	.unserved = ltplink_unserved,
	.goodbye = ltplink_goodbye,
	.free = ltplink_free,
};
