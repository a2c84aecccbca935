/* SPDX-License-Identifier: ISC */
#include "server/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "common/drain.h"
#include "common/hello.h"
#include "common/log.h"
#include "server/address.h"
#include "server/credential.h"
#include "server/door.h"
#include "server/gate.h"
#include "server/names.h"
#include "server/pages.h"
#include "server/route.h"
#include "server/serve.h"
#include "server/session.h"
#include "server/verdict.h"
#include "server/worker.h"

#define CONTROL_USER_TIMEOUT_MS 30000
#define CONTROL_NAME_TRIES	16 /* random names, before giving up */

/* A client that waits for the master's word. */
struct pending {
	TAILQ_ENTRY(pending) link;
	struct conn conn;
	uint32_t id;
	unsigned tries;
	bool may_rename;		      /* another name will do */
	char offered[SESSION_SECRET_LEN + 1]; /* the secret it presented */
	char fresh[SESSION_SECRET_LEN + 1];   /* the one made for it */
	struct channel_claim claim;
	struct gate *gate; /* owned, until the session is there */
};

/* The channel keeps its order, so answers come first asked, first served. */
struct control_claims {
	TAILQ_HEAD(, pending) waiting;
};

struct control {
	struct session *session;
	struct stream stream;
	struct bufferevent *bev; /* borrows the stream */
	struct event *tick;
	unsigned unheard; /* pings since its last byte */
	bool had_ended;	  /* before it was granted: nobody will be back */
};

struct control_claims *
control_claims_new(void)
{
	struct control_claims *c = log_must_alloc(1, sizeof(*c));

	TAILQ_INIT(&c->waiting);
	return c;
}

static void
pending_free(struct pending *p)
{
	conn_close(&p->conn);
	gate_free(p->gate);
	OPENSSL_cleanse(p, sizeof(*p));
	free(p);
}

void
control_claims_free(struct control_claims *c)
{
	struct pending *p;

	if (c == NULL)
		return;
	while ((p = TAILQ_FIRST(&c->waiting)) != NULL) {
		TAILQ_REMOVE(&c->waiting, p, link);
		pending_free(p);
	}
	free(c);
}

/* 128 random bits as hexadecimal digits. */
static void
make_secret(char out[SESSION_SECRET_LEN + 1])
{
	uint8_t raw[SESSION_SECRET_LEN / 2];

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		fatal("no random bytes");
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(out + 2 * i, 3, "%02x", raw[i]);
	OPENSSL_cleanse(raw, sizeof(raw));
}

static void
hash_text(const char *text, uint8_t out[REGISTRY_HASH_LEN])
{
	SHA256((const uint8_t *)text, strlen(text), out);
}

/* Asks the master, (again) with the name that is in the claim. */
static void
send_claim(struct worker *w, struct pending *p)
{
	struct channel_msg msg = { .type = CHANNEL_CLAIM };

	p->id = ++w->last_claim;
	p->tries++;
	msg.id = p->id;
	msg.claim = p->claim;
	TAILQ_INSERT_TAIL(&w->claims->waiting, p, link);
	channel_send(w->channel, &msg, -1);
	log_debug("claim sent id=%u tunnel=%s resume=%s", p->id, p->claim.name,
	    p->claim.has_proof ? "yes" : "no");
}

/* The kind that a request asks for, 0 if it is not known here. */
static enum registry_kind
kind_of(const char *kind)
{
	if (kind == NULL || strcmp(kind, "http") == 0)
		return REGISTRY_HTTP;
	if (strcmp(kind, "tls") == 0)
		return REGISTRY_TLS;
	return strcmp(kind, "tcp") == 0 ? REGISTRY_TCP : 0;
}

/* The custom host name that a request asks for; false if it cannot be one. A
 * tcp tunnel is found by its port. */
static bool
take_domain(
    const struct worker *w, struct channel_claim *claim, const char *domain)
{
	char name[LTP_NAME_MAX + 1];

	if (domain == NULL)
		return true;
	return claim->kind != REGISTRY_TCP && strchr(domain, '.') != NULL &&
	       strlen(domain) <= REGISTRY_DOMAIN_MAX &&
	       hello_name(domain, strlen(domain), claim->domain) &&
	       route_host(claim->domain, w->config->domain, name) ==
		   ROUTE_HOST_OTHER;
}

/* Fills in the claim and makes the gate; NULL, or what is wrong with the
 * request, maybe in `why`. */
