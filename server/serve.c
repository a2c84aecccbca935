/* SPDX-License-Identifier: ISC */
#include "server/serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/drain.h"
#include "common/log.h"
#include "common/tls.h"
#include "server/account.h"
#include "server/api.h"
#include "server/bridge.h"
#include "server/control.h"
#include "server/forwarded.h"
#include "server/gate.h"
#include "server/handover.h"
#include "server/handshake.h"
#include "server/pages.h"
#include "server/park.h"
#include "server/public.h"
#include "server/route.h"
#include "server/session.h"
#include "server/worker.h"

#define SERVE_WHY_MAX	160
#define SERVE_SHOWN_MAX 128 /* a name, some of it escaped */

/* A name for the log, whatever is in it; NULL and "" are none. */
static const char *
show_name(char out[SERVE_SHOWN_MAX], const char *name)
{
	if (name == NULL || name[0] == '\0')
		name = "-";
	return log_escape(out, SERVE_SHOWN_MAX, name, strlen(name));
}

/* For whoever looks for a connection that went astray: what it is and where
 * it goes. `where` is NULL if that is another worker. */
static void
say_route(const struct conn *conn, const char *kind, const char *tunnel,
    const char *where, uint32_t worker)
{
	char peer[NET_TEXT_MAX], shown[SERVE_SHOWN_MAX], other[32];

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	if (where == NULL) {
		snprintf(other, sizeof(other), "worker:%u", worker + 1);
		where = other;
	}
	log_debug("route kind=%s from=%s tunnel=%s hops=%u to=%s", kind,
	    net_addr_text(&conn->peer, peer), show_name(shown, tunnel),
	    (unsigned)conn->hops, where);
}

void
serve_alert(struct worker *w, struct conn *conn, enum hello_alert alert)
{
	const uint8_t record[] = { 21, 3, 1, 0, 2, 2, (uint8_t)alert };

	drain_start(w->drains, &conn->stream, record, sizeof(record));
}

/* What a status is in TLS. */
static enum hello_alert
alert_of(int status)
{
	if (status == 403)
		return HELLO_ACCESS_DENIED;
	return status >= 500 ? HELLO_INTERNAL_ERROR : HELLO_UNRECOGNIZED_NAME;
}

/* True if a visitor who speaks TLS, unread, can be answered with a page: if we
 * end TLS for his tunnel. Then he comes here again after the handshake. */
static bool
is_for_page(const struct worker *w, const char *tunnel)
{
	struct registry_tunnel row;

	return w->tls != NULL && tunnel != NULL &&
	       registry_find(w->registry, tunnel, &row) &&
	       row.kind == REGISTRY_HTTP;
}

void
serve_refused(struct worker *w, struct conn *conn, const char *tunnel,
    int status, const char *why)
{
	bool is_tls = conn->language == CONN_TLS;
	bool is_opaque = conn->language == CONN_OPAQUE;
	struct account a = {
		.tunnel = tunnel,
		.visitor = conn->peer,
		.accepted_ms = conn->accepted_ms,
		.status = is_tls || is_opaque ? 0 : status,
		.reason = why,
	};

	if (is_tls && is_for_page(w, tunnel)) {
		handshake_start(w, conn, tunnel);
		return;
	}
	account_visitor(w, &a);
	counter_add(&w->count->refused, 1);
	if (is_tls)
		serve_alert(w, conn, alert_of(status));
	else if (is_opaque)
		conn_close(conn);
	else
		pages_error(w->pages, conn, status, why);
}

/* A visitor, or a client, whose connection never got as far as TLS. */
static void
book_no_tls(struct worker *w, const struct conn *conn, const char *why)
{
	struct account a = {
		.visitor = conn->peer,
		.accepted_ms = conn->accepted_ms,
		.reason = why,
	};

	account_visitor(w, &a);
	counter_add(&w->count->refused, 1);
}

void
serve_bad_tls(struct worker *w, struct conn *conn, enum hello_alert alert,
    const char *why)
{
	book_no_tls(w, conn, why);
	serve_alert(w, conn, alert);
}

