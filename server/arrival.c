/* SPDX-License-Identifier: ISC */
#include "server/arrival.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/cidr.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/proxyproto.h"
#include "common/watch.h"
#include "server/classify.h"
#include "server/deadline.h"
#include "server/peers.h"
#include "server/room.h"
#include "server/serve.h"
#include "server/worker.h"

/* Who is honest has said what he wants by then. */
#define ARRIVAL_MOMENT_MS 1000
#define ARRIVAL_FEW	  32 /* whose first bytes may be on their way */

struct arrival {
	struct conn conn;
	struct worker *worker;
	struct deadline deadline;
	struct peer_entry of_peer;
	size_t seen;	  /* bytes at the last look */
	size_t scanned;	  /* see http_head() */
	size_t hello_len; /* of what a client says first; 0: none yet */
	bool is_closed;	  /* the peer has said all it will say */
	bool is_unnamed;  /* a PROXY header comes first */
	bool is_waiting;  /* it is watched */
};

struct arrivals {
	struct deadline_list *deadlines;
	struct peers *peers;
	char peek[CLASSIFY_MAX];
};

/* Whoever has it next goes on with the watch, and finds all bytes unread but
 * those of a hello, which will have been read by then. */
static void
pause_watch(struct arrival *a)
{
	unsigned left = (a->seen > a->hello_len ? WATCH_IN : 0u) |
			(a->is_closed ? WATCH_IN | WATCH_HUP : 0u);

	watch_pause(a->worker->watches, a->conn.stream.fd, left);
	a->conn.stream.is_watched = true;
}

/* The connection leaves: whoever serves it takes it from *conn. */
static void
leave(struct arrival *a, struct conn *conn)
{
	struct worker *w = a->worker;

	if (a->is_waiting)
		pause_watch(a);
	a->conn.stream.is_unread = a->seen > a->hello_len;
	deadline_del(w->arrivals->deadlines, &a->deadline);
	peers_del(w->arrivals->peers, &a->of_peer);
	counter_add(&w->count->half_made, -1);
	if (a->conn.ready_ms == 0)
		a->conn.ready_ms = clock_ms();
	*conn = conn_take(&a->conn);
	free(a);
}

/* Ends one that will never say what it wants. */
static void
give_up(struct arrival *a, int status, enum hello_alert alert, const char *why)
{
	struct worker *w = a->worker;
	struct conn conn;

	leave(a, &conn);
	switch (conn.language) {
	case CONN_HTTP:
		serve_refused(w, &conn, NULL, status, why);
		return;
	case CONN_LTP:
		serve_bad_client(w, &conn, why);
		return;
	case CONN_TLS:
		serve_bad_tls(w, &conn, alert, why);
		return;
	case CONN_UNKNOWN:
	case CONN_OPAQUE:
		serve_unknown(w, &conn, why);
		return;
	}
}

/* Acts on what the first bytes say; true if the arrival is gone. */
static bool
decide(struct arrival *a, const char *buf, size_t len)
{
	struct worker *w = a->worker;
	struct classified c = { 0 };
	enum classify_kind kind =
	    classify(&c, w->recent, buf, len, &a->scanned);
	struct conn conn;

	a->conn.language = c.language;
	switch (kind) {
	case CLASSIFY_MORE:
		if (!a->is_closed)
			return false;
		give_up(a, 400, HELLO_DECODE_ERROR,
		    "the connection ended before its first message did");
		return true;
	case CLASSIFY_VISITOR:
		leave(a, &conn);
		serve_visitor(w, &conn, &c.head);
		return true;
	case CLASSIFY_CLIENT:
		a->hello_len = c.hello_len;
		leave(a, &conn);
		serve_client(w, &conn, &c.message, c.hello_len);
		ltp_message_fini(&c.message);
		return true;
	case CLASSIFY_TLS:
		leave(a, &conn);
		serve_tls(w, &conn, &c.hello);
		return true;
	case CLASSIFY_BAD:
		give_up(a, c.status, c.hello.alert, c.why);
		return true;
	}
	abort();
}

/* One more that has to be waited for: whoever of the same address has been
 * waited for longest makes room. A proxy has many callers. */
static void
count_in(struct arrival *a)
{
	struct worker *w = a->worker;
	const struct config *config = w->config;
	struct arrival *oldest;
	struct conn conn;

	if (cidr_list_has(&config->trusted_proxies.list, &a->conn.peer))
		return;
	peers_add(w->arrivals->peers, &a->of_peer, &a->conn.peer);
	if (peers_count(&a->of_peer) <= config->half_made_per_address)
		return;
	oldest =
	    deadline_of(peers_oldest(&a->of_peer), struct arrival, of_peer);
	leave(oldest, &conn);
	serve_unknown(w, &conn, "too many of this address are half-made");
}

static bool look(struct arrival *);

/* It is known now who is calling, unless it is the proxy itself. */
static void
take_name(struct arrival *a, const struct net_addr *peer)
{
	char proxy[NET_TEXT_MAX], visitor[NET_TEXT_MAX];

	log_debug("proxy header from=%s visitor=%s",
	    net_addr_text(&a->conn.peer, proxy), net_addr_text(peer, visitor));
	if (peer->sa.sa_family != AF_UNSPEC)
		a->conn.peer = *peer;
	a->is_unnamed = false;
	a->seen = 0;
	if (a->is_waiting)
		count_in(a);
}

/* Takes the PROXY header off the socket once it is whole, to its last byte:
 * what follows is a connection as any other. True if the arrival is gone. */
