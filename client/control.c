/* SPDX-License-Identifier: ISC
 *
 * One control connection. Called by tunnel, which frees it when it has ended.
 * Owns its socket. Must not touch itself after it has told of its end.
 *
 *   DISCOVER -> CONNECT -> REPLY -> UP    a server with TLS has one port for
 *                  ^                      everything: it begins with CONNECT
 *
 * Heartbeat: a server that knows our extensions says how often, pings, and is
 * pinged; two heartbeats without a byte and it is given up. An old server
 * pings every 5 s and must not be pinged, so that there two of these and some
 * slack are waited for.
 */
#include "client/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/dial.h"
#include "client/discover.h"
#include "client/options.h"
#include "client/trust.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/ltp.h"
#include "common/stream.h"

#define CONNECT_TIMEOUT_MS 10000
#define REPLY_TIMEOUT_MS   10000
#define OLD_SILENCE_MS	   15000 /* two heartbeats of 5 s, and slack */
#define HEARTBEAT_MAX_S	   600
#define USER_TIMEOUT_MS	   30000
#define TEXT_MAX	   512

enum control_state {
	CONTROL_DISCOVER,
	CONTROL_CONNECT,
	CONTROL_REPLY,
	CONTROL_UP,
};

struct control {
	const struct client *client;
	const struct control_ask *ask;
	const struct control_ops *ops;
	void *arg;
	enum control_state state;
	struct discover *discover; /* DISCOVER */
	struct dial *dial;	   /* CONNECT */
	struct stream stream;	   /* REPLY, UP */
	struct bufferevent *bev;   /* the same; borrows it */
	struct event beat;	   /* UP, with extensions: our ping */
	struct net_addr backend;
	const char *name; /* that was asked for */
	bool is_ltserver;
	bool has_ext;
};

static void
control_end(struct control *control, enum control_why why, const char *code,
    const char *text)
{
	char code_text[64], printable[TEXT_MAX];
	struct control_end end = { .why = why,
		.code = log_escape(
		    code_text, sizeof(code_text), code, strlen(code)),
		.text = log_escape(
		    printable, sizeof(printable), text, strlen(text)) };

	control->ops->ended(control->arg, control, &end);
}