void
serve_no_handshake(struct worker *w, struct conn *conn, const char *why)
{
	book_no_tls(w, conn, why);
	drain_start(w->drains, &conn->stream, NULL, 0);
}

void
serve_client_error(struct worker *w, struct conn *conn, const char *tunnel,
    const char *code, const char *text)
{
	struct ltp_message m = {
		.type = LTP_ERROR, .error = code, .text = text
	};
	static struct log_limit limit;
	char peer[NET_TEXT_MAX], shown[SERVE_SHOWN_MAX], why[SERVE_WHY_MAX];
	size_t len;
	char *frame = ltp_format(&m, &len);

	log_limited(&limit, LOG_LEVEL_INFO,
	    "client refused from=%s tunnel=%s error=%s end=\"%s\"",
	    net_addr_text(&conn->peer, peer), show_name(shown, tunnel), code,
	    log_escape(why, sizeof(why), text, strlen(text)));
	drain_start(w->drains, &conn->stream, frame, frame == NULL ? 0 : len);
	free(frame);
}

void
serve_bad_client(struct worker *w, struct conn *conn, const char *why)
{
	serve_client_error(w, conn, NULL, "exception", why);
}

void
serve_unknown(struct worker *w, struct conn *conn, const char *why)
{
	static struct log_limit limit;
	char peer[NET_TEXT_MAX];

	log_limited(&limit, LOG_LEVEL_INFO,
	    "connection refused from=%s end=\"%s\"",
	    net_addr_text(&conn->peer, peer), why);
	drain_start(w->drains, &conn->stream, NULL, 0);
}

/* Sends a visitor to the https URL; `name` is NULL on the base domain. */
static void
redirect(struct worker *w, struct conn *conn, const char *name)
{
	struct account a = {
		.tunnel = name,
		.visitor = conn->peer,
		.accepted_ms = conn->accepted_ms,
		.status = 308,
		.reason = "sent to the https URL",
	};

	account_visitor(w, &a);
	counter_add(&w->count->refused, 1);
	pages_to_https(w->pages, conn);
}

/* True if a visitor came in clear where that is not wanted. */
static bool
is_redirected(const struct worker *w, const struct conn *conn)
{
	struct public_way way =
	    public_used(w->config, conn->listener, conn_is_secure(conn));

	return w->config->redirect_to_https && strcmp(way.scheme, "http") == 0;
}

/* True if a visitor speaks what his tunnel is for; else he is told. */
static bool
fits(struct worker *w, struct conn *conn, const char *name,
    enum registry_kind kind)
{
	bool is_clear = !conn_is_secure(conn);

	if (conn->language == CONN_OPAQUE && kind == REGISTRY_TCP)
		return true;
	if (conn->language == CONN_OPAQUE || kind == REGISTRY_TCP) {
		serve_refused(
		    w, conn, name, 404, "this tunnel has a port of its own");
	} else if (conn->language == CONN_TLS) {
		if (kind == REGISTRY_TLS || w->tls != NULL)
			return true;
		serve_refused(
		    w, conn, name, 404, "this tunnel is not served over TLS");
	} else if (is_redirected(w, conn) ||
		   (is_clear && kind == REGISTRY_TLS)) {
		redirect(w, conn, name);
	} else if (kind == REGISTRY_HTTP) {
		return true;
	} else {
		serve_refused(w, conn, name, 421,
		    "this tunnel has just become one that ends TLS itself");
	}
	return false;
}

/* To the worker that the route leads to. */
static void
hand_over(struct worker *w, struct conn *conn, enum inbox_kind kind,
    const struct route *r)
{
	struct inbox_msg msg = {
		.kind = kind,
		.tunnel = r->tunnel,
		.session = r->session,
		.conn = conn_take(conn),
	};

	handover_send(w, r->worker, &msg);
}

/* Whoever was chosen once keeps a client without a session: the choice would
 * go on for ever while loads change. */