static bool
read_name(struct arrival *a, const char *buf, size_t len)
{
	struct worker *w = a->worker;
	struct proxyproto p;
	struct conn conn;

	switch (proxyproto_parse(&p, buf, len)) {
	case PROXYPROTO_MORE:
		if (!a->is_closed)
			return false;
		p.why = "the connection ended within the PROXY header";
		break;
	case PROXYPROTO_OK:
		if (stream_skip(&a->conn.stream, p.len) == 0) {
			take_name(a, &p.peer);
			return look(a);
		}
		p.why = strerror(errno);
		break;
	case PROXYPROTO_BAD:
		break;
	}
	leave(a, &conn);
	serve_unknown(w, &conn, p.why);
	return true;
}

/* Looks at what is there; true if the arrival is gone. */
static bool
look(struct arrival *a)
{
	struct worker *w = a->worker;
	struct conn conn;
	ssize_t n = stream_peek(
	    &a->conn.stream, w->arrivals->peek, sizeof(w->arrivals->peek));

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		/* Came and went without a word, as browsers do. */
		leave(a, &conn);
		conn_close(&conn);
		return true;
	}
	if ((size_t)n == a->seen && !a->is_closed) {
		/* A reset leaves the bytes where they are, and libevent does
		 * not tell it from news. */
		if (net_error(a->conn.stream.fd) == 0)
			return false;
		leave(a, &conn);
		conn_close(&conn);
		return true;
	}
	a->seen = (size_t)n;
	if (a->is_unnamed)
		return read_name(a, w->arrivals->peek, (size_t)n);
	return decide(a, w->arrivals->peek, (size_t)n);
}

static void
arrival_cb(int fd, unsigned what, void *arg)
{
	struct arrival *a = arg;

	(void)fd;
	if (what & WATCH_HUP)
		a->is_closed = true;
	if (what & (WATCH_IN | WATCH_HUP) || a->conn.stream.tls != NULL)
		look(a);
}

static void
expired(void *arg, struct deadline *d)
{
	struct arrival *a = deadline_of(d, struct arrival, deadline);
	struct conn conn;

	(void)arg;
	if (a->seen > 0) {
		give_up(a, 408, HELLO_DECODE_ERROR,
		    "the first message did not come in time");
		return;
	}
	leave(a, &conn);
	conn_close(&conn);
}

struct arrivals *
arrivals_new(struct worker *w)
{
	struct arrivals *as = log_must_alloc(1, sizeof(*as));

	as->deadlines = deadline_list_new(w->base, expired, w);
	as->peers = peers_new();
	return as;
}

void
arrivals_free(struct arrivals *as)
{
	if (as == NULL)
		return;
	deadline_list_free(as->deadlines);
	peers_free(as->peers);
	free(as);
}

/* The one that has been waited for longest goes. */
static void
close_first(struct deadline *first)
{
	static struct log_limit limit;
	struct conn conn;

	leave(deadline_of(first, struct arrival, deadline), &conn);
	log_limited(&limit, LOG_LEVEL_WARN,
	    "short of descriptors: one that had not said what it wants is "
	    "closed");
	conn_close(&conn);
}

bool
arrivals_make_room(struct worker *w)
{
	struct deadline *first = deadline_first(w->arrivals->deadlines);
	uint64_t left_ms =
	    w->config->head_timeout * 1000ull - ARRIVAL_MOMENT_MS;

	if (first == NULL || first->due_ms > clock_ms() + left_ms)
		return false;
	close_first(first);
	return true;
}

/* Short of room, few are waited for, whatever they are about to say. */
static void
keep_few(struct worker *w)
{
	struct deadline *first;

	while (!room_is_left(w, ROOM_HALF_MADE) &&
	       counter_get(&w->count->half_made) > ARRIVAL_FEW &&
	       (first = deadline_first(w->arrivals->deadlines)) != NULL)
		close_first(first);
}

/* True if a PROXY header must come first. What was handed over, or has got as
 * far as TLS, had one already. */
static bool
needs_name(const struct worker *w, const struct conn *conn)
{
	return config_listener(w->config, conn->listener)->proxy_protocol &&
	       conn->hops == 0 && conn->stream.tls == NULL;
}

void
arrival_start(struct worker *w, struct conn *conn)
{
	static struct log_limit limit;
	bool is_unnamed = needs_name(w, conn);
	struct arrival *a = calloc(1, sizeof(*a));
	uint64_t since_ms;

	if (is_unnamed &&
	    !cidr_list_has(&w->config->trusted_proxies.list, &conn->peer)) {
		free(a);
		serve_unknown(w, conn,
		    "not a trusted proxy, and this port is for those only");
		return;
	}
	if (a == NULL) {
		log_limited(&limit, LOG_LEVEL_ERROR,
		    "out of memory: a connection is closed");
		conn_close(conn);
		return;
	}
	a->is_unnamed = is_unnamed;
	a->worker = w;
	a->conn = conn_take(conn);
	counter_add(&w->count->half_made, 1);
	/* Often the first bytes are here already: then there is nothing to
	 * wait for and nothing to register. */
	if (look(a))
		return;
	keep_few(w);
	/* Inside TLS the time begins anew, after that of the handshake. */
	since_ms =
	    a->conn.stream.tls != NULL ? clock_ms() : a->conn.accepted_ms;
	deadline_add(w->arrivals->deadlines, &a->deadline,
	    since_ms + w->config->head_timeout * 1000ull);
	if (watch_start(
		w->watches, a->conn.stream.fd, WATCH_IN, arrival_cb, a) == -1) {
		struct conn lost;

		leave(a, &lost);
		conn_close(&lost);
		return;
	}
	a->is_waiting = true;
	if (!a->is_unnamed)
		count_in(a);
}