static void
send_message(struct control *control, const struct ltp_message *message)
{
	size_t len;
	char *frame = ltp_format(message, &len);

	/* No memory: the server will miss it, and that is how it ends. */
	if (frame != NULL)
		bufferevent_write(control->bev, frame, len);
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
expect_within(struct control *control, uint64_t ms)
{
	struct timeval span = clock_span(ms);

	bufferevent_set_timeouts(control->bev, &span, NULL);
}

static void
start_heartbeat(struct control *control, const struct ltp_message *reply)
{
	int64_t seconds = reply->heartbeat_s;
	struct timeval span;

	control->has_ext = reply->has_ext;
	if (!reply->has_ext || seconds <= 0) {
		expect_within(control, OLD_SILENCE_MS);
		return;
	}
	if (seconds > HEARTBEAT_MAX_S)
		seconds = HEARTBEAT_MAX_S;
	expect_within(control, (uint64_t)seconds * 2000);
	span = clock_span((uint64_t)seconds * 1000);
	event_assign(&control->beat, control->client->base, -1, EV_PERSIST,
	    beat_cb, control);
	event_add(&control->beat, &span);
}

/* A message before the tunnel is up. True if more can be read. */
static bool
handle_reply(struct control *control, const struct ltp_message *message)
{
	switch (message->type) {
	case LTP_ERROR:
		control_end(control, CONTROL_REFUSED,
		    message->error != NULL ? message->error : "",
		    message->text != NULL ? message->text : "");
		return false;
	case LTP_CONTROL_REPLY:
		control->state = CONTROL_UP;
		start_heartbeat(control, message);
		return control->ops->up(control->arg, control, message);
	default:
		control_end(control, CONTROL_UNREACHABLE, "",
		    "the server answers something that is no reply");
		return false;
	}
}

/* A message while the tunnel is up. True if more can be read. */
static bool
handle_message(struct control *control, const struct ltp_message *message)
{
	struct ltp_message pong = { .type = LTP_PONG };

	switch (message->type) {
	case LTP_PING:
		send_message(control, &pong);
		return true;
	case LTP_CONCURRENCY:
		control->ops->resize(
		    control->arg, control, message->concurrency);
		return true;
	case LTP_RECONNECT:
		control->ops->leave(
		    control->arg, control, message->reconnect_ms);
		return true;
	case LTP_CLOSE:
		control_end(control, CONTROL_CLOSED, "",
		    message->text != NULL ? message->text : "");
		return false;
	case LTP_ERROR:
		control_end(control, CONTROL_LOST, "",
		    message->text != NULL ? message->text : "an error");
		return false;
	default: /* a pong; or something newer than we are */
		return true;
	}
}

static void
broken(struct control *control, const char *why)
{
	control_end(control,
	    control->state == CONTROL_UP ? CONTROL_LOST : CONTROL_UNREACHABLE,
	    "", why);
}

/* Takes one message off the input. False if there is none, or if the control
 * connection is gone. */
static bool
take_message(struct control *control)
{
	struct evbuffer *in = bufferevent_get_input(control->bev);
	size_t len = evbuffer_get_length(in), json_len;
	const unsigned char *buf = evbuffer_pullup(in, -1);
	struct ltp_message message = { 0 };
	const char *why;
	bool go_on;

	switch (len == 0 ? LTP_MORE : ltp_frame(buf, len, &json_len)) {
	case LTP_MORE:
		return false;
	case LTP_BAD:
		broken(control, "the server does not speak LTP");
		return false;
	case LTP_OK:
		break;
	}
	if (ltp_parse(&message, LTP_FROM_SERVER, buf + 4, json_len, &why) !=
	    LTP_OK) {
		/* Old servers say only what must be understood; a newer one
		 * of ours may say more. */
		if (control->state == CONTROL_UP && control->has_ext) {
			evbuffer_drain(in, 4 + json_len);
			return true;
		}
		broken(control, why);
		return false;
	}
	evbuffer_drain(in, 4 + json_len);
	if (control->state == CONTROL_UP)
		go_on = handle_message(control, &message);
	else
		go_on = handle_reply(control, &message);
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
	struct control *control = arg;

	(void)bev;
	if (what & BEV_EVENT_TIMEOUT)
		broken(control, control->state == CONTROL_UP
				    ? "it is silent"
				    : "the server does not answer");
	else if (control->state == CONTROL_REPLY && (what & BEV_EVENT_EOF))
		control_end(control, CONTROL_MUTE, "",
		    "the server closed the connection without an answer");
	else if (what & BEV_EVENT_EOF)
		broken(control, "it closed the connection");
	else
		broken(control,
		    EVUTIL_SOCKET_ERROR() != 0
			? evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR())
			: "TLS has failed");
}

static void
send_request(struct control *control)
{
	const struct control_ask *ask = control->ask;
	struct ltp_message message = {
		.type = LTP_CONTROL,
		.has_ext = true,
		.client = ask->client,
		.session = ask->session,
		.secret = ask->secret,
		.agent = CLIENT_AGENT,
		.token = control->client->options->token,
		.kind = ask->kind,
		.port = ask->port,
		.group = ask->group,
		.strict = ask->strict,
		.auth = ask->gate->auth,
		.allow = ask->gate->allow,
		.deny = ask->gate->deny,
	};

	/* An empty name would end a server that is not ours. */
	control->name = ask->name[0] == '\0' && !control->is_ltserver
			    ? ask->own_name
			    : ask->name;
	message.name = control->name;
	send_message(control, &message);
}

