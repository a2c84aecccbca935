/* SPDX-License-Identifier: ISC
 *
 * Opens connections. Called by discover, control, proxy and local. Owns the
 * connection until it is ready for use. The time is shared out evenly among the
 * addresses, so that a dead first one leaves some for the others; but the first
 * that takes the connection is the one, whatever comes of the handshake.
 */
#include "client/dial.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "client/display.h"
#include "client/resolve.h"
#include "client/trust.h"
#include "common/clock.h"
#include "common/proxyproto.h"

#define WHY_MAX 256

struct dial {
	struct event_base *base;
	dial_fn fn;
	void *arg;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* or "" */
	struct net_addr addrs[RESOLVE_MAX];
	size_t n;
	size_t next;		   /* index of the address to try next */
	const struct trust *trust; /* NULL: no TLS */
	const char *sni;
	int proxy_protocol;
	struct net_addr caller;
	uint64_t timeout_ms;	       /* of each */
	uint64_t deadline_ms;	       /* of this one */
	const struct display *display; /* or NULL */
	struct resolve *look;	       /* NULL unless it is under way */
	struct event io;	       /* the socket is ready, or it is late */
	struct event start;	       /* tries the next address */
	struct stream stream;	       /* none unless connecting */
	int error;
	enum tls_cert cert;
};

static void dial_free(struct dial *);

/* The one way out: frees the dial, then tells. `got` is the connection, or
 * NULL. */
static void
dial_end(struct dial *dial, struct stream *got, const char *why)
{
	dial_fn fn = dial->fn;
	void *arg = dial->arg;
	struct net_addr addr = { 0 };
	struct dial_result result = {
		.stream = STREAM_NONE, .error = dial->error, .cert = dial->cert
	};

	if (got != NULL)
		result.stream = stream_take(got);
	if (dial->next > 0 && dial->path[0] == '\0') {
		addr = dial->addrs[dial->next - 1];
		result.addr = &addr;
	}
	if (got == NULL)
		result.why = why != NULL ? why : strerror(dial->error);
	dial_free(dial);
	fn(arg, &result);
}

static void
dial_free(struct dial *dial)
{
	resolve_stop(&dial->look);
	event_del(&dial->io);
	evtimer_del(&dial->start);
	stream_close(&dial->stream);
	free(dial);
}

/* Tells how the address that was tried last did. */
static void
tell(const struct dial *dial, const char *what)
{
	char addr[NET_TEXT_MAX];

	if (dial->display != NULL && dial->path[0] == '\0')
		display_detail(dial->display, "%s: %s",
		    net_addr_text(&dial->addrs[dial->next - 1], addr), what);
}

static void
try_next(struct dial *dial)
{
	if (dial->next >= dial->n)
		dial_end(dial, NULL, NULL);
	else
		event_active(&dial->start, EV_TIMEOUT, 0);
}

/* Waits for the socket, as long as the address may take. */
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
	    &dial->caller,
	    dial->path[0] != '\0' ? &nowhere : &dial->addrs[dial->next - 1]);
	n = stream_write(&dial->stream, header, (size_t)len);
	if (n != -1 && n != len)
		errno = ENOBUFS;
	return n == len ? 0 : -1;
}

/* With this address it came to nothing. */
static void
failed(struct dial *dial, int error)
{
	dial->error = error;
	tell(dial, strerror(error));
	stream_close(&dial->stream);
	try_next(dial);
}

static void
connected(struct dial *dial)
{
	tell(dial, "connected");
	if (introduce(dial) == -1) {
		failed(dial, errno);
		return;
	}
	dial->error = 0;
	if (dial->trust == NULL)
		dial_end(dial, &dial->stream, NULL);
	else
		start_tls(dial);
}

static void
io_cb(int fd, short what, void *arg)
{
	int error = what & EV_TIMEOUT ? ETIMEDOUT : net_error(fd);

	if (error == 0)
		connected(arg);
	else
		failed(arg, error);
}

static void
start_cb(int fd, short what, void *arg)
{
	struct dial *dial = arg;

	(void)fd;
	(void)what;
	if (dial->path[0] != '\0')
		dial->stream.fd = net_connect_unix(dial->path);
	else
		dial->stream.fd = net_connect(&dial->addrs[dial->next]);
	dial->error = errno;
	dial->next++;
	tell(dial, "connecting");
	dial->deadline_ms = clock_ms() + dial->timeout_ms;
	if (dial->stream.fd == -1)
		try_next(dial);
	else if (net_is_connected(dial->stream.fd))
		connected(dial);
	else
		wait_for(dial, EV_WRITE, io_cb);
}

static void
set_addrs(struct dial *dial, const struct net_addr *addrs, size_t n)
{
	if (n > 0)
		memcpy(dial->addrs, addrs, n * sizeof(*addrs));
	dial->n = n;
	dial->timeout_ms /= n > 0 ? n : 1;
	event_active(&dial->start, EV_TIMEOUT, 0);
}

static void
found_cb(void *arg, const struct net_addr *addrs, size_t n, const char *why)
{
	struct dial *dial = arg;

	dial->look = NULL;
	if (n == 0)
		dial_end(dial, NULL, why);
	else
		set_addrs(dial, addrs, n);
}

/* Says where to go, at once or by a look-up. */
static int
aim(struct dial *dial, const struct dial_to *to)
{
	struct net_addr addrs[RESOLVE_MAX];
	size_t n;

	if (to->path != NULL) {
		if (strlen(to->path) >= sizeof(dial->path))
			return -1;
		strcpy(dial->path, to->path);
		set_addrs(dial, NULL, 0);
		dial->n = 1;
		return 0;
	}
	if (to->addr != NULL) {
		set_addrs(dial, to->addr, 1);
		return 0;
	}
	n = resolve_now(to->host, to->port, addrs);
	if (n > 0) {
		set_addrs(dial, addrs, n);
		return 0;
	}
	if (to->display != NULL)
		display_detail(to->display, "looking up %s", to->host);
	dial->look =
	    resolve_start(dial->base, to->host, to->port, found_cb, dial);
	return dial->look == NULL ? -1 : 0;
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
	evtimer_assign(&dial->io, base, io_cb, dial);
	if (aim(dial, to) == -1) {
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
