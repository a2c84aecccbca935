/* SPDX-License-Identifier: ISC
 *
 * One question to a server and its answer. Called by discover and nodelink.
 * Owns its connection. Never asks anybody but the server of the URL, and
 * follows no redirection: whoever answers one is told of to the user.
 */
#define _GNU_SOURCE
#include "client/fetch.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "client/backend.h"
#include "client/client.h"
#include "client/options.h"
#include "client/response.h"
#include "client/url.h"
#include "common/clock.h"
#include "common/stream.h"

struct fetch {
	const struct client *client;
	char *path;
	char *accept;
	bool shows_login;
	fetch_fn fn;
	void *arg;
	struct dial *dial;	 /* NULL once connected */
	struct stream stream;	 /* none before that */
	struct bufferevent *bev; /* the same; borrows it */
	struct net_addr addr;	 /* that answered */
};

static void
fetch_free(struct fetch *fetch)
{
	dial_stop(&fetch->dial);
	if (fetch->bev != NULL)
		bufferevent_free(fetch->bev);
	stream_close(&fetch->stream);
	free(fetch->path);
	free(fetch->accept);
	free(fetch);
}

/* The one way out: frees it, then tells. */
static void
fetch_end(struct fetch *fetch, const struct fetch_result *result)
{
	fetch_fn fn = fetch->fn;
	void *arg = fetch->arg;

	fetch_free(fetch);
	fn(arg, result);
}

static void
failed(struct fetch *fetch, const char *why)
{
	struct fetch_result result = { .why = why };

	fetch_end(fetch, &result);
}

/* True if the answer was complete, or wrong, and so the fetch is gone. */
static bool
try_answer(struct fetch *fetch, bool at_end)
{
	struct evbuffer *in = bufferevent_get_input(fetch->bev);
	size_t len = evbuffer_get_length(in);
	const char *buf = (const char *)evbuffer_pullup(in, -1);
	struct fetch_result result = { .addr = fetch->addr };
	struct response response;

	if (len > 0 && buf == NULL) {
		failed(fetch, "out of memory");
		return true;
	}
	if (len > RESPONSE_MAX)
		len = RESPONSE_MAX;
	switch (response_read(&response, buf, len, at_end)) {
	case HTTP_MORE:
		return false;
	case HTTP_OK:
		result.response = &response;
		break;
	case HTTP_BAD:
		result.why = response.why;
		result.is_wrong = !response.is_cut;
		result.is_http = response.is_http;
		break;
	}
	fetch_end(fetch, &result);
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

/* -1 without memory. */
static int
put_request(const struct fetch *fetch, struct evbuffer *out)
{
	const struct options *options = fetch->client->options;
	char login[(WAY_LOGIN_MAX + 2) / 3 * 4 + 1];
	int n = evbuffer_add_printf(out,
	    "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n"
	    "Accept: %s\r\nConnection: close\r\n",
	    fetch->path, options->server.authority, CLIENT_AGENT,
	    fetch->accept);

	if (n != -1 && fetch->shows_login && options->login[0] != '\0') {
		EVP_EncodeBlock((uint8_t *)login,
		    (const uint8_t *)options->login,
		    (int)strlen(options->login));
		n = evbuffer_add_printf(
		    out, "Authorization: Basic %s\r\n", login);
		explicit_bzero(login, sizeof(login));
	}
	return n == -1 ? -1 : evbuffer_add(out, "\r\n", 2);
}

static void
connected_cb(void *arg, const struct dial_result *to)
{
	struct fetch *fetch = arg;
	struct fetch_result result = {
		.why = to->why,
		.error = to->error,
		.cert = to->cert,
		.is_permanent = to->is_permanent,
	};
	struct timeval timeout = clock_span(FETCH_TIMEOUT_MS);

	fetch->dial = NULL;
	if (to->stream.fd == -1) {
		fetch_end(fetch, &result);
		return;
	}
	fetch->stream = to->stream;
	fetch->addr = *to->addr;
	fetch->bev = stream_bufferevent(fetch->client->base, &fetch->stream);
	if (fetch->bev == NULL ||
	    put_request(fetch, bufferevent_get_output(fetch->bev)) == -1 ||
	    bufferevent_enable(fetch->bev, EV_READ | EV_WRITE) == -1) {
		failed(fetch, "out of memory");
		return;
	}
	bufferevent_setcb(fetch->bev, read_cb, NULL, event_cb, fetch);
	bufferevent_set_timeouts(fetch->bev, &timeout, &timeout);
}

struct fetch *
fetch_start(const struct client *client, const char *path, const char *accept,
    bool shows_login, fetch_fn fn, void *arg)
{
	struct backend_to to = { .trust = client->web_trust,
		.display = &client->options->display };
	struct fetch *fetch = calloc(1, sizeof(*fetch));

	if (fetch == NULL)
		return NULL;
	fetch->client = client;
	fetch->shows_login = shows_login;
	fetch->fn = fn;
	fetch->arg = arg;
	fetch->stream = (struct stream)STREAM_NONE;
	fetch->path = strdup(path);
	fetch->accept = strdup(accept);
	if (fetch->path != NULL && fetch->accept != NULL)
		fetch->dial = backend_dial(client, &to, connected_cb, fetch);
	if (fetch->dial == NULL) {
		fetch_free(fetch);
		return NULL;
	}
	return fetch;
}

void
fetch_stop(struct fetch **fetchp)
{
	struct fetch *fetch = *fetchp;

	*fetchp = NULL;
	if (fetch != NULL)
		fetch_free(fetch);
}
