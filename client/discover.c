/* SPDX-License-Identifier: ISC
 *
 * Finds the backend of a server. Called by control, before each control
 * connection: a server that was started again may have another port. Owns
 * its connection. Never asks anybody but the server of the URL.
 */
#include "client/discover.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client/client.h"
#include "client/dial.h"
#include "client/options.h"
#include "client/url.h"
#include "common/clock.h"

struct discover {
	struct event_base *base;
	const struct url *url;
	discover_fn fn;
	void *arg;
	struct dial *dial;	 /* NULL once connected */
	struct bufferevent *bev; /* NULL before that */
	struct net_addr addr;	 /* that answered */
};

/* --- the answer ------------------------------------------------------------
 */

#define BODY_MAX 32

struct parse {
	llhttp_t parser;
	char field[8]; /* enough to tell "Server" from others */
	size_t field_len;
	char server[12];
	size_t server_len;
	char body[BODY_MAX];
	size_t body_len;
	bool in_value;
	bool is_done;
};

/* Appends what fits; the length counts on, so that too long is seen. */
static void
append(char *out, size_t size, size_t *used, const char *at, size_t len)
{
	size_t room = *used < size ? size - *used : 0;

	memcpy(out + (*used < size ? *used : 0), at, len < room ? len : room);
	*used += len;
}

static int
on_field(llhttp_t *parser, const char *at, size_t len)
{
	struct parse *parse = parser->data;

	if (parse->in_value)
		parse->field_len = 0;
	parse->in_value = false;
	append(parse->field, sizeof(parse->field), &parse->field_len, at, len);
	return 0;
}

static int
on_value(llhttp_t *parser, const char *at, size_t len)
{
	struct parse *parse = parser->data;

	parse->in_value = true;
	if (parse->field_len == 6 &&
	    strncasecmp(parse->field, "server", 6) == 0)
		append(parse->server, sizeof(parse->server), &parse->server_len,
		    at, len);
	return 0;
}

static int
on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct parse *parse = parser->data;

	append(parse->body, sizeof(parse->body), &parse->body_len, at, len);
	return 0;
}

static int
on_done(llhttp_t *parser)
{
	struct parse *parse = parser->data;

	parse->is_done = true;
	return HPE_PAUSED;
}

/* The body: a port in decimal, blanks and a line end around it at most. */
static bool
read_port(const struct parse *parse, uint16_t *port)
{
	char text[BODY_MAX + 1], *end;
	unsigned long value;

	if (parse->body_len == 0 || parse->body_len > BODY_MAX)
		return false;
	memcpy(text, parse->body, parse->body_len);
	text[parse->body_len] = '\0';
	if (text[0] < '0' || text[0] > '9')
		return false;
	value = strtoul(text, &end, 10);
	if (value == 0 || value > UINT16_MAX ||
	    end[strspn(end, " \t\r\n")] != '\0')
		return false;
	*port = (uint16_t)value;
	return true;
}

static enum http_result
refuse(struct discover_answer *answer, bool is_permanent, const char *why)
{
	answer->is_permanent = is_permanent;
	snprintf(answer->why, sizeof(answer->why), "%s", why);
	return HTTP_BAD;
}

static enum http_result
judge(struct discover_answer *answer, const struct parse *parse)
{
	int status = parse->parser.status_code;

	answer->is_ltserver = parse->server_len >= 9 &&
			      strncmp(parse->server, "ltserver/", 9) == 0;
	/* A port of an ltserver that is for TLS alone says so with 400. */
	if (status == 400 && answer->is_ltserver)
		return refuse(answer, true,
		    "speaks TLS on that port: say https:// in its URL");
	if (status != 200) {
		/* 5xx: a proxy in front of a server that is not there. */
		snprintf(answer->why, sizeof(answer->why),
		    "is no tunnel server: /meta/backend answers %d", status);
		answer->is_permanent = status < 500;
		answer->is_elsewhere =
		    answer->is_ltserver && answer->is_permanent;
		return HTTP_BAD;
	}
	if (!read_port(parse, &answer->port))
		return refuse(answer, true,
		    "is no tunnel server: /meta/backend answers something "
		    "else than a port");
	return HTTP_OK;
}

enum http_result
discover_parse(
    struct discover_answer *answer, const char *buf, size_t len, bool at_end)
{
	struct parse parse = { 0 };
	llhttp_settings_t settings;
	llhttp_errno_t error;