static bool
may_pass(const struct worker *w, const struct conn *conn, const struct route *r)
{
	return conn->stream.tls == NULL && r->where == ROUTE_WORKER &&
	       r->worker != w->slot &&
	       (r->session.generation != 0 || conn->hops == 0);
}

/* A visitor to the worker that owns his tunnel. What has been decrypted cannot
 * go there; that happens only if the tunnel moved since the handshake, and then
 * a bridge leads there. */
static void
pass_visitor(struct worker *w, struct conn *conn, const char *name,
    const struct route *r)
{
	if (conn->stream.tls == NULL || bridge_start(w, conn))
		hand_over(w, conn, INBOX_VISITOR, r);
	else
		serve_refused(w, conn, name, 503, "the tunnel has just moved");
}

/* True if visitors from there may come in. What a trusted proxy in front of an
 * http tunnel says of who is calling stands in each request. */
static bool
is_admitted(const struct session *s, const struct conn *conn)
{
	return gate_admits(s->gate, &conn->peer) ||
	       (s->kind == REGISTRY_HTTP &&
		   forwarded_trusted(s->worker->config, conn) != NULL);
}

/* True if the first request of a visitor, still unread, may come in: a refusal
 * should cost no proxy connection. visitor asks again, about each. */
static bool
is_let_in(const struct session *s, struct conn *conn)
{
	struct worker *w = s->worker;
	const struct forwarded told = {
		.peer = conn->peer,
		.trusted = forwarded_trusted(w->config, conn),
	};
	struct http_head head;
	struct net_addr from;
	const char *buf, *why;
	int status;

	if (s->gate == NULL || conn->language != CONN_HTTP ||
	    !pages_peek(w->pages, conn, &head, &buf))
		return true;
	from = forwarded_from(&told, &head, buf);
	why = gate_refuses(s->gate, &from, &head, buf, &status);
	if (why == NULL)
		return true;
	serve_refused(w, conn, s->name, status, why);
	return false;
}

void
serve_here(struct session *s, struct conn *conn)
{
	if (!is_admitted(s, conn)) {
		serve_refused(s->worker, conn, s->name, 403, GATE_FORBIDDEN);
		return;
	}
	if (!is_let_in(s, conn))
		return;
	if (conn->language != CONN_TLS || s->kind != REGISTRY_HTTP) {
		session_visitor(s, conn);
		return;
	}
	/* His wait for a proxy connection begins when his head is whole. */
	conn->ready_ms = 0;
	handshake_start(s->worker, conn, s->name);
}

/* Where a visitor of this tunnel goes. */
void
serve_tunnel(struct worker *w, struct conn *conn, const char *name)
{
	struct route r =
	    route_visitor(w->registry, w->counters, w->slot, w->turn++, name);
	struct session *s;

	if (r.where == ROUTE_NONE) {
		say_route(conn, "visitor", name, "page", 0);
		serve_refused(
		    w, conn, name, 404, "there is no tunnel of this name");
		return;
	}
	if (r.kind != 0 && !fits(w, conn, name, r.kind))
		return;
	if (r.where == ROUTE_WORKER && r.worker != w->slot) {
		say_route(conn, "visitor", name, NULL, r.worker);
		pass_visitor(w, conn, name, &r);
		return;
	}
	/* A session of ours that we do not have is about to come: the
	 * master's word is on its way, and wakes whoever is parked. */
	s = session_find(w->sessions, r.session);
	if (r.where == ROUTE_AWAY || s == NULL) {
		say_route(conn, "visitor", name, "parked", 0);
		park_add(w, conn, r.tunnel, name);
	} else {
		say_route(conn, "visitor", name, "here", 0);
		serve_here(s, conn);
	}
}

/* True unless he has shaken hands for one tunnel, or for our own pages, and
 * asks for another. */
