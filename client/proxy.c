/* SPDX-License-Identifier: ISC
 *
 * One proxy connection. Called by pool, which frees it when it has ended.
 * Owns both descriptors; the relay only borrows them. Must not touch itself
 * after it has told of its end.
 *
 *   CONNECT -> IDLE -> LOCAL -> JOINED  no descriptor is left: LOCAL again
 *                        \---> REFUSE    no local service: an answer of ours
 *
 * Of the visitor's bytes those are read that come with the proxy reply; they
 * are kept for the relay, and the others stay in the kernel until there is one.
 */
#define _GNU_SOURCE

#include "client/proxy.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/backend.h"
#include "client/client.h"
#include "client/local.h"
#include "client/options.h"
#include "client/request.h"
#include "client/trust.h"
#include "common/clock.h"
#include "common/drain.h"
#include "common/http.h"
#include "common/log.h"
#include "common/ltp.h"
#include "common/net.h"
#include "common/relay.h"
#include "common/stream.h"
#include "common/watch.h"

#define REFUSE_TIMEOUT_MS 2000 /* for the head of a request without service */
#define USER_TIMEOUT_MS	  30000
#define ROOM_MS		  5000 /* how long a visitor waits for descriptors */
#define ROOM_STEP_MS	  50
#define READ_MAX	  (LTP_FRAME_MAX + 4)

struct proxy {
	struct client *client;
	struct service *service;
	const struct proxy_ops *ops;
	void *arg;
	const struct proxy_to *to;
	struct dial *dial;	 /* CONNECT: to the server; LOCAL */
	struct event *event;	 /* REFUSE; LOCAL: waiting for room */
	uint64_t joined_ms;	 /* when the visitor came */
	uint64_t number;	 /* of the visitor; 0: none yet */
	struct net_addr visitor; /* none: the server does not say */
	struct stream stream;	 /* to the server */
	struct stream local;	 /* to the local service */
	struct relay *relay;	 /* JOINED */
	char *early;		 /* read, and not yet dealt with */
	size_t early_len;	 /* at most READ_MAX */
	struct request *request; /* JOINED, if somebody wants to look */
	int error;		 /* REFUSE: why there is no local service; or
				    why there is no connection at all */
	char *why;		 /* the same in words */
	unsigned left;		 /* to be read, as the watch tells it */
	bool has_timeout;	 /* an idle one of some age has */
};

/* Keeps what was read for whoever wants it; -1 without memory. */
static int
keep_early(struct proxy *proxy, const char *buf, size_t len)
{
	if (len == 0)
		return 0;
	if ((proxy->early = malloc(len)) == NULL)
		return -1;
	memcpy(proxy->early, buf, len);
	proxy->early_len = len;
	return 0;
}

static void
drop_early(struct proxy *proxy)
{
	free(proxy->early);
	proxy->early = NULL;
	proxy->early_len = 0;
}

static void
stop_waiting(struct proxy *proxy)
{
	if (proxy->event != NULL)
		event_free(proxy->event);
	proxy->event = NULL;
}

static void
proxy_end(struct proxy *proxy, const char *why)
{
	proxy->ops->ended(proxy->arg, why);
}

/* Waits with an event, which few ever need: for a time, and for news from the
 * server, told of once each, unless fd is -1. What TLS has read from the socket
 * already is told of by nobody. */
static int
wait_for(
    struct proxy *proxy, int fd, event_callback_fn fn, const struct timeval *tv)
{
	short what = fd == -1 ? 0 : EV_READ | EV_CLOSED | EV_ET | EV_PERSIST;

	stop_waiting(proxy);
	proxy->event = event_new(proxy->client->base, fd, what, fn, proxy);
	if (proxy->event == NULL || event_add(proxy->event, tv) == -1)
		return -1;
	if (fd != -1 && proxy->stream.tls != NULL)
		event_active(proxy->event, EV_READ, 0);
	return 0;
}