static const char *
fill_claim(const struct worker *w, struct pending *p,
    const struct ltp_message *m, char why[GATE_WHY_MAX])
{
	struct channel_claim *claim = &p->claim;

	claim->dialect = m->has_ext ? REGISTRY_EXT : REGISTRY_OLD;
	claim->kind = kind_of(m->kind);
	if (claim->kind == 0)
		return "this server has no tunnels of that kind";
	p->may_rename = m->has_ext && !m->strict;
	if (m->name[0] == '\0' && m->has_ext) {
		names_random(claim->name);
		p->may_rename = true;
	} else if (!ltp_name(m->name, claim->name)) {
		return "a tunnel name is 1 to 63 letters, digits and hyphens, "
		       "with no hyphen at either end";
	}
	if (m->session != NULL && strlen(m->session) <= REGISTRY_LABEL_MAX)
		strcpy(claim->session, m->session);
	if (m->secret != NULL && strlen(m->secret) == SESSION_SECRET_LEN) {
		strcpy(p->offered, m->secret);
		claim->has_proof = true;
		hash_text(p->offered, claim->proof);
	}
	make_secret(p->fresh);
	hash_text(p->fresh, claim->secret);
	hash_text(m->client, claim->client);
	claim->has_group = m->has_ext && m->group != NULL;
	if (claim->has_group)
		hash_text(m->group, claim->group);
	claim->peer = p->conn.peer;
	claim->listener = p->conn.listener;
	if (m->port > UINT16_MAX)
		return "a port is from 1 to 65535";
	claim->port = (uint16_t)m->port;
	if (!take_domain(w, claim, m->custom))
		return "a custom domain is a host name that is not below the "
		       "server's own";
	return gate_new(&p->gate, m, claim->kind, w->failures, why);
}

/* Ends a client's connection with what a verdict means. */
static void
say_no(struct worker *w, struct conn *conn, const struct channel_claim *claim,
    enum channel_verdict verdict)
{
	const struct verdict *v = verdict_of(verdict);
	const char *code = v->code;

	/* Old clients know few codes. */
	if (claim->dialect != REGISTRY_EXT && strcmp(code, "unavailable") != 0)
		code = "exception";
	serve_client_error(w, conn, claim->name, code, v->why);
}

/* True if a claim was sent; else it is the caller's, refused. */
static bool
start(struct worker *w, struct pending *p, const struct ltp_message *m)
{
	enum channel_verdict verdict;
	char why[GATE_WHY_MAX];
	const char *wrong = fill_claim(w, p, m, why);

	if (wrong != NULL) {
		serve_client_error(w, &p->conn, m->name,
		    m->has_ext ? "badrequest" : "exception", wrong);
		return false;
	}
	verdict = credential_take(
	    w, &p->conn, m->has_ext ? m->token : NULL, &p->claim);
	if (verdict != CHANNEL_GRANTED) {
		say_no(w, &p->conn, &p->claim, verdict);
		return false;
	}
	send_claim(w, p);
	return true;
}

void
control_start(struct worker *w, struct conn *conn, const struct ltp_message *m)
{
	struct pending *p;

	/* A bare end makes the client try again, elsewhere. */
	if (w->draining) {
		serve_unknown(w, conn, "the server is leaving");
		return;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		serve_client_error(w, conn, m->name,
		    m->has_ext ? "badrequest" : "exception",
		    "the server is out of memory");
		return;
	}
	p->conn = conn_take(conn);
	if (!start(w, p, m))
		pending_free(p);
}

static void
send_message(struct control *c, const struct ltp_message *m)
{
	size_t len;
	char *text = ltp_format(m, &len);

	if (text != NULL)
		bufferevent_write(c->bev, text, len);
	free(text);
}

/* What one message of the client means; false if the session has ended. */
static bool
act(struct control *c, const struct ltp_message *m)
{
	struct ltp_message pong = { .type = LTP_PONG };
	struct session *s = c->session;

	switch (m->type) {
	case LTP_PONG:
		return true;
	case LTP_PING:
		if (!session_has_ext(s))
			break;
		if (evbuffer_get_length(bufferevent_get_output(c->bev)) >
		    LTP_FRAME_MAX) {
			session_end(
			    s, SESSION_LOST, "the client does not read");
			return false;
		}
		send_message(c, &pong);
		return true;
	case LTP_CLOSE:
		if (!session_has_ext(s))
			break;
		session_end(s, SESSION_CLOSED, "closed by the client");
		return false;
	default:
		break;
	}
	session_end(s, SESSION_LOST, "the client sent what it should not");
	return false;
}

