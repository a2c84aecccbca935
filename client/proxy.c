/* SPDX-License-Identifier: ISC
 *
 * One proxy connection. Called by pool, which frees it when it has ended.
 * Owns both descriptors; the relay only borrows them. Must not touch itself
 * after it has told of its end.
 *
 *   CONNECT -> IDLE -> LOCAL -> JOINED  no descriptor is left: LOCAL again
 *                        \---> REFUSE    no local service: an answer of ours
 *
 * Bytes of the visitor that come with the proxy reply are kept for the relay;
 * the others stay in the kernel until there is one.
 */
#define _GNU_SOURCE

#include "client/proxy.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/backend.h"
#include "client/client.h"
#include "client/counters.h"
#include "client/local.h"
#include "client/options.h"
#include "client/refusal.h"
#include "client/request.h"
#include "client/tell.h"
#include "client/trust.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/ltp.h"
#include "common/relay.h"
#include "common/stream.h"
#include "common/watch.h"

#define USER_TIMEOUT_MS 30000
#define ROOM_MS		5000 /* how long a visitor waits for descriptors */
#define ROOM_STEP_MS	50
#define READ_MAX	REFUSAL_EARLY_MAX
#define WHY_MAX		1280 /* what a dial says, and a hint */

struct proxy {
	struct client *client;
	struct service *service;
	const struct proxy_ops *ops;
	void *arg;
	const struct proxy_to *to;
	struct dial *dial;	 /* CONNECT: to the server; LOCAL */
	struct event *room;	 /* LOCAL: waiting for it */
	uint64_t joined_ms;	 /* when the visitor came */
	uint64_t number;	 /* of the visitor; 0: none yet */
	struct net_addr visitor; /* none: the server does not say */
	struct stream stream;	 /* to the server */
	struct stream local;	 /* to the local service */
	struct relay *relay;	 /* JOINED */
	char *early;		 /* read, and not yet dealt with */
	size_t early_len;	 /* at most READ_MAX */
	struct request *request; /* JOINED, if somebody wants to look */
	struct refusal *refusal; /* REFUSE */
	int error;		 /* why it could not be opened */
	unsigned left;		 /* to be read, as the watch tells it */
	bool is_open;		 /* the server has the request */
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
proxy_end(struct proxy *proxy, const char *why)
{
	proxy->ops->ended(proxy->arg, why);
}

/* Counts and tells it, once for each visitor. */
static void
account(const struct proxy *proxy, const char *why)
{
	uint64_t in = 0, out = 0;

	proxy_add_bytes(proxy, &in, &out);
	proxy->client->bytes_in += in;
	proxy->client->bytes_out += out;
	tell_end(proxy->service->options, proxy->number, why, in, out);
}

/* --- no local service ----------------------------------------------------- */

static void
refused_cb(void *arg)
{
	proxy_end(arg, NULL);
}

/* Tells the user, and the visitor if there is a page that he can read. */
static void
refuse(struct proxy *proxy, int error, const char *why)
{
	struct dial_result failure = { .error = error, .why = why };
	struct refusal_of of = {
		.client = proxy->client,
		.service = proxy->service,
		.stream = &proxy->stream,
		.early = proxy->early,
		.early_len = proxy->early_len,
		.is_headless = proxy->relay != NULL,
		.failure = &failure,
	};

	local_tell_away(proxy->service, why);
	if (proxy->service->options->kind == NULL)
		proxy->refusal = refusal_start(&of, refused_cb, proxy);
	if (proxy->refusal == NULL)
		proxy_end(proxy, NULL);
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

static void
refuse_late(struct proxy *proxy)
{
	const char *of_tls = tls_why(proxy->local.tls);
	char why[WHY_MAX];

	snprintf(why, sizeof(why), "it broke off%s%s%s",
	    of_tls[0] != '\0' ? " (" : "", of_tls,
	    of_tls[0] != '\0' ? ")" : "");
	refuse(proxy, EPROTO, why);
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

	account(proxy, words[end]);
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
	/* A bare one may be used again: it must not end in the middle. */
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
	if (proxy->room == NULL)
		proxy->room = evtimer_new(proxy->client->base, room_cb, proxy);
	return proxy->room != NULL && evtimer_add(proxy->room, &span) == 0;
}

static void
local_cb(void *arg, const struct dial_result *to)
{
	struct proxy *proxy = arg;
	char why[WHY_MAX];

	proxy->dial = NULL;
	if (to->stream.fd != -1) {
		proxy->local = to->stream;
		tell_joined(proxy->service->options, proxy->number, to->addr);
		if (join(proxy) == -1) {
			account(proxy, "out of memory");
			proxy_end(proxy, NULL);
		}
	} else if (!wait_for_room(proxy, to->error)) {
		snprintf(why, sizeof(why), "%s%s", to->why,
		    trust_local_hint(to->cert));
		account(proxy, why);
		refuse(proxy, to->error, why);
	}
}

static void
dial_local(struct proxy *proxy)
{
	struct net_addr addr;
	struct dial_result now = { .stream = STREAM_NONE, .addr = &addr };

	now.stream.fd =
	    local_dial_at_once(proxy->service, proxy->early_len > 0, &addr);
	if (now.stream.fd != -1) {
		local_cb(proxy, &now);
		return;
	}
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
	proxy->number = ++proxy->client->counters->visitors;
	tell_visitor(proxy->service->options, proxy->number, peer);
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

/* --- the way to the server ------------------------------------------------ */

static void
opened(struct proxy *proxy)
{
	proxy->is_open = true;
	if (proxy->to->is_ours)
		net_ack_later(proxy->stream.fd);
	proxy->ops->opened(proxy->arg);
}

/* A new socket takes a few hundred bytes whole, or is dead. -1 and errno,
 * EAGAIN: it is not connected yet. */
static int
greet(struct proxy *proxy)
{
	ssize_t n = stream_write(
	    &proxy->stream, proxy->to->hello, proxy->to->hello_len);

	if (n != -1 && (size_t)n != proxy->to->hello_len)
		errno = ENOBUFS;
	return (size_t)n == proxy->to->hello_len ? 0 : -1;
}

static void
called_cb(int fd, unsigned what, void *arg)
{
	struct proxy *proxy = arg;
	struct watch_set *watches = proxy->client->watches;

	if (greet(proxy) == 0) {
		opened(proxy);
		watch_pause(watches, fd, what);
		idle_cb(fd, watch_resume(watches, fd, idle_cb, proxy), proxy);
	} else if (errno != EAGAIN) {
		if (proxy->error == 0)
			proxy->error = errno;
		watch_stop(watches, fd);
		stream_close(&proxy->stream);
		proxy_end(proxy, strerror(proxy->error));
	}
}

/* In clear and straight nothing is needed but the socket. False, and nothing is
 * done, if that fails at once: nobody may hear of it now. */
static bool
call(struct proxy *proxy)
{
	int fd = net_connect(&proxy->to->addr, !proxy->to->is_bare);
	bool is_on_its_way;

	if (fd == -1)
		return false;
	proxy->stream.fd = fd;
	is_on_its_way = greet(proxy) == -1;
	if ((is_on_its_way && errno != EAGAIN) ||
	    watch_start(proxy->client->watches, fd,
		is_on_its_way ? WATCH_IN | WATCH_OUT : WATCH_IN,
		is_on_its_way ? called_cb : idle_cb, proxy) == -1) {
		stream_close(&proxy->stream);
		return false;
	}
	if (!is_on_its_way)
		opened(proxy);
	return true;
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
	opened(proxy);
	if (!trust_is_ltp(&proxy->stream))
		proxy_end(proxy, "the server does not speak LTP");
	else if (greet(proxy) == -1 ||
		 watch_start(proxy->client->watches, proxy->stream.fd,
		     WATCH_IN | WATCH_OUT, idle_cb, proxy) == -1)
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
	if (backend_is_plain(client, &to) && call(proxy))
		return proxy;
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
	if (!proxy->is_open) {
		/* The watch tells, as of all that becomes of it. */
		proxy->error = ETIMEDOUT;
		shutdown(proxy->stream.fd, SHUT_RDWR);
		return;
	}
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
	if (proxy->room != NULL)
		event_free(proxy->room);
	refusal_free(proxy->refusal);
	drop_early(proxy);
	relay_free(proxy->relay);
	if (proxy->stream.fd != -1)
		watch_stop(proxy->client->watches, proxy->stream.fd);
	request_free(proxy->request);
	stream_close(&proxy->stream);
	stream_close(&proxy->local);
	free(proxy);
}
