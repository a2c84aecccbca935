/* SPDX-License-Identifier: ISC */
#include "server/serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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

#define SERVE_WHY_MAX 160

void
serve_refused(struct worker *w, struct conn *conn, const char *tunnel,
    int status, const char *why)
{
	struct account a = {
		.tunnel = tunnel,
		.visitor = conn->peer,
		.accepted_ms = conn->accepted_ms,
		.status = status,
		.reason = why,
	};

	account_visitor(&a);
	counter_add(&w->count->refused, 1);
	pages_error(w->pages, conn, status, why);
}

void
serve_client_error(
    struct worker *w, struct conn *conn, const char *code, const char *text)
{
	struct ltp_message m = {
		.type = LTP_ERROR, .error = code, .text = text
	};
	char peer[NET_TEXT_MAX];
	size_t len;
	char *frame = ltp_format(&m, &len);

	log_info("client refused from=%s error=%s end=\"%s\"",
	    net_addr_text(&conn->peer, peer), code, text);
	drain_start(w->drains, conn->fd, frame, frame == NULL ? 0 : len);
	conn->fd = -1;
	free(frame);
}

void
serve_bad_client(struct worker *w, struct conn *conn, const char *why)
{
	serve_client_error(w, conn, "exception", why);
}

void
serve_unknown(struct worker *w, struct conn *conn, const char *why)
{
	char peer[NET_TEXT_MAX];

	log_info("connection refused from=%s end=\"%s\"",
	    net_addr_text(&conn->peer, peer), why);
	drain_start(w->drains, conn->fd, NULL, 0);
	conn->fd = -1;
}

/* Where a visitor of this tunnel goes. */
void
serve_tunnel(struct worker *w, struct conn *conn, const char *name)
{
	struct route r = route_visitor(w->registry, name);
	struct inbox_msg msg = { .kind = INBOX_VISITOR };
	struct session *s;

	if (r.where == ROUTE_NONE) {
		serve_refused(
		    w, conn, name, 404, "there is no tunnel of this name");
		return;
	}
	if (r.where == ROUTE_WORKER && r.worker != w->slot) {
		msg.tunnel = r.tunnel;
		msg.session = r.session;
		msg.conn = conn_take(conn);
		handover_send(w, r.worker, &msg);
		return;
	}
	/* A session of ours that we do not have is about to come: the
	 * master's word is on its way, and wakes whoever is parked. */
	s = session_find(w->sessions, r.session);
	if (r.where == ROUTE_AWAY || s == NULL)
		park_add(w, conn, r.tunnel, name);
	else
		session_visitor(s, conn);
}

void
serve_visitor(struct worker *w, struct conn *conn, const struct http_head *head)
{
	char name[LTP_NAME_MAX + 1];

	switch (route_host(head->name, w->config->domain, name)) {
	case ROUTE_HOST_BASE:
		pages_base(w->pages, conn, head);
		return;
	case ROUTE_HOST_OTHER:
		serve_refused(
		    w, conn, NULL, 404, "no tunnel has this host name");
		return;
	case ROUTE_HOST_TUNNEL:
		serve_tunnel(w, conn, name);
		return;
	}
}

/* Takes the hello, which was only peeked at, off the socket: what follows is
 * the next reader's. MSG_TRUNC throws it away without a copy (tcp(7)). */
static bool
read_hello(struct conn *conn, size_t len)
{
	ssize_t n = recv(conn->fd, NULL, len, MSG_TRUNC | MSG_DONTWAIT);

	if (n == (ssize_t)len)
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
	struct inbox_msg msg = { .kind = INBOX_PROXY };
	struct session *s = NULL;

	if (r.where == ROUTE_WORKER && r.worker != w->slot) {
		msg.tunnel = r.tunnel;
		msg.session = r.session;
		msg.conn = conn_take(conn);
		handover_send(w, r.worker, &msg);
		return;
	}
	if (r.where == ROUTE_WORKER)
		s = session_find(w->sessions, r.session);
	if (!read_hello(conn, hello_len))
		return;
	if (s != NULL)
		session_proxy(s, conn, m);
	else
		serve_client_error(
		    w, conn, "expired", "there is no such tunnel");
}

static void
serve_control(struct worker *w, struct conn *conn, const struct ltp_message *m,
    size_t hello_len)
{
	struct route r = route_control(w->registry, w->counters, w->slot, m);
	struct inbox_msg msg = { .kind = INBOX_CONTROL };
	bool is_resumed = r.session.generation != 0;

	/* Whoever was chosen once keeps it: the choice would go on for ever
	 * while loads change. */
	if (r.worker != w->slot && (is_resumed || conn->hops == 0)) {
		msg.tunnel = r.tunnel;
		msg.session = r.session;
		msg.conn = conn_take(conn);
		handover_send(w, r.worker, &msg);
		return;
	}
	if (read_hello(conn, hello_len))
		control_start(w, conn, m);
}

/* A request that insists on what this server does not know. */
static void
refuse_must(struct worker *w, struct conn *conn, const char *unknown)
{
	char why[SERVE_WHY_MAX], shown[64];

	snprintf(why, sizeof(why), "this server does not know \"%s\"",
	    log_escape(shown, sizeof(shown), unknown, strlen(unknown)));
	serve_client_error(w, conn, "badrequest", why);
}

void
serve_client(struct worker *w, struct conn *conn, const struct ltp_message *m,
    size_t hello_len)
{
	if (m->must_unknown != NULL)
		refuse_must(w, conn, m->must_unknown);
	else if (m->type == LTP_PROXY)
		serve_proxy(w, conn, m, hello_len);
	else
		serve_control(w, conn, m, hello_len);
}
