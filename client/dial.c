/* SPDX-License-Identifier: ISC
 *
 * Opens connections. Called by discover, control, proxy and local. Owns the
 * socket until it is connected. The time is shared out evenly among the
 * addresses, so that a dead first one leaves some for the others.
 */
#include "client/dial.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/display.h"
#include "client/resolve.h"
#include "common/clock.h"

struct dial {
	struct event_base *base;
	dial_fn fn;
	void *arg;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* or "" */
	struct net_addr addrs[RESOLVE_MAX];
	size_t n;
	size_t next;		       /* index of the address to try next */
	uint64_t timeout_ms;	       /* of each */
	const struct display *display; /* or NULL */
	struct resolve *look;	       /* NULL unless it is under way */
	struct event io;	       /* the socket writable, or too late */
	struct event start;	       /* tries the next address */
	int fd;			       /* -1 unless connecting */
	int error;
};

static void dial_free(struct dial *);

/* The one way out: frees the dial, then tells. */
static void
dial_end(struct dial *dial, int fd, const char *why)
{
	dial_fn fn = dial->fn;
	void *arg = dial->arg;
	struct net_addr addr = { 0 };
	struct dial_result result = { .fd = fd, .error = dial->error };

	if (dial->next > 0 && dial->path[0] == '\0') {
		addr = dial->addrs[dial->next - 1];
		result.addr = &addr;
	}
	result.why = why != NULL ? why : strerror(dial->error);
	dial->fd = fd == dial->fd ? -1 : dial->fd;
	dial_free(dial);
	fn(arg, &result);
}

static void
dial_free(struct dial *dial)
{
	resolve_stop(&dial->look);
	event_del(&dial->io);
	evtimer_del(&dial->start);
	if (dial->fd != -1)
		close(dial->fd);
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
		dial_end(dial, -1, NULL);
	else
		event_active(&dial->start, EV_TIMEOUT, 0);
}

static void
io_cb(int fd, short what, void *arg)
{
	struct dial *dial = arg;

	dial->error = what & EV_TIMEOUT ? ETIMEDOUT : net_error(fd);
	if (dial->error == 0) {
		tell(dial, "connected");
		dial_end(dial, fd, NULL);
		return;
	}
	tell(dial, strerror(dial->error));
	close(fd);
	dial->fd = -1;
	try_next(dial);
}

static void
start_cb(int fd, short what, void *arg)
{
	struct dial *dial = arg;
	struct timeval timeout = clock_span(dial->timeout_ms);

	(void)fd;
	(void)what;
	if (dial->path[0] != '\0')
		dial->fd = net_connect_unix(dial->path);
	else
		dial->fd = net_connect(&dial->addrs[dial->next]);
	dial->error = errno;
	dial->next++;
	tell(dial, "connecting");
	if (dial->fd == -1) {
		try_next(dial);
		return;
	}
	event_assign(&dial->io, dial->base, dial->fd, EV_WRITE, io_cb, dial);
	if (event_add(&dial->io, &timeout) == -1) {
		dial->error = ENOMEM;
		dial_end(dial, -1, NULL);
	}
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
		dial_end(dial, -1, why);
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
	dial->fd = -1;
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