static bool
is_same_place(const struct worker *w, const struct conn *conn,
    const struct http_head *head)
{
	char sni[HELLO_NAME_MAX], by_sni[LTP_NAME_MAX + 1] = "";
	char by_host[LTP_NAME_MAX + 1] = "";
	const char *raw;

	if (conn->stream.tls == NULL)
		return true;
	raw = tls_server_name(conn->stream.tls);
	if (hello_name(raw, strlen(raw), sni))
		(void)route_name(w->registry, sni, w->config->domain, by_sni);
	(void)route_name(w->registry, head->name, w->config->domain, by_host);
	return strcmp(by_sni, by_host) == 0;
}

/* What clients in clear ask for before they come: that is no visit. */
static bool
is_meta(enum route_host where, struct http_text path)
{
	static const char meta[] = "/meta/";

	return where == ROUTE_HOST_BASE && path.len >= strlen(meta) &&
	       memcmp(path.at, meta, strlen(meta)) == 0;
}

/* Refuses a visitor in clear where none is wanted. */
static bool
is_welcome(struct worker *w, struct conn *conn, bool meta)
{
	unsigned kinds = public_kinds(w->config, conn->listener);

	if (conn_is_secure(conn)) {
		if (conn->is_bridged ||
		    !tls_is_alpn(conn->stream.tls, TLS_ALPN_LTP))
			return true;
		serve_bad_client(w, conn, "not " LTP_HEADER);
	} else {
		if (kinds & (meta ? CONFIG_HTTP | CONFIG_LTP : CONFIG_HTTP))
			return true;
		serve_refused(w, conn, NULL, 400,
		    kinds & CONFIG_TLS
			? "this port speaks TLS only: use https"
			: "this port is for the clients of tunnels");
	}
	return false;
}

void
serve_visitor(struct worker *w, struct conn *conn, const struct http_head *head)
{
	char name[LTP_NAME_MAX + 1];
	enum route_host where =
	    route_name(w->registry, head->name, w->config->domain, name);
	bool meta = is_meta(where, head->path);

	if (!is_welcome(w, conn, meta))
		return;
	if (!is_same_place(w, conn, head)) {
		serve_refused(w, conn, NULL, 421,
		    "this connection was made for another host");
		return;
	}
	switch (where) {
	case ROUTE_HOST_BASE:
		say_route(conn, "visitor", NULL, "page", 0);
		if (!meta && is_redirected(w, conn))
			redirect(w, conn, NULL);
		else if (!api_serve(w, conn, head))
			pages_base(w->pages, conn, head);
		return;
	case ROUTE_HOST_OTHER:
		say_route(conn, "visitor", NULL, "page", 0);
		serve_refused(
		    w, conn, NULL, 404, "no tunnel has this host name");
		return;
	case ROUTE_HOST_TUNNEL:
		serve_tunnel(w, conn, name);
		return;
	}
}

/* A client over TLS: his server name says where his session is, as far as
 * there is one, so he can be handed over before the handshake. */
static void
serve_tls_client(struct worker *w, struct conn *conn, const struct hello *hello)
{
	struct route r = route_client(
	    w->registry, w->counters, w->slot, hello->sni, w->config->domain);

	if (w->tls == NULL) {
		serve_bad_tls(w, conn, HELLO_UNRECOGNIZED_NAME,
		    "a client over TLS, and there is no certificate");
	} else if (may_pass(w, conn, &r)) {
		say_route(conn, "client", NULL, NULL, r.worker);
		hand_over(w, conn, INBOX_CONTROL, &r);
	} else {
		handshake_start(w, conn, HANDSHAKE_CLIENT);
	}
}

void
serve_tls(struct worker *w, struct conn *conn, const struct hello *hello)
{
	char name[LTP_NAME_MAX + 1];
	enum route_host host =
	    route_name(w->registry, hello->sni, w->config->domain, name);

	if (conn->stream.tls != NULL)
		serve_unknown(w, conn, "TLS inside TLS");
	else if (!(public_kinds(w->config, conn->listener) & CONFIG_TLS))
		serve_bad_tls(w, conn, HELLO_UNRECOGNIZED_NAME,
		    "TLS on a port without it");
	else if (hello->offers_ltp)
		serve_tls_client(w, conn, hello);
	else if (host == ROUTE_HOST_TUNNEL)
		serve_tunnel(w, conn, name);
	else if (w->tls != NULL &&
		 (host == ROUTE_HOST_BASE || hello->sni[0] == '\0'))
		handshake_start(w, conn, HANDSHAKE_BASE);
	else
		serve_refused(w, conn, NULL, 404,
		    hello->sni[0] == '\0' ? "no server name in the ClientHello"
					  : "no tunnel has this host name");
}