	memset(answer, 0, sizeof(*answer));
	llhttp_settings_init(&settings);
	settings.on_header_field = on_field;
	settings.on_header_value = on_value;
	settings.on_body = on_body;
	settings.on_message_complete = on_done;
	llhttp_init(&parse.parser, HTTP_RESPONSE, &settings);
	parse.parser.data = &parse;
	error = llhttp_execute(&parse.parser, buf, len);
	if (at_end && error == HPE_OK && !parse.is_done)
		llhttp_finish(&parse.parser);
	if (parse.is_done)
		return judge(answer, &parse);
	if (error != HPE_OK)
		return refuse(answer, true,
		    "is no tunnel server: it does "
		    "not answer in HTTP");
	if (at_end)
		return refuse(answer, false,
		    "closed the connection before it had answered");
	return len < DISCOVER_MAX ? HTTP_MORE
				  : refuse(answer, true,
					"is no tunnel server: /meta/backend "
					"answers too much");
}

/* --- the question ----------------------------------------------------------
 */

static void
discover_free(struct discover *discover)
{
	dial_stop(&discover->dial);
	if (discover->bev != NULL)
		bufferevent_free(discover->bev);
	free(discover);
}

/* The one way out: frees it, then tells. */
static void
discover_end(struct discover *discover, struct discover_result *result)
{
	discover_fn fn = discover->fn;
	void *arg = discover->arg;

	discover_free(discover);
	fn(arg, result);
}

static void
failed(struct discover *discover, const char *why)
{
	struct discover_result result = { .why = why };

	discover_end(discover, &result);
}

/* The answer is wrong for ever: a sentence that says so. */
static void
explain(const struct url *url, const struct discover_answer *answer, char *out,
    size_t size)
{
	if (answer->is_elsewhere)
		snprintf(out, size,
		    "there is an ltserver at %s, but %s is not its domain: "
		    "use the name it was started with (-d)",
		    url->authority, url->host);
	else
		snprintf(out, size, "%s %s", url->authority, answer->why);
}

/* True if the answer was complete, or wrong, and so the discover is gone. */
static bool
try_answer(struct discover *discover, bool at_end)
{
	struct evbuffer *in = bufferevent_get_input(discover->bev);
	size_t len = evbuffer_get_length(in);
	const char *buf = (const char *)evbuffer_pullup(in, -1);
	struct discover_answer answer;
	struct discover_result result = { .backend = discover->addr };
	char why[1024];

	switch (discover_parse(&answer, buf, len, at_end)) {
	case HTTP_MORE:
		return false;
	case HTTP_OK:
		result.is_found = true;
		result.is_ltserver = answer.is_ltserver;
		result.backend.in.sin_port = htons(answer.port);
		break;
	case HTTP_BAD:
		result.is_permanent = answer.is_permanent;
		result.why = answer.why;
		if (answer.is_permanent) {
			explain(discover->url, &answer, why, sizeof(why));
			result.why = why;
		}
		break;
	}
	discover_end(discover, &result);
	return true;
}

static void
read_cb(struct bufferevent *bev, void *arg)
{
	(void)bev;
	try_answer(arg, false);
}

static void
event_cb(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & BEV_EVENT_TIMEOUT)
		failed(arg, "did not answer in time");
	else
		try_answer(arg, true);
}

static void
connected_cb(void *arg, const struct dial_result *to)
{
	struct discover *discover = arg;
	struct timeval timeout = clock_span(DISCOVER_TIMEOUT_MS);

	discover->dial = NULL;
	if (to->stream.fd == -1) {
		failed(discover, to->why);
		return;
	}
	discover->addr = *to->addr;
	discover->bev = bufferevent_socket_new(
	    discover->base, to->stream.fd, BEV_OPT_CLOSE_ON_FREE);
	if (discover->bev == NULL) {
		close(to->stream.fd);
		failed(discover, "out of memory");
		return;
	}
	bufferevent_setcb(discover->bev, read_cb, NULL, event_cb, discover);
	bufferevent_setwatermark(discover->bev, EV_READ, 0, DISCOVER_MAX);
	bufferevent_set_timeouts(discover->bev, &timeout, &timeout);
	evbuffer_add_printf(bufferevent_get_output(discover->bev),
	    "GET /meta/backend HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n"
	    "Accept: text/plain\r\nConnection: close\r\n\r\n",
	    discover->url->authority, CLIENT_AGENT);
	bufferevent_enable(discover->bev, EV_READ | EV_WRITE);
}

struct discover *
discover_start(const struct client *client, discover_fn fn, void *arg)
{
	const struct url *url = &client->options->server;
	struct dial_to to = { .host = url->host,
		.port = url->port,
		.timeout_ms = DISCOVER_TIMEOUT_MS,
		.display = &client->options->display };
	struct discover *discover = calloc(1, sizeof(*discover));

	if (discover == NULL)
		return NULL;
	discover->base = client->base;
	discover->url = url;
	discover->fn = fn;
	discover->arg = arg;
	discover->dial = dial_start(client->base, &to, connected_cb, discover);
	if (discover->dial == NULL) {
		free(discover);
		return NULL;
	}
	return discover;
}

void
discover_stop(struct discover **discoverp)
{
	struct discover *discover = *discoverp;

	*discoverp = NULL;
	if (discover != NULL)
		discover_free(discover);
}