/* Takes one frame from the front of the input; false if there is none, or
 * the session has ended. */
static bool
next_message(struct control *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(in), json_len;
	struct ltp_message m = { 0 };
	const char *why = "a frame is too long or empty";
	const uint8_t *head, *all;
	bool ok;

	if (len < 4 || (head = evbuffer_pullup(in, 4)) == NULL)
		return false;
	switch (ltp_frame(head, len, &json_len)) {
	case LTP_MORE:
		return false;
	case LTP_OK:
		all = evbuffer_pullup(in, (ssize_t)(4 + json_len));
		if (all != NULL && ltp_parse(&m, LTP_FROM_CLIENT, all + 4,
				       json_len, &why) == LTP_OK)
			break;
		/* FALLTHROUGH */
	case LTP_BAD:
		session_end(c->session, SESSION_LOST, why);
		return false;
	}
	evbuffer_drain(in, 4 + json_len);
	ok = act(c, &m);
	ltp_message_fini(&m);
	return ok;
}

static void
read_cb(struct bufferevent *bev, void *arg)
{
	struct control *c = arg;

	(void)bev;
	c->unheard = 0;
	while (next_message(c))
		;
}

static void
event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct control *c = arg;

	(void)bev;
	session_end(c->session, c->had_ended ? SESSION_CLOSED : SESSION_LOST,
	    what & BEV_EVENT_EOF ? "control connection closed"
				 : "control connection failed");
}

static void
tick_cb(evutil_socket_t fd, short what, void *arg)
{
	static const struct ltp_message ping = { .type = LTP_PING };
	struct control *c = arg;

	(void)fd;
	(void)what;
	if (c->unheard == (session_has_ext(c->session) ? 2 : 1)) {
		session_end(c->session, SESSION_SILENT, "heartbeats missed");
		return;
	}
	c->unheard++;
	send_message(c, &ping);
	session_tick(c->session);
}

/* A control connection that is up; NULL without memory. Takes the stream. */
static struct control *
control_new(struct session *s, struct conn *conn)
{
	struct worker *w = s->worker;
	struct timeval tv = { .tv_sec = w->config->heartbeat };
	const struct timeval *common;
	struct control *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->session = s;
	c->stream = stream_take(&conn->stream);
	c->bev = stream_bufferevent(w->base, &c->stream);
	c->tick = event_new(w->base, -1, EV_PERSIST, tick_cb, c);
	/* There are only so many of them, and settings may have had more. */
	common = event_base_init_common_timeout(w->base, &tv);
	if (c->bev == NULL || c->tick == NULL ||
	    event_add(c->tick, common != NULL ? common : &tv) == -1 ||
	    bufferevent_enable(c->bev, EV_READ | EV_WRITE) == -1) {
		control_free(c);
		return NULL;
	}
	net_user_timeout(c->stream.fd, CONTROL_USER_TIMEOUT_MS);
	bufferevent_setcb(c->bev, read_cb, NULL, event_cb, c);
	return c;
}

/* The good news: where the tunnel is, and with ext all the rest. */
static void
send_welcome(struct control *c, unsigned listener)
{
	struct session *s = c->session;
	const struct config *config = s->worker->config;
	char host[ADDRESS_HOST_MAX], url[ADDRESS_URL_MAX];
	char sni[REGISTRY_LABEL_MAX + LTP_NAME_MAX + NET_HOST_MAX + 3];
	char peer[NET_TEXT_MAX];
	struct ltp_message m = {
		.type = LTP_CONTROL_REPLY,
		.has_ext = session_has_ext(s),
		.host = host,
		/* Old clients show it, and demand that it is there. */
		.banner = session_has_ext(s) ? "" : PAGES_AGENT,
		.concurrency = s->pool.target,
		.ext_name = s->name,
		.url = url,
		.server = PAGES_AGENT,
		.session = s->label,
		.secret = s->secret,
		.sni = c->stream.tls != NULL ? sni : NULL,
		.heartbeat_s = config->heartbeat,
		.grace_s = config->grace,
		.sessions = session_siblings(s),
		.port = s->port,
	};

	address_of(s, listener, host, url);
	snprintf(
	    sni, sizeof(sni), "%s.%s.%s", s->label, s->name, config->domain);
	send_message(c, &m);
	log_info("session started tunnel=%s url=%s from=%s", s->name, url,
	    net_addr_text(&s->peer, peer));
}

/* True if the client has closed it, while the master was asked. */
static bool
has_ended(const struct stream *stream)
{
	char byte;
	ssize_t n = stream_peek(stream, &byte, 1);

	return n == 0 || (n == -1 && errno != EAGAIN);
}

