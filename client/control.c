/* SPDX-License-Identifier: ISC
 *
 * One registration of a tunnel. Called by session, which frees it when it has
 * ended. Finds out what the server is, and leaves the rest to a link in the
 * language that it speaks: LTP, else the API of the Node.js localtunnel. Must
 * not touch itself after it has told of its end.
 *
 *   DISCOVER -> CONNECT -> REPLY -> UP    a server with TLS has one port for
 *                  ^         ^            everything: it begins with CONNECT
 *                  '---------'            no LTP: from either to REPLY
 */
#include "client/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/backend.h"
#include "client/client.h"
#include "client/discover.h"
#include "client/language.h"
#include "client/options.h"
#include "client/trust.h"
#include "common/log.h"
#include "common/ltp.h"

#define TEXT_MAX 1024

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
	struct discover *discover;	 /* DISCOVER */
	struct dial *dial;		 /* CONNECT */
	const struct language *language; /* REPLY, UP: that of the link */
	void *link;
	struct net_addr backend;
	const char *name; /* that was asked for */
	bool is_ltserver;
	bool has_ext;
	const char *cached_url; /* of the link; NULL */
	char no_ltp[TEXT_MAX];	/* why there is no LTP; "" if there is */
};

/* --- what a link tells -----------------------------------------------------
 */

const struct client *
control_client(const struct control *control)
{
	return control->client;
}

const struct control_ask *
control_asked(const struct control *control)
{
	return control->ask;
}

const char *
control_no_ltp(const struct control *control)
{
	return control->no_ltp;
}

void
control_set_backend(struct control *control, const struct net_addr *addr)
{
	control->backend = *addr;
}

void
control_set_cached_url(struct control *control, const char *url)
{
	control->cached_url = url;
}

bool
control_up(struct control *control, const struct ltp_message *reply)
{
	control->state = CONTROL_UP;
	control->has_ext = reply->has_ext;
	return control->ops->up(control->arg, control, reply);
}

void
control_resize(struct control *control, int64_t concurrency)
{
	control->ops->resize(control->arg, control, concurrency);
}

void
control_leave(struct control *control, int64_t ms)
{
	control->ops->leave(control->arg, control, ms);
}

void
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
 * does not become good, nor something else a tunnel server. */
void
control_no_connection(struct control *control, int error, enum tls_cert cert,
    bool is_permanent, const char *why)
{
	if (cert != TLS_CERT_GOOD)
		no_server(control, "server %s: %s%s",
		    control->client->options->server.authority, why,
		    trust_server_hint(cert));
	else if (error == EPROTO)
		no_server(control, "%s", control->no_ltp);
	else if (is_permanent)
		no_server(control, "%s", why);
	else
		control_end(control, CONTROL_UNREACHABLE, "", why);
}

/* --- to the link -----------------------------------------------------------
 */

/* Asks in that language. */
static void
speak(struct control *control, const struct language *language,
    struct stream *stream)
{
	const struct control_ask *ask = control->ask;

	/* An empty name would end a server that speaks LTP and is not ours. */
	control->name = ask->name[0] == '\0' && !control->is_ltserver &&
				language == &ltplink_language
			    ? ask->own_name
			    : ask->name;
	control->state = CONTROL_REPLY;
	control->language = language;
	control->link = language->start(control, stream);
	if (control->link == NULL)
		control_end(control, CONTROL_UNREACHABLE, "", "out of memory");
}

/* The server does not speak LTP, for the reason that was put down: it may be
 * one of the Node.js localtunnel. */
static void
speak_node(struct control *control)
{
	struct stream none = STREAM_NONE;

	display_detail(control->ask->display,
	    "%s; asking in the way of the Node.js localtunnel",
	    control->no_ltp);
	speak(control, &nodelink_language, &none);
}

static void
connected_cb(void *arg, const struct dial_result *to)
{
	struct control *control = arg;
	const char *server = control->client->options->server.authority;
	struct stream stream = to->stream;

	control->dial = NULL;
	if (stream.fd != -1 && trust_is_ltp(&stream)) {
		control->backend = *to->addr;
		speak(control, &ltplink_language, &stream);
		stream_close(&stream);
		return;
	}
	if (stream.fd == -1)
		snprintf(control->no_ltp, sizeof(control->no_ltp),
		    "%s is no ltserver: %s", server, to->why);
	else
		snprintf(control->no_ltp, sizeof(control->no_ltp),
		    "%s is no ltserver: it speaks TLS, but not LTP", server);
	/* Some end the handshake with those who offer nothing but LTP; or it
	 * is the name that an ltserver does not know any more. */
	if (stream.fd == -1 &&
	    (to->error != EPROTO || to->cert != TLS_CERT_GOOD ||
		control->ask->sni != NULL ||
		control->client->server_trust == NULL))
		control_no_connection(
		    control, to->error, to->cert, to->is_permanent, to->why);
	else
		speak_node(control);
	stream_close(&stream);
}

static void
start_dial(
    struct control *control, const struct net_addr *backend, const char *sni)
{
	struct backend_to to = { .addr = backend,
		.trust = control->client->server_trust,
		.sni = sni,
		.display = control->ask->display };

	control->state = CONTROL_CONNECT;
	control->dial =
	    backend_dial(control->client, &to, connected_cb, control);
}

static void
not_found(struct control *control, const struct discover_result *result)
{
	snprintf(control->no_ltp, sizeof(control->no_ltp), "%s", result->why);
	if (result->is_other)
		speak_node(control);
	else
		control_end(control,
		    result->is_permanent ? CONTROL_NO_SERVER
					 : CONTROL_UNREACHABLE,
		    "", result->why);
}

static void
found_cb(void *arg, const struct discover_result *result)
{
	struct control *control = arg;
	const struct options *options = control->client->options;
	char backend[NET_TEXT_MAX];

	control->discover = NULL;
	if (!result->is_found) {
		not_found(control, result);
		return;
	}
	display_detail(control->ask->display, "%s is %s; its backend is %s",
	    options->server.authority,
	    result->is_ltserver ? "an ltserver"
				: "an old server, which speaks LTP/0.2 only",
	    net_addr_text(&result->backend, backend));
	control->is_ltserver = result->is_ltserver;
	start_dial(control, &result->backend, NULL);
	if (control->dial == NULL)
		control_end(control, CONTROL_UNREACHABLE, "", "out of memory");
}

/* The one port of a server with TLS; nobody but an ltserver agrees on LTP
 * there. */
static void
start_tls(struct control *control)
{
	control->is_ltserver = true;
	start_dial(control, NULL, control->ask->sni);
}

/* --- from outside ----------------------------------------------------------
 */

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

bool
control_is_node(const struct control *control)
{
	return control->language == &nodelink_language;
}

const char *
control_cached_url(const struct control *control)
{
	return control->cached_url != NULL ? control->cached_url : "";
}

void
control_unserved(struct control *control, const char *why)
{
	control->language->unserved(control->link, why);
}

void
control_goodbye(struct control **controlp, const char *text)
{
	struct control *control = *controlp;

	if (control == NULL)
		return;
	/* An old server takes nothing but a request before its answer. */
	if (control->state == CONTROL_UP ||
	    (control->state == CONTROL_REPLY && control->is_ltserver))
		control->language->goodbye(control->link, text);
	control_free(controlp);
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
	if (control->link != NULL)
		control->language->free(control->link);
	free(control);
}
