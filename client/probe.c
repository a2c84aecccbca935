/* SPDX-License-Identifier: ISC
 *
 * The shortest conversation in LTP. Called by diagnose. Owns its connection;
 * offers no proxy connections, so no visitor ever gets anywhere by it.
 */
#include "client/probe.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client.h"
#include "client/options.h"
#include "client/secrets.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/ltp.h"
#include "common/stream.h"

#define SILENCE_MS 10000
#define TEXT_MAX   512

struct probe {
	const struct client *client;
	const struct probe_ops *ops;
	void *arg;
	struct stream stream;
	struct bufferevent *bev; /* borrows it */
	bool is_up;
	bool has_ext;
	struct timespec pinged; /* when */
};

static void
send_message(struct probe *probe, const struct ltp_message *message)
{
	size_t len;
	char *frame = ltp_format(message, &len);

	if (frame != NULL)
		bufferevent_write(probe->bev, frame, len);
	free(frame);
}

/* The one way out that is no success: nothing more is read. */
static void
failed(struct probe *probe, const char *code, const char *text)
{
	char code_text[64], printable[TEXT_MAX];

	bufferevent_disable(probe->bev, EV_READ);
	probe->ops->failed(probe->arg,
	    log_escape(code_text, sizeof(code_text), code, strlen(code)),
	    log_escape(printable, sizeof(printable), text, strlen(text)));
}

static void
up(struct probe *probe, const struct ltp_message *reply)
{
	struct ltp_message ping = { .type = LTP_PING };

	probe->is_up = true;
	probe->has_ext = reply->has_ext;
	probe->ops->up(probe->arg, reply->has_ext);
	if (!probe->has_ext)
		return;
	clock_gettime(CLOCK_MONOTONIC, &probe->pinged);
	send_message(probe, &ping);
}

static void
pong(struct probe *probe)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	probe->ops->pong(
	    probe->arg, (now.tv_sec - probe->pinged.tv_sec) * 1000000L +
			    (now.tv_nsec - probe->pinged.tv_nsec) / 1000);
}

static void
handle(struct probe *probe, const struct ltp_message *message)
{
	if (message->type == LTP_ERROR)
		failed(probe, message->error != NULL ? message->error : "",
		    message->text != NULL ? message->text : "");
	else if (message->type == LTP_CLOSE)
		failed(probe, "closed",
		    message->text != NULL ? message->text : "");
	else if (!probe->is_up && message->type == LTP_CONTROL_REPLY)
		up(probe, message);
	else if (!probe->is_up)
		failed(probe, "",
		    "the server answers something that is no "
		    "reply");
	else if (message->type == LTP_PONG)
		pong(probe);
}

/* Takes one message off the input; false if there is no whole one. What comes
 * after a failure is left where it is. */
static bool
take_message(struct probe *probe)
{
	struct evbuffer *in = bufferevent_get_input(probe->bev);
	size_t len = evbuffer_get_length(in), json_len;
	const unsigned char *buf = evbuffer_pullup(in, -1);
	struct ltp_message message = { 0 };
	const char *why;

	if (len > 0 && buf == NULL) {
		failed(probe, "", "out of memory");
		return false;
	}
	switch (len == 0 ? LTP_MORE : ltp_frame(buf, len, &json_len)) {
	case LTP_MORE:
		return false;
	case LTP_BAD:
		failed(probe, "", "the server does not speak LTP");
		return false;
	case LTP_OK:
		break;
	}
	if (ltp_parse(&message, LTP_FROM_SERVER, buf + 4, json_len, &why) !=
	    LTP_OK) {
		failed(probe, "", why);
		return false;
	}
	evbuffer_drain(in, 4 + json_len);
	handle(probe, &message);
	ltp_message_fini(&message);
	return (bufferevent_get_enabled(probe->bev) & EV_READ) != 0;
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
	(void)bev;
	failed(arg, "",
	    what & BEV_EVENT_TIMEOUT
		? "the server does not answer"
		: "the server closed the connection without an answer");
}

static int
ask(struct probe *probe, bool is_ltserver)
{
	char name[LTP_NAME_MAX + 1] = "", number[LTP_NAME_MAX + 1];
	char client[LTP_NAME_MAX + 32];
	struct ltp_message message = {
		.type = LTP_CONTROL,
		.has_ext = true,
		.name = name,
		.client = client,
		.agent = CLIENT_AGENT,
		.token = options_token(probe->client->options),
	};

	if (secrets_new_name(number) == -1)
		return -1;
	/* An empty name would end a server that is not ours. */
	if (!is_ltserver)
		strcpy(name, number);
	snprintf(client, sizeof(client), "diagnose@%s;Linux", number);
	send_message(probe, &message);
	return 0;
}

struct probe *
probe_start(const struct client *client, struct stream *stream,
    bool is_ltserver, const struct probe_ops *ops, void *arg)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	struct timeval span = clock_span(SILENCE_MS);

	if (probe == NULL)
		return NULL;
	probe->client = client;
	probe->ops = ops;
	probe->arg = arg;
	probe->stream = stream_take(stream);
	probe->bev = stream_bufferevent(client->base, &probe->stream);
	if (probe->bev == NULL || ask(probe, is_ltserver) == -1 ||
	    bufferevent_enable(probe->bev, EV_READ | EV_WRITE) == -1) {
		probe_free(probe);
		return NULL;
	}
	bufferevent_setcb(probe->bev, read_cb, NULL, event_cb, probe);
	bufferevent_set_timeouts(probe->bev, &span, NULL);
	return probe;
}

/* The process ends after this: what the connection takes at once goes. */
static void
goodbye(struct probe *probe)
{
	struct ltp_message message = { .type = LTP_CLOSE, .text = "diagnosed" };
	struct evbuffer *out = bufferevent_get_output(probe->bev);

	send_message(probe, &message);
	bufferevent_disable(probe->bev, EV_READ | EV_WRITE);
	stream_write(
	    &probe->stream, evbuffer_pullup(out, -1), evbuffer_get_length(out));
	stream_shutdown(&probe->stream);
}

void
probe_free(struct probe *probe)
{
	if (probe == NULL)
		return;
	if (probe->is_up && probe->has_ext)
		goodbye(probe);
	if (probe->bev != NULL)
		bufferevent_free(probe->bev);
	stream_close(&probe->stream);
	free(probe);
}
