/* SPDX-License-Identifier: ISC
 *
 * Opens connections. Called by discover, backend, diagnose and local. Owns the
 * connection until it is ready for use.
 *
 *   look up -> race -> ask the proxy -> shake hands
 *
 * The first address that takes the connection is the one, whatever comes of
 * what follows.
 */
#include "client/dial.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/connect.h"
#include "client/display.h"
#include "client/race.h"
#include "client/resolve.h"
#include "client/trust.h"
#include "client/way.h"
#include "common/clock.h"
#include "common/proxyproto.h"

#define WHY_MAX	  1024
#define PIECE_MAX 512 /* of a proxy's answer, read at once */

struct dial {
	struct event_base *base;
	dial_fn fn;
	void *arg;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* or "" */
	struct net_addr addrs[RESOLVE_MAX];
	size_t n;
	struct net_addr addr;	   /* that has the connection, or failed last */
	const struct way *way;	   /* NULL: straight */
	char *host;		   /* to ask the proxy for */
	uint16_t port;		   /* of that */
	const struct trust *trust; /* NULL: no TLS */
	const char *sni;
	int proxy_protocol;
	struct net_addr caller;
	uint64_t timeout_ms;
	uint64_t deadline_ms;	       /* once the addresses are known */
	const struct display *display; /* or NULL */
	struct resolve *look;	       /* NULL unless it is under way */
	struct race *race;	       /* likewise */
	struct connect_answer answer;  /* of the proxy */
	struct event io;	       /* the socket is ready, or it is late */
	struct event start;	       /* begins */
	struct stream stream;	       /* none until connected */
	int error;
	bool is_permanent;
	enum tls_cert cert;
};

_Static_assert(RESOLVE_MAX <= RACE_MAX, "all addresses can be tried");

static void dial_free(struct dial *);

/* The one way out: frees the dial, then tells. `got` is the connection, or
 * NULL. */
static void
dial_end(struct dial *dial, struct stream *got, const char *why)
{
	dial_fn fn = dial->fn;
	void *arg = dial->arg;
	struct net_addr addr = dial->addr;
	struct dial_result result = { .stream = STREAM_NONE,
		.error = dial->error,
		.is_permanent = dial->is_permanent,
		.cert = dial->cert };

	if (got != NULL)
		result.stream = stream_take(got);
	if (addr.sa.sa_family != AF_UNSPEC)
		result.addr = &addr;
	if (dial->way != NULL)
		net_addr_from(&addr, DIAL_BEHIND, dial->port);
	if (got == NULL)
		result.why = why != NULL ? why : strerror(dial->error);
	dial_free(dial);
	fn(arg, &result);
}

static void
dial_free(struct dial *dial)
{
	resolve_stop(&dial->look);
	race_stop(&dial->race);
	event_del(&dial->io);
	evtimer_del(&dial->start);
	stream_close(&dial->stream);
	free(dial->host);
	free(dial);
}

/* Nobody has taken the connection. */
static void
nobody(struct dial *dial, const char *reason)
{
	char why[WHY_MAX];

	if (dial->way == NULL) {
		dial_end(dial, NULL, reason);
		return;
	}
	snprintf(
	    why, sizeof(why), "the proxy %s: %s", dial->way->authority, reason);
	dial_end(dial, NULL, why);
}

static void
tell(const struct dial *dial, const char *what)
{
	char addr[NET_TEXT_MAX];

	if (dial->display != NULL)
		display_detail(dial->display, "%s: %s",
		    net_addr_text(&dial->addr, addr), what);
}

/* Waits for the socket, as long as it may all take. */
static void
wait_for(struct dial *dial, short what, event_callback_fn fn)
{
	struct timeval timeout = clock_until(dial->deadline_ms);

	event_assign(&dial->io, dial->base, dial->stream.fd, what, fn, dial);
	if (event_add(&dial->io, &timeout) == -1) {
		dial->error = ENOMEM;
		dial_end(dial, NULL, NULL);
	}
}

static void
shake_failed(struct dial *dial)
{
	static const char *const what[] = {
		[TLS_CERT_GOOD] = "the TLS handshake has failed",
		[TLS_CERT_UNKNOWN] = "its certificate is not to be trusted",
		[TLS_CERT_NAME] = "its certificate is for another host",
		[TLS_CERT_DATE] = "its certificate is out of date",
	};
	char why[WHY_MAX];

	dial->error = errno;
	dial->cert = tls_cert_fault(dial->stream.tls);
	snprintf(why, sizeof(why), "%s (%s)", what[dial->cert],
	    tls_why(dial->stream.tls));
	tell(dial, why);
	dial_end(dial, NULL, why);
}