/* Keeps why there is no local service. */
__attribute__((format(printf, 2, 3))) static void
set_why(struct proxy *proxy, const char *fmt, ...)
{
	va_list args;

	free(proxy->why);
	va_start(args, fmt);
	if (vasprintf(&proxy->why, fmt, args) == -1)
		proxy->why = NULL;
	va_end(args);
}

static const char *
why_of(const struct proxy *proxy)
{
	return proxy->why != NULL ? proxy->why : "out of memory";
}

/* --- what --verbose hears ------------------------------------------------- */

static void
tell_visitor(const struct proxy *proxy, const char *peer)
{
	char text[128];

	if (peer == NULL)
		peer = "the server does not say from where";
	display_detail(&proxy->service->options->display,
	    "visitor %ju has come: %s", (uintmax_t)proxy->number,
	    log_escape(text, sizeof(text), peer, strlen(peer)));
}

static void
tell_joined(const struct proxy *proxy, const struct dial_result *to)
{
	const struct tunnel_options *options = proxy->service->options;
	char text[TARGET_TEXT_MAX];

	/* To write an address costs more than all else that a join does. */
	if (!options->display.verbose)
		return;
	display_detail(&options->display, "visitor %ju joined with %s",
	    (uintmax_t)proxy->number,
	    to->addr != NULL ? net_addr_text(to->addr, text)
			     : target_text(&options->target, text));
}

/* Counts and tells it, once for each visitor. */
static void
tell_end(const struct proxy *proxy, const char *why)
{
	uint64_t in = 0, out = 0;

	proxy_add_bytes(proxy, &in, &out);
	proxy->client->bytes_in += in;
	proxy->client->bytes_out += out;
	display_detail(&proxy->service->options->display,
	    "visitor %ju ended: %s, %ju bytes in, %ju out",
	    (uintmax_t)proxy->number, why, (uintmax_t)in, (uintmax_t)out);
}

/* --- no local service ----------------------------------------------------- */

static void
refuse(struct proxy *proxy, const char *head, size_t len)
{
	struct dial_result failure = { .error = proxy->error,
		.why = why_of(proxy) };
	struct evbuffer *page = evbuffer_new();

	if (page != NULL &&
	    local_page(proxy->service, &failure, head, len, page) == 0)
		drain_start(proxy->client->drains, &proxy->stream,
		    evbuffer_pullup(page, -1), evbuffer_get_length(page));
	if (page != NULL)
		evbuffer_free(page);
	proxy_end(proxy, NULL);
}

/* Waits for the whole head: it says how the visitor wants to be answered. */
static void
refuse_cb(int fd, short what, void *arg)
{
	struct proxy *proxy = arg;
	char buf[READ_MAX + HTTP_HEAD_MAX];
	size_t len = proxy->early_len;
	struct http_head head;
	ssize_t n;
	bool is_last;

	(void)fd;
	memcpy(buf, len > 0 ? proxy->early : "", len);
	n = stream_peek(&proxy->stream, buf + len, HTTP_HEAD_MAX);
	is_last = n == 0 || (what & (EV_TIMEOUT | EV_CLOSED)) != 0;
	if (n == -1 && errno != EAGAIN) {
		proxy_end(proxy, NULL);
		return;
	}
	if (n > 0)
		len += (size_t)n;
	if (!is_last &&
	    (len == 0 || http_head(&head, buf, len, NULL) == HTTP_MORE))
		return;
	stop_waiting(proxy);
	refuse(proxy, buf, len);
}

static void
start_refusal(struct proxy *proxy, const struct dial_result *to)
{
	struct timeval timeout = clock_span(REFUSE_TIMEOUT_MS);

	proxy->error = to->error;
	set_why(proxy, "%s%s", to->why, trust_local_hint(to->cert));
	tell_end(proxy, why_of(proxy));
	local_tell_away(proxy->service, why_of(proxy));
	/* A page would be no answer to a visitor who speaks TLS. */
	if (proxy->service->options->kind != NULL) {
		proxy_end(proxy, NULL);
		return;
	}
	if (wait_for(proxy, proxy->stream.fd, refuse_cb, &timeout) == -1)
		proxy_end(proxy, NULL);
	else
		/* Of what was read already nobody tells. */
		refuse_cb(proxy->stream.fd, 0, proxy);
}