/* What is there is no server of ours, for all we can tell. */
__attribute__((format(printf, 2, 3))) static void
no_server(struct control *control, const char *fmt, ...)
{
	char why[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	control_end(control, CONTROL_NO_SERVER, "", why);
}

/* Trying again helps if the network was at fault, and else not: a certificate
 * does not become good, nor something else an ltserver. */
static void
dial_failed(struct control *control, const struct dial_result *to)
{
	const char *server = control->client->options->server.authority;

	if (to->cert != TLS_CERT_GOOD)
		no_server(control, "server %s: %s%s", server, to->why,
		    trust_server_hint(to->cert));
	else if (to->error == EPROTO)
		no_server(control, "%s is no ltserver: %s", server, to->why);
	else
		control_end(control, CONTROL_UNREACHABLE, "", to->why);
}

static void
connected_cb(void *arg, const struct dial_result *to)
{
	struct control *control = arg;

	control->dial = NULL;
	if (to->stream.fd == -1) {
		dial_failed(control, to);
		return;
	}
	control->stream = to->stream;
	/* Whoever speaks TLS and no LTP may be a server of another kind: this
	 * is where it shows. */
	if (!trust_is_ltp(&control->stream)) {
		no_server(control,
		    "%s is no ltserver: it speaks TLS, but not LTP",
		    control->client->options->server.authority);
		return;
	}
	control->backend = *to->addr;
	net_user_timeout(control->stream.fd, USER_TIMEOUT_MS);
	control->bev =
	    stream_bufferevent(control->client->base, &control->stream);
	if (control->bev == NULL) {
		control_end(control, CONTROL_UNREACHABLE, "", "out of memory");
		return;
	}
	control->state = CONTROL_REPLY;
	bufferevent_setcb(control->bev, read_cb, NULL, event_cb, control);
	bufferevent_setwatermark(
	    control->bev, EV_READ, 0, 2 * (LTP_FRAME_MAX + 4));
	expect_within(control, REPLY_TIMEOUT_MS);
	bufferevent_enable(control->bev, EV_READ | EV_WRITE);
	send_request(control);
}

static void
start_dial(struct control *control, struct dial_to *to)
{
	to->timeout_ms = CONNECT_TIMEOUT_MS;
	to->display = control->ask->display;
	control->state = CONTROL_CONNECT;
	control->dial =
	    dial_start(control->client->base, to, connected_cb, control);
}

static void
found_cb(void *arg, const struct discover_result *result)
{
	struct control *control = arg;
	const struct options *options = control->client->options;
	struct dial_to to = { .addr = &result->backend };
	char backend[NET_TEXT_MAX];

	control->discover = NULL;
	if (!result->is_found) {
		control_end(control,
		    result->is_permanent ? CONTROL_NO_SERVER
					 : CONTROL_UNREACHABLE,
		    "", result->why);
		return;
	}
	display_detail(control->ask->display, "%s is %s; its backend is %s",
	    options->server.authority,
	    result->is_ltserver ? "an ltserver"
				: "an old server, which speaks LTP/0.2 only",
	    net_addr_text(&result->backend, backend));
	control->is_ltserver = result->is_ltserver;
	start_dial(control, &to);
	if (control->dial == NULL)
		control_end(control, CONTROL_UNREACHABLE, "", "out of memory");
}

/* The one port of a server with TLS; nobody but an ltserver agrees on LTP
 * there. */
static void
start_tls(struct control *control)
{
	const struct url *server = &control->client->options->server;
	struct dial_to to = {
		.host = server->host,
		.port = server->port,
		.trust = control->client->server_trust,
		.sni = control->ask->sni,
	};

	control->is_ltserver = true;
	start_dial(control, &to);
}

struct control *
control_start(const struct client *client, const struct control_ask *ask,
    const struct control_ops *ops, void *arg)
{
	struct control *control = calloc(1, sizeof(*control));

	if (control == NULL)
		return NULL;
	control->client = client;
	control->ask = ask;
	control->ops = ops;
	control->arg = arg;
	control->stream = (struct stream)STREAM_NONE;
	if (client->server_trust != NULL)
		start_tls(control);
	else
		control->discover = discover_start(client, found_cb, control);
	if (control->discover == NULL && control->dial == NULL) {
		free(control);
		return NULL;
	}
	return control;
}

const char *
control_waits_for(const struct control *control)
{
	static const char *const words[] = {
		[CONTROL_DISCOVER] = "waiting for the server",
		[CONTROL_CONNECT] = "connecting to",
		[CONTROL_REPLY] = "waiting for an answer of",
		[CONTROL_UP] = "connected to",
	};

	return words[control->state];
}

const char *
control_name(const struct control *control)
{
	return control->name;
}

const struct net_addr *
control_backend(const struct control *control)
{
	return &control->backend;
}

bool
control_has_ext(const struct control *control)
{
	return control->has_ext;
}

void
control_goodbye(struct control *control, const char *text)
{
	struct ltp_message message = { .type = LTP_CLOSE, .text = text };
	struct evbuffer *out;

	if (control->state != CONTROL_UP || !control->has_ext)
		return;
	send_message(control, &message);
	/* The process ends after this; whatever the connection takes now goes.
	 * The bufferevent would write in a later turn of the loop. */
	bufferevent_disable(control->bev, EV_READ | EV_WRITE);
	out = bufferevent_get_output(control->bev);
	stream_write(&control->stream, evbuffer_pullup(out, -1),
	    evbuffer_get_length(out));
	stream_shutdown(&control->stream);
}

void
control_free(struct control **controlp)
{
	struct control *control = *controlp;

	*controlp = NULL;
	if (control == NULL)
		return;
	discover_stop(&control->discover);
	dial_stop(&control->dial);
	if (control->bev != NULL)
		bufferevent_free(control->bev);
	stream_close(&control->stream);
	if (event_initialized(&control->beat))
		event_del(&control->beat);
	free(control);
}