static void
shake_cb(int fd, short event, void *arg)
{
	struct dial *dial = arg;

	(void)fd;
	if (event & EV_TIMEOUT) {
		dial->error = ETIMEDOUT;
		dial_end(dial, NULL, "the TLS handshake takes too long");
		return;
	}
	switch (tls_handshake(dial->stream.tls)) {
	case TLS_OK:
		tell(dial, tls_is_resumed(dial->stream.tls)
			       ? "TLS session resumed"
			       : "TLS session begun");
		dial_end(dial, &dial->stream, NULL);
		break;
	case TLS_WANT_READ:
		wait_for(dial, EV_READ, shake_cb);
		break;
	case TLS_WANT_WRITE:
		wait_for(dial, EV_WRITE, shake_cb);
		break;
	case TLS_BAD:
		shake_failed(dial);
		break;
	}
}

static void
start_tls(struct dial *dial)
{
	const struct trust *trust = dial->trust;

	dial->stream.tls = tls_connect_new(trust->context, dial->stream.fd,
	    dial->sni != NULL ? dial->sni : trust->sni, trust->host);
	if (dial->stream.tls == NULL) {
		dial->error = ENOMEM;
		dial_end(dial, NULL, NULL);
		return;
	}
	shake_cb(dial->stream.fd, 0, dial);
}

/* The PROXY header, before anything else. A new socket takes it whole, or is
 * dead; errno says of what. */
static int
introduce(const struct dial *dial)
{
	static const struct net_addr nowhere;
	char header[PROXYPROTO_WRITE_MAX];
	ssize_t len, n;

	if (dial->proxy_protocol == 0)
		return 0;
	len = (ssize_t)proxyproto_write(header, dial->proxy_protocol,
	    &dial->caller, dial->path[0] != '\0' ? &nowhere : &dial->addr);
	n = stream_write(&dial->stream, header, (size_t)len);
	if (n != -1 && n != len)
		errno = ENOBUFS;
	return n == len ? 0 : -1;
}

static void
shake_hands(struct dial *dial)
{
	if (dial->trust == NULL)
		dial_end(dial, &dial->stream, NULL);
	else
		start_tls(dial);
}

/* --- the proxy on the way ---------------------------------------------------
 */

static void
proxy_failed(struct dial *dial, enum connect_fault fault)
{
	char why[CONNECT_WHY_MAX];

	dial->answer.fault = fault;
	dial->error = fault == CONNECT_LATE ? ETIMEDOUT : ECONNREFUSED;
	dial->is_permanent = connect_explain(
	    &dial->answer, dial->way, dial->host, dial->port, why);
	dial_end(dial, NULL, why);
}

static void
answer_cb(int fd, short what, void *arg)
{
	struct dial *dial = arg;
	char buf[PIECE_MAX];
	ssize_t n;

	(void)fd;
	if (what & EV_TIMEOUT) {
		proxy_failed(dial, CONNECT_LATE);
		return;
	}
	n = stream_read(&dial->stream, buf, sizeof(buf));
	if (n == 0 || (n == -1 && errno != EAGAIN)) {
		proxy_failed(dial, CONNECT_ENDED);
		return;
	}
	switch (connect_feed(&dial->answer, buf, n > 0 ? (size_t)n : 0)) {
	case HTTP_MORE:
		wait_for(dial, EV_READ, answer_cb);
		break;
	case HTTP_BAD:
		proxy_failed(dial, dial->answer.fault);
		break;
	case HTTP_OK:
		tell(dial, "the proxy is connected with the server");
		shake_hands(dial);
		break;
	}
}

/* A new socket takes the request whole, or is dead. */
static void
ask_proxy(struct dial *dial)
{
	char *request = connect_request(dial->way, dial->host, dial->port);
	ssize_t len = 0, n = -1;

	if (request != NULL) {
		len = (ssize_t)strlen(request);
		n = stream_write(&dial->stream, request, (size_t)len);
		explicit_bzero(request, (size_t)len);
	}
	free(request);
	connect_init(&dial->answer);
	if (n == len)
		wait_for(dial, EV_READ, answer_cb);
	else
		proxy_failed(dial, CONNECT_ENDED);
}

/* --- addresses -------------------------------------------------------------
 */

static void
connected(struct dial *dial, int fd)
{
	dial->stream.fd = fd;
	dial->error = introduce(dial) == -1 ? errno : 0;
	if (dial->error != 0)
		dial_end(dial, NULL, NULL);
	else if (dial->way != NULL)
		ask_proxy(dial);
	else
		shake_hands(dial);
}

static void
race_cb(void *arg, const struct race_result *result)
{
	struct dial *dial = arg;

	dial->race = NULL;
	dial->addr = result->addr;
	dial->error = result->error;
	if (result->fd != -1)
		connected(dial, result->fd);
	else
		nobody(dial, strerror(result->error));
}