/* --- joined --------------------------------------------------------------- */

static void
inspect(void *arg, struct relay_view *view)
{
	struct proxy *proxy = arg;

	request_inspect(proxy->request, view);
}

/* True if the visitor has had no byte from a service with TLS that broke off:
 * what that has against us, such as that it wants a certificate, it may say
 * after the handshake only. */
static bool
is_unanswered(const struct proxy *proxy, enum relay_end end)
{
	return end == RELAY_END_RESET_B && proxy->local.tls != NULL &&
	       relay_bytes(proxy->relay, RELAY_B_TO_A) == 0;
}

/* The head of the request is gone; the page has to do without. */
static void
refuse_late(struct proxy *proxy)
{
	const char *why = tls_why(proxy->local.tls);

	proxy->error = EPROTO;
	set_why(proxy, "it broke off%s%s%s", why[0] != '\0' ? " (" : "", why,
	    why[0] != '\0' ? ")" : "");
	local_tell_away(proxy->service, why_of(proxy));
	refuse(proxy, "", 0);
}

static void
relay_done(void *arg, enum relay_end end)
{
	static const char *const words[] = {
		[RELAY_END_EOF] = "both sides have ended",
		[RELAY_END_RESET_A] = "the visitor broke off",
		[RELAY_END_RESET_B] = "the local service broke off",
		[RELAY_END_INSPECTOR] = "out of memory",
		[RELAY_END_NO_MEMORY] = "out of memory",
	};
	struct proxy *proxy = arg;

	tell_end(proxy, words[end]);
	if (is_unanswered(proxy, end)) {
		refuse_late(proxy);
		return;
	}
	if (end == RELAY_END_RESET_A || end == RELAY_END_NO_MEMORY)
		net_reset_on_close(proxy->local.fd);
	if (end == RELAY_END_RESET_B || end == RELAY_END_NO_MEMORY)
		net_reset_on_close(proxy->stream.fd);
	proxy_end(proxy, NULL);
}

/* The relay: A is the proxy connection, B the local one. */
static int
join(struct proxy *proxy)
{
	static const struct relay_ops ops = { inspect, relay_done };
	const struct client *client = proxy->client;

	proxy->relay = relay_new(
	    client->relays, &proxy->stream, &proxy->local, &ops, proxy);
	if (proxy->relay == NULL ||
	    (proxy->early_len > 0 && relay_preload(proxy->relay, RELAY_A_TO_B,
					 proxy->early, proxy->early_len) == -1))
		return -1;
	drop_early(proxy);
	/* A bare one may be used again, and is not to be ended in the middle.
	 */
	if (proxy->to->is_bare || request_is_wanted(proxy->service->options)) {
		proxy->request =
		    request_new(proxy->service->options, proxy->relay);
		if (proxy->request == NULL)
			return -1;
		relay_inspect(proxy->relay, RELAY_A_TO_B);
		relay_inspect(proxy->relay, RELAY_B_TO_A);
	}
	return relay_start(proxy->relay);
}

static void dial_local(struct proxy *);

static void
room_cb(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	dial_local(arg);
}

/* No descriptor is left until another visitor has gone. An idle connection is
 * never closed for it: the server may just be joining it with a visitor. */
static bool
wait_for_room(struct proxy *proxy, int error)
{
	struct timeval span = clock_span(ROOM_STEP_MS);

	if ((error != EMFILE && error != ENFILE) ||
	    clock_ms() - proxy->joined_ms >= ROOM_MS)
		return false;
	return wait_for(proxy, -1, room_cb, &span) == 0;
}

