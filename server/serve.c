/* SPDX-License-Identifier: ISC */
#include "server/serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/drain.h"
#include "common/log.h"
#include "server/account.h"
#include "server/control.h"
#include "server/handover.h"
#include "server/pages.h"
#include "server/park.h"
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
	return status >= 500 ? HELLO_INTERNAL_ERROR : HELLO_UNRECOGNIZED_NAME;
}

void
serve_refused(struct worker *w, struct conn *conn, const char *tunnel,
    int status, const char *why)
{
	bool is_tls = conn->language == CONN_TLS;
	struct account a = {
		.tunnel = tunnel,
		.visitor = conn->peer,
		.accepted_ms = conn->accepted_ms,
		.status = is_tls ? 0 : status,
		.reason = why,
	};

	account_visitor(&a);
	counter_add(&w->count->refused, 1);
	if (is_tls)
		serve_alert(w, conn, alert_of(status));
	else
		pages_error(w->pages, conn, status, why);
}

void
serve_bad_tls(struct worker *w, struct conn *conn, enum hello_alert alert,
    const char *why)
{
	struct account a = {
		.visitor = conn->peer,
		.accepted_ms = conn->accepted_ms,
		.reason = why,
	};

	account_visitor(&a);
	counter_add(&w->count->refused, 1);
	serve_alert(w, conn, alert);
}

void
serve_client_error(struct worker *w, struct conn *conn, const char *tunnel,
    const char *code, const char *text)
{
	struct ltp_message m = {
		.type = LTP_ERROR, .error = code, .text = text
	};
	char peer[NET_TEXT_MAX], shown[SERVE_SHOWN_MAX], why[SERVE_WHY_MAX];
	size_t len;
	char *frame = ltp_format(&m, &len);

	log_info("client refused from=%s tunnel=%s error=%s end=\"%s\"",
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
	char peer[NET_TEXT_MAX];

	log_info("connection refused from=%s end=\"%s\"",
	    net_addr_text(&conn->peer, peer), why);
	drain_start(w->drains, &conn->stream, NULL, 0);
}

/* True if a visitor speaks what his tunnel is for; else he is told. */
static bool
fits(struct worker *w, struct conn *conn, const char *name,
    enum registry_kind kind)
{
	bool is_tls = conn->language == CONN_TLS;
	struct account a = {
		.tunnel = name,
		.visitor = conn->peer,
		.accepted_ms = conn->accepted_ms,
		.status = 308,
		.reason = "sent to the https URL",
	};

	if (is_tls == (kind == REGISTRY_TLS))
		return true;
	if (is_tls) {
		serve_refused(
		    w, conn, name, 404, "this tunnel is not served over TLS");
	} else {
		account_visitor(&a);
		counter_add(&w->count->refused, 1);
		pages_to_https(w->pages, conn);
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

/* Where a visitor of this tunnel goes. */
void
serve_tunnel(struct worker *w, struct conn *conn, const char *name)
{
	struct route r = route_visitor(w->registry, name);
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
		hand_over(w, conn, INBOX_VISITOR, &r);
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
		session_visitor(s, conn);
	}
}

void
serve_visitor(struct worker *w, struct conn *conn, const struct http_head *head)
{
	char name[LTP_NAME_MAX + 1];

	switch (route_host(head->name, w->config->domain, name)) {
	case ROUTE_HOST_BASE:
		say_route(conn, "visitor", NULL, "page", 0);
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

void
serve_tls(struct worker *w, struct conn *conn, const struct hello *hello)
{
	char name[LTP_NAME_MAX + 1];

	if (route_host(hello->sni, w->config->domain, name) ==
	    ROUTE_HOST_TUNNEL)
		serve_tunnel(w, conn, name);
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

	if (r.where == ROUTE_WORKER && r.worker != w->slot) {
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
	bool is_resumed = r.session.generation != 0;

	/* Whoever was chosen once keeps it: the choice would go on for ever
	 * while loads change. */
	if (r.worker != w->slot && (is_resumed || conn->hops == 0)) {
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

void
serve_client(struct worker *w, struct conn *conn, const struct ltp_message *m,
    size_t hello_len)
{
	if (m->must_unknown != NULL)
		refuse_must(w, conn, m);
	else if (m->type == LTP_PROXY)
		serve_proxy(w, conn, m, hello_len);
	else
		serve_control(w, conn, m, hello_len);
}