static void
call_path(struct dial *dial)
{
	int fd = net_connect_unix(dial->path);

	dial->error = errno;
	if (fd != -1)
		connected(dial, fd);
	else
		dial_end(dial, NULL, NULL);
}

static void
start_cb(int fd, short what, void *arg)
{
	struct dial *dial = arg;
	struct race_to to = { .addrs = dial->addrs,
		.n = dial->n,
		.timeout_ms = dial->timeout_ms,
		.display = dial->display };

	(void)fd;
	(void)what;
	dial->deadline_ms = clock_ms() + dial->timeout_ms;
	if (dial->path[0] != '\0') {
		call_path(dial);
		return;
	}
	race_order(dial->addrs, dial->n);
	dial->race = race_start(dial->base, &to, race_cb, dial);
	if (dial->race == NULL) {
		dial->error = ENOMEM;
		dial_end(dial, NULL, NULL);
	}
}

static void
set_addrs(struct dial *dial, const struct net_addr *addrs, size_t n)
{
	memcpy(dial->addrs, addrs, n * sizeof(*addrs));
	dial->n = n;
	event_active(&dial->start, EV_TIMEOUT, 0);
}

static void
found_cb(void *arg, const struct net_addr *addrs, size_t n, const char *why)
{
	struct dial *dial = arg;

	dial->look = NULL;
	if (n == 0)
		nobody(dial, why);
	else
		set_addrs(dial, addrs, n);
}

/* Says where to go, at once or by a look-up. */
static int
aim(struct dial *dial, const struct dial_to *to)
{
	const char *host = to->way != NULL ? to->way->host : to->host;
	uint16_t port = to->way != NULL ? to->way->port : to->port;
	struct net_addr addrs[RESOLVE_MAX];
	size_t n;

	if (to->path != NULL) {
		if (strlen(to->path) >= sizeof(dial->path))
			return -1;
		strcpy(dial->path, to->path);
		event_active(&dial->start, EV_TIMEOUT, 0);
		return 0;
	}
	if (to->addr != NULL) {
		set_addrs(dial, to->addr, 1);
		return 0;
	}
	n = resolve_now(host, port, addrs);
	if (n > 0) {
		set_addrs(dial, addrs, n);
		return 0;
	}
	if (to->display != NULL)
		display_detail(to->display, "looking up %s", host);
	dial->look = resolve_start(dial->base, host, port, found_cb, dial);
	return dial->look == NULL ? -1 : 0;
}

/* Connects with a program on this machine; -1 and errno. */
static int
call_at_once(const struct net_addr *addr, bool speaks)
{
	int fd = net_connect(addr, speaks);
	int error;

	if (fd == -1 || net_is_connected(fd))
		return fd;
	error = net_error(fd);
	close(fd);
	errno = error != 0 ? error : EINPROGRESS;
	return -1;
}

int
dial_at_once(const struct dial_to *to, bool speaks, _Atomic unsigned *first,
    struct net_addr *addr)
{
	struct net_addr addrs[RESOLVE_MAX];
	unsigned at = atomic_load(first);
	size_t i, n;
	int fd;

	if (to->path != NULL || to->way != NULL || to->trust != NULL ||
	    to->proxy_protocol != 0)
		return -1;
	n = resolve_now(to->host, to->port, addrs);
	race_order(addrs, n);
	for (i = 0; i < n; i++, at++) {
		*addr = addrs[at % n];
		if (!net_addr_is_loopback(addr))
			break;
		fd = call_at_once(addr, speaks);
		if (fd != -1 && i > 0)
			atomic_store(first, (unsigned)(at % n));
		if (fd != -1 || errno == EINPROGRESS)
			return fd;
	}
	return -1;
}

struct dial *
dial_start(
    struct event_base *base, const struct dial_to *to, dial_fn fn, void *arg)
{
	struct dial *dial = calloc(1, sizeof(*dial));

	if (dial == NULL)
		return NULL;
	dial->base = base;
	dial->fn = fn;
	dial->arg = arg;
	dial->trust = to->trust;
	dial->sni = to->sni;
	dial->proxy_protocol = to->proxy_protocol;
	if (to->caller != NULL)
		dial->caller = *to->caller;
	dial->stream = (struct stream)STREAM_NONE;
	dial->timeout_ms = to->timeout_ms;
	dial->display = to->display;
	evtimer_assign(&dial->start, base, start_cb, dial);
	evtimer_assign(&dial->io, base, start_cb, dial);
	dial->way = to->way;
	dial->port = to->port;
	if (to->way != NULL)
		dial->host = strdup(to->host);
	if ((to->way != NULL && dial->host == NULL) || aim(dial, to) == -1) {
		dial_free(dial);
		return NULL;
	}
	return dial;
}

void
dial_stop(struct dial **dialp)
{
	struct dial *dial = *dialp;

	*dialp = NULL;
	if (dial != NULL)
		dial_free(dial);
}