static void
local_cb(void *arg, const struct dial_result *to)
{
	struct proxy *proxy = arg;

	proxy->dial = NULL;
	if (to->stream.fd != -1) {
		proxy->local = to->stream;
		tell_joined(proxy, to);
		if (join(proxy) == -1) {
			tell_end(proxy, "out of memory");
			proxy_end(proxy, NULL);
		}
	} else if (!wait_for_room(proxy, to->error)) {
		start_refusal(proxy, to);
	}
}

static void
dial_local(struct proxy *proxy)
{
	proxy->dial = local_dial(
	    proxy->client, proxy->service, &proxy->visitor, local_cb, proxy);
	if (proxy->dial == NULL)
		proxy_end(proxy, NULL);
}

/* --- idle ----------------------------------------------------------------- */

/* A visitor has come, from there if the server says so. */
static void
meet_visitor(struct proxy *proxy, const char *peer)
{
	/* From here on a side that reads slowly is not a dead one. */
	if (proxy->has_timeout)
		net_user_timeout(proxy->stream.fd, 0);
	watch_pause(proxy->client->watches, proxy->stream.fd, proxy->left);
	proxy->stream.is_watched = true;
	proxy->joined_ms = clock_ms();
	proxy->number = ++proxy->client->visitors;
	tell_visitor(proxy, peer);
	if (peer == NULL || net_addr_read(&proxy->visitor, peer) == -1)
		memset(&proxy->visitor, 0, sizeof(proxy->visitor));
	proxy->ops->joined(proxy->arg);
	dial_local(proxy);
}

/* Understands the one frame that ends the idle time. */
static void
take_reply(struct proxy *proxy, const char *json, size_t len)
{
	struct ltp_message message = { 0 };
	const char *why;
	char text[256];

	if (ltp_parse(&message, LTP_FROM_SERVER, json, len, &why) != LTP_OK) {
		proxy_end(proxy, why);
		return;
	}
	if (message.type != LTP_PROXY_REPLY) {
		why = message.type == LTP_ERROR && message.text != NULL
			  ? message.text
			  : "not a proxy reply";
		log_escape(text, sizeof(text), why, strlen(why));
		ltp_message_fini(&message);
		proxy_end(proxy, text);
		return;
	}
	meet_visitor(proxy, message.peer);
	ltp_message_fini(&message);
}

/* Acts on what the server has said so far; true if that is not all of it. */
static bool
understand(struct proxy *proxy, const char *buf, size_t n)
{
	size_t len = 0, used = 0;
	enum ltp_result found =
	    proxy->to->is_bare ? LTP_OK : ltp_frame(buf, n, &len);

	if (found == LTP_OK && !proxy->to->is_bare)
		used = 4 + len;
	if (found == LTP_BAD)
		proxy_end(proxy, "the server does not speak LTP");
	else if (keep_early(proxy, buf + used, n - used) == -1)
		proxy_end(proxy, "out of memory");
	else if (found == LTP_MORE)
		return true;
	else if (used > 0)
		take_reply(proxy, buf + 4, len);
	else
		meet_visitor(proxy, NULL);
	return false;
}

/* Reads once, behind what was read before; true if there is more to wait for,
 * and perhaps to read: with TLS nobody tells of what it has read already. */
static bool
listen_once(struct proxy *proxy, unsigned what)
{
	char buf[READ_MAX];
	size_t old = proxy->early_len, room = sizeof(buf) - old;
	ssize_t n;

	memcpy(buf, old > 0 ? proxy->early : "", old);
	n = stream_read(&proxy->stream, buf + old, room);
	if (n == -1 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		proxy_end(proxy, n == 0 || errno == TLS_NOT_SHUT
				     ? "closed by the server"
				     : strerror(errno));
		return false;
	}
	drop_early(proxy);
	proxy->left = what & WATCH_HUP;
	if (proxy->left != 0 || (size_t)n == room)
		proxy->left |= WATCH_IN;
	return understand(proxy, buf, old + (size_t)n);
}