/* Takes the hello, which was only peeked at, off the stream: what follows is
 * the next reader's. */
static bool
read_hello(struct conn *conn, size_t len)
{
	if (stream_skip(&conn->stream, len) == 0)
		return true;
	log_debug("a hello vanished: %s", strerror(errno));
	conn_close(conn);
	return false;
}

static void
serve_proxy(struct worker *w, struct conn *conn, const struct ltp_message *m,
    size_t hello_len)
{
	struct route r = route_proxy(w->registry, m);
	struct session *s = NULL;

	if (may_pass(w, conn, &r)) {
		say_route(conn, "proxy", m->name, NULL, r.worker);
		hand_over(w, conn, INBOX_PROXY, &r);
		return;
	}
	if (r.where == ROUTE_WORKER)
		s = session_find(w->sessions, r.session);
	if (!read_hello(conn, hello_len))
		return;
	say_route(conn, "proxy", m->name, s != NULL ? "here" : "error", 0);
	if (s != NULL)
		session_proxy(s, conn, m);
	else
		serve_client_error(
		    w, conn, m->name, "expired", "there is no such tunnel");
}

static void
serve_control(struct worker *w, struct conn *conn, const struct ltp_message *m,
    size_t hello_len)
{
	struct route r = route_control(w->registry, w->counters, w->slot, m);

	if (may_pass(w, conn, &r)) {
		say_route(conn, "control", m->name, NULL, r.worker);
		hand_over(w, conn, INBOX_CONTROL, &r);
		return;
	}
	say_route(conn, "control", m->name, "here", 0);
	if (read_hello(conn, hello_len))
		control_start(w, conn, m);
}

/* A request that insists on what this server does not know. */
static void
refuse_must(struct worker *w, struct conn *conn, const struct ltp_message *m)
{
	const char *unknown = m->must_unknown;
	char why[SERVE_WHY_MAX], shown[64];

	snprintf(why, sizeof(why), "this server does not know \"%s\"",
	    log_escape(shown, sizeof(shown), unknown, strlen(unknown)));
	serve_client_error(w, conn, m->name, "badrequest", why);
}

/* What is wrong with how a client has come here; NULL if nothing is. */
static const char *
find_fault(const struct worker *w, const struct conn *conn,
    const struct ltp_message *m)
{
	const struct config *config = w->config;
	struct tls *tls = conn->stream.tls;
	char sni[HELLO_NAME_MAX] = "";
	const char *raw;

	if (tls == NULL && config->backend_tls_required)
		return "this server takes clients over TLS only: use https";
	if (tls == NULL &&
	    !(public_kinds(w->config, conn->listener) & CONFIG_LTP))
		return "this port is not for clients";
	if (tls == NULL)
		return NULL;
	raw = tls_server_name(tls);
	(void)hello_name(raw, strlen(raw), sni);
	if (!route_sni_fits(w->registry, sni, config->domain, m))
		return "the server name of TLS and the request disagree";
	return tls_is_alpn(tls, TLS_ALPN_HTTP)
		   ? "the protocol agreed on is " TLS_ALPN_HTTP
		   : NULL;
}

void
serve_client(struct worker *w, struct conn *conn, const struct ltp_message *m,
    size_t hello_len)
{
	const char *fault = find_fault(w, conn, m);

	if (fault != NULL)
		serve_client_error(w, conn, m->name,
		    m->has_ext ? "badrequest" : "exception", fault);
	else if (m->must_unknown != NULL)
		refuse_must(w, conn, m);
	else if (m->type == LTP_PROXY)
		serve_proxy(w, conn, m, hello_len);
	else
		serve_control(w, conn, m, hello_len);
}