/* The master has granted the session: from here on it is ours. */
static void
granted(struct worker *w, struct pending *p,
    const struct channel_claimed *claimed, int *fd)
{
	struct channel_msg lost = { .type = CHANNEL_DOWN,
		.down = { claimed->session, CHANNEL_LOST } };
	unsigned listener = p->conn.listener;
	struct session *s = session_new(w, claimed);
	bool had_ended;

	if (s == NULL) {
		channel_send(w->channel, &lost, -1);
		return;
	}
	s->dialect = p->claim.dialect;
	s->kind = p->claim.kind;
	s->peer = p->conn.peer;
	s->gate = p->gate;
	p->gate = NULL;
	memcpy(s->client, p->claim.client, sizeof(s->client));
	if (session_has_ext(s))
		strcpy(s->secret, claimed->verdict == CHANNEL_GRANTED
				      ? p->fresh
				      : p->offered);
	pool_init(&s->pool, session_idle(s));
	had_ended =
	    claimed->verdict == CHANNEL_GRANTED && has_ended(&p->conn.stream);
	if ((s->control = control_new(s, &p->conn)) == NULL ||
	    (s->kind == REGISTRY_TCP && !door_open(s, claimed, listener, fd))) {
		session_end(s, SESSION_LOST, "out of memory or descriptors");
		return;
	}
	s->control->had_ended = had_ended;
	send_welcome(s->control, listener);
	if (w->draining)
		control_reconnect(s, 0);
	/* No event tells of what TLS has taken in with the request. */
	read_cb(s->control->bev, s->control);
}

/* Another name if that is what was wrong, or an error. True if the claim goes
 * on. */
static bool
refused(
    struct worker *w, struct pending *p, const struct channel_claimed *claimed)
{
	if (verdict_is_about_name(claimed->verdict) && p->may_rename &&
	    p->tries < CONTROL_NAME_TRIES) {
		names_random(p->claim.name);
		send_claim(w, p);
		return true;
	}
	say_no(w, &p->conn, &p->claim, claimed->verdict);
	return false;
}

void
control_claimed(struct worker *w, uint32_t id,
    const struct channel_claimed *claimed, int *fd)
{
	struct pending *p = TAILQ_FIRST(&w->claims->waiting);

	if (p == NULL || p->id != id) {
		log_error("the master answered a claim that was not next");
		return;
	}
	TAILQ_REMOVE(&w->claims->waiting, p, link);
	log_debug("claim answered id=%u tunnel=%s verdict=%s", id,
	    p->claim.name, verdict_of(claimed->verdict)->word);
	credential_answered(w, &p->claim, claimed->verdict);
	if (verdict_is_good(claimed->verdict))
		granted(w, p, claimed, fd);
	else if (refused(w, p, claimed))
		return;
	pending_free(p);
}

void
control_concurrency(struct control *c, unsigned n)
{
	struct ltp_message m = { .type = LTP_CONCURRENCY, .concurrency = n };

	send_message(c, &m);
}

void
control_reconnect(struct session *s, unsigned ms)
{
	struct ltp_message m = { .type = LTP_RECONNECT, .reconnect_ms = ms };

	if (session_has_ext(s))
		send_message(s->control, &m);
}

/* The event goes out by way of a drain, so that it arrives before the end. */
void
control_close(struct control *c, const char *why)
{
	struct ltp_message m = { .type = LTP_CLOSE, .text = why };
	size_t len;
	char *text;

	if (c == NULL)
		return;
	bufferevent_free(c->bev);
	c->bev = NULL;
	text = session_has_ext(c->session) ? ltp_format(&m, &len) : NULL;
	drain_start(c->session->worker->drains, &c->stream, text,
	    text == NULL ? 0 : len);
	free(text);
	control_free(c);
}

void
control_free(struct control *c)
{
	if (c == NULL)
		return;
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	stream_close(&c->stream);
	if (c->tick != NULL)
		event_free(c->tick);
	free(c);
}

bool
control_claims_pending(const struct control_claims *c)
{
	return !TAILQ_EMPTY(&c->waiting);
}

void
control_claims_drop(struct worker *w)
{
	struct pending *p;

	while ((p = TAILQ_FIRST(&w->claims->waiting)) != NULL) {
		TAILQ_REMOVE(&w->claims->waiting, p, link);
		serve_unknown(w, &p->conn, "the server is leaving");
		pending_free(p);
	}
}