static void
idle_cb(int fd, unsigned what, void *arg)
{
	struct proxy *proxy = arg;

	(void)fd;
	/* TLS may have read already what the socket does not have any more. */
	if ((what & ~WATCH_OUT) == 0 && proxy->stream.tls == NULL)
		return;
	while (listen_once(proxy, what))
		continue;
}

static void
connected_cb(void *arg, const struct dial_result *to)
{
	struct proxy *proxy = arg;

	proxy->dial = NULL;
	if (to->stream.fd == -1) {
		proxy->error = to->error;
		proxy_end(proxy, to->why);
		return;
	}
	proxy->stream = to->stream;
	proxy->ops->opened(proxy->arg);
	if (!trust_is_ltp(&proxy->stream)) {
		proxy_end(proxy, "the server does not speak LTP");
		return;
	}
	/* A new socket takes a few hundred bytes whole, or is dead. */
	if (stream_write(&proxy->stream, proxy->to->hello,
		proxy->to->hello_len) != (ssize_t)proxy->to->hello_len ||
	    watch_start(
		proxy->client->watches, proxy->stream.fd, idle_cb, proxy) == -1)
		proxy_end(proxy, "the request could not be sent");
}

struct proxy *
proxy_start(struct client *client, struct service *service,
    const struct proxy_to *where, const struct proxy_ops *ops, void *arg)
{
	struct backend_to to = { .addr = &where->addr,
		.trust = where->is_bare ? NULL : client->server_trust,
		.sni = where->sni };
	struct proxy *proxy = calloc(1, sizeof(*proxy));

	if (proxy == NULL)
		return NULL;
	proxy->client = client;
	proxy->service = service;
	proxy->ops = ops;
	proxy->arg = arg;
	proxy->to = where;
	proxy->stream = proxy->local = (struct stream)STREAM_NONE;
	proxy->dial = backend_dial(client, &to, connected_cb, proxy);
	if (proxy->dial == NULL) {
		free(proxy);
		return NULL;
	}
	return proxy;
}

void
proxy_settle(struct proxy *proxy)
{
	if (proxy->stream.fd == -1)
		return;
	net_keepalive(proxy->stream.fd);
	if (proxy->local.fd != -1)
		net_keepalive(proxy->local.fd);
	if (proxy->joined_ms == 0) {
		net_user_timeout(proxy->stream.fd, USER_TIMEOUT_MS);
		proxy->has_timeout = true;
	}
}

bool
proxy_is_refused(const struct proxy *proxy)
{
	return proxy->stream.fd == -1 && proxy->error == ECONNREFUSED;
}

bool
proxy_is_between(const struct proxy *proxy)
{
	return proxy->request != NULL && request_is_answered(proxy->request) &&
	       relay_is_empty(proxy->relay, RELAY_A_TO_B) &&
	       relay_is_empty(proxy->relay, RELAY_B_TO_A);
}

void
proxy_add_bytes(const struct proxy *proxy, uint64_t *in, uint64_t *out)
{
	if (proxy->relay == NULL)
		return;
	*in += relay_bytes(proxy->relay, RELAY_A_TO_B);
	*out += relay_bytes(proxy->relay, RELAY_B_TO_A);
}

void
proxy_free(struct proxy **proxyp)
{
	struct proxy *proxy = *proxyp;

	*proxyp = NULL;
	if (proxy == NULL)
		return;
	dial_stop(&proxy->dial);
	stop_waiting(proxy);
	free(proxy->why);
	drop_early(proxy);
	relay_free(proxy->relay);
	if (proxy->stream.fd != -1)
		watch_stop(proxy->client->watches, proxy->stream.fd);
	request_free(proxy->request);
	stream_close(&proxy->stream);
	stream_close(&proxy->local);
	free(proxy);
}
