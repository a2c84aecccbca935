/* SPDX-License-Identifier: ISC
 *
 * Requests of the Node.js localtunnel's HTTP API. A registration is a claim
 * to the master like a control request's; the visitor's connection waits
 * here for its word, unread, and gets a JSON answer. It owns the connections
 * that wait, nothing else: the session is node.c's. What a client cannot be
 * told (this one retries whatever is no success once a second, for ever) is
 * answered cheaply.
 */
#include "server/api.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "common/log.h"
#include "server/address.h"
#include "server/credential.h"
#include "server/names.h"
#include "server/node.h"
#include "server/pages.h"
#include "server/session.h"
#include "server/verdict.h"
#include "server/worker.h"

#define API_NAME_MIN   4
#define API_NAME_TRIES 16 /* random names, before giving up */

/* A registration that waits for the master's word. */
struct pending {
	TAILQ_ENTRY(pending) link;
	struct conn conn;
	uint32_t id;
	unsigned tries;
	bool is_head;
	struct channel_claim claim;
};

/* The channel keeps its order, so answers come first asked, first served. */
struct api {
	TAILQ_HEAD(, pending) waiting;
};

/* --- what is asked -------------------------------------------------------- */

/* Takes the next segment of the path, all slashes around it too; clients
 * whose --host ends with a slash double it. */
static struct http_text
next_segment(struct http_text *path)
{
	struct http_text segment;

	while (path->len > 0 && *path->at == '/') {
		path->at++;
		path->len--;
	}
	segment.at = path->at;
	while (path->len > 0 && *path->at != '/') {
		path->at++;
		path->len--;
	}
	segment.len = (size_t)(path->at - segment.at);
	return segment;
}

static bool
text_is(struct http_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

/* True if one of the query's keys is "new". */
static bool
has_new(struct http_text query)
{
	const char *end = query.at + query.len;

	for (const char *at = query.at; at < end; at++) {
		const char *amp = memchr(at, '&', (size_t)(end - at));
		const char *stop = amp == NULL ? end : amp;
		const char *is = memchr(at, '=', (size_t)(stop - at));
		struct http_text key = { at,
			(size_t)((is == NULL ? stop : is) - at) };

		if (text_is(key, "new"))
			return true;
		at = stop;
	}
	return false;
}

/* What people and programs look for on any server. */
static bool
is_reserved(struct http_text segment)
{
	static const char *const names[] = { "api", "meta", "metrics",
		"robots.txt", "favicon.ico" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_is(segment, names[i]))
			return true;
	return false;
}

static bool
is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Copies a name as this API has them: lower case, no hyphen at either end,
 * long enough. Their own server takes some that are longer than any label of
 * the DNS, and wants two letters more where there is a hyphen. */
static bool
take_name(char name[LTP_NAME_MAX + 1], struct http_text segment)
{
	const char *at = segment.at;
	size_t len = segment.len, min = API_NAME_MIN;

	if (memchr(at, '-', len) != NULL)
		min = API_NAME_MIN + 2;
	if (len < min || len > LTP_NAME_MAX || !is_alphanumeric(at[0]) ||
	    !is_alphanumeric(at[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alphanumeric(at[i]) && at[i] != '-')
			return false;
	memcpy(name, at, len);
	name[len] = '\0';
	return true;
}

/* Below /api; `path` is what follows. */
static enum api_what
parse_status(struct api_request *r, struct http_text path)
{
	struct http_text word = next_segment(&path), name, last;

	if (text_is(word, "status"))
		return path.len == 0 ? API_STATUS : API_NONE;
	name = next_segment(&path);
	last = next_segment(&path);
	if (!text_is(word, "tunnels") || !text_is(last, "status") ||
	    path.len > 0 || name.len == 0 || name.len > LTP_NAME_MAX)
		return API_NONE;
	memcpy(r->name, name.at, name.len);
	r->name[name.len] = '\0';
	return API_TUNNEL;
}

static enum api_what
parse_register(struct api_request *r, const struct http_head *head,
    struct http_text segment, struct http_text query)
{
	if (segment.len == 0)
		return has_new(query) ? API_NEW : API_NONE;
	/* Somebody who looks around with a browser opens no tunnel. */
	if (head->wants_html || is_reserved(segment))
		return API_NONE;
	return take_name(r->name, segment) ? API_NAME : API_BAD_NAME;
}

void
api_parse(struct api_request *r, const struct http_head *head)
{
	struct http_text path = head->path, query = { "", 0 }, segment;
	const char *mark = memchr(path.at, '?', path.len);

	r->name[0] = '\0';
	r->what = API_NONE;
	if (path.len == 0 || path.at[0] != '/')
		return;
	if (mark != NULL) {
		query.at = mark + 1;
		query.len = path.len - (size_t)(query.at - path.at);
		path.len = (size_t)(mark - path.at);
	}
	segment = next_segment(&path);
	if (path.len == 0)
		r->what = parse_register(r, head, segment, query);
	else if (text_is(segment, "api"))
		r->what = parse_status(r, path);
}

/* --- what is answered ----------------------------------------------------- */

/* Sends a JSON object, which it frees; NULL says that there was no memory. */
static void
answer(
    struct worker *w, struct conn *conn, int status, json_t *json, bool is_head)
{
	char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

	pages_json(w->pages, conn, status, text, is_head);
	free(text);
	json_decref(json);
}

static void
answer_message(struct worker *w, struct conn *conn, int status,
    const char *message, bool is_head)
{
	answer(
	    w, conn, status, json_pack("{s:s}", "message", message), is_head);
}

static json_t *
make_status(const struct worker *w)
{
	struct rusage usage = { 0 };

	(void)getrusage(RUSAGE_SELF, &usage);
	return json_pack("{s:I, s:{s:I}}", "tunnels",
	    (json_int_t)registry_count(w->registry), "mem", "rss",
	    (json_int_t)usage.ru_maxrss * 1024);
}

static void
serve_tunnel_status(struct worker *w, struct conn *conn,
    const struct api_request *r, bool is_head)
{
	const struct counters_session *count;
	struct registry_tunnel tunnel;
	char name[LTP_NAME_MAX + 1];
	uint64_t n = 0;

	if (!ltp_name(r->name, name) ||
	    !registry_find(w->registry, name, &tunnel)) {
		answer_message(
		    w, conn, 404, "there is no tunnel of this name", is_head);
		return;
	}
	/* What an ended session has left in its row is of no meaning. */
	for (uint32_t i = 0; i < tunnel.seats_n; i++) {
		if (tunnel.seats[i].worker == REGISTRY_NO_WORKER)
			continue;
		count =
		    counters_session(w->counters, tunnel.seats[i].session.slot);
		n += counter_get(&count->idle) + counter_get(&count->busy);
	}
	answer(w, conn, 200,
	    json_pack("{s:I}", "connected_sockets", (json_int_t)n), is_head);
}

/* --- registrations -------------------------------------------------------- */

struct api *
api_new(void)
{
	struct api *api = log_must_alloc(1, sizeof(*api));

	TAILQ_INIT(&api->waiting);
	return api;
}

static struct pending *
take_first(struct api *api)
{
	struct pending *p = TAILQ_FIRST(&api->waiting);

	if (p != NULL)
		TAILQ_REMOVE(&api->waiting, p, link);
	return p;
}

static void
pending_free(struct pending *p)
{
	conn_close(&p->conn);
	OPENSSL_cleanse(p, sizeof(*p));
	free(p);
}

void
api_free(struct api *api)
{
	struct pending *p;

	if (api == NULL)
		return;
	while ((p = take_first(api)) != NULL)
		pending_free(p);
	free(api);
}

bool
api_is_pending(const struct api *api)
{
	return !TAILQ_EMPTY(&api->waiting);
}

/* The client tries again in a second, and then finds the next server. */
static void
refuse_leaving(struct worker *w, struct conn *conn, bool is_head)
{
	answer_message(w, conn, 503, "the server is leaving", is_head);
}

void
api_drop(struct worker *w)
{
	struct pending *p;

	while ((p = take_first(w->api)) != NULL) {
		refuse_leaving(w, &p->conn, p->is_head);
		pending_free(p);
	}
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
	TAILQ_INSERT_TAIL(&w->api->waiting, p, link);
	channel_send(w->channel, &msg, -1);
	log_debug("claim sent id=%u tunnel=%s node", p->id, p->claim.name);
}

/* Answers with what a verdict means. The client asks again in a second, so this
 * may be said often. */
static void
say_no(struct worker *w, struct pending *p, enum channel_verdict verdict)
{
	const struct verdict *v = verdict_of(verdict);
	static struct log_limit limit;
	char peer[NET_TEXT_MAX];

	log_limited(&limit, LOG_LEVEL_INFO,
	    "client refused from=%s tunnel=%s error=%s end=\"%s\"",
	    net_addr_text(&p->conn.peer, peer), p->claim.name, v->code, v->why);
	answer_message(w, &p->conn, v->status, v->why, p->is_head);
}

static void
serve_register(struct worker *w, struct conn *conn, const struct api_request *r,
    bool is_head)
{
	enum channel_verdict verdict = CHANNEL_NO_TOKEN;
	struct http_head head;
	struct pending *p;
	const char *buf;

	if (w->draining) {
		refuse_leaving(w, conn, is_head);
		return;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		answer_message(
		    w, conn, 503, "the server is out of memory", is_head);
		return;
	}
	p->is_head = is_head;
	p->claim.dialect = REGISTRY_NODE;
	p->claim.kind = REGISTRY_HTTP;
	p->claim.peer = conn->peer;
	p->claim.listener = conn->listener;
	if (r->what == API_NEW)
		names_random(p->claim.name);
	else
		memcpy(p->claim.name, r->name, sizeof(p->claim.name));
	p->conn = conn_take(conn);
	if (pages_peek(w->pages, &p->conn, &head, &buf))
		verdict =
		    credential_take_basic(w, &p->conn, &head, buf, &p->claim);
	if (verdict == CHANNEL_GRANTED) {
		send_claim(w, p);
		return;
	}
	say_no(w, p, verdict);
	pending_free(p);
}

/* The tunnel is there; its client has to come to the port now. */
static void
answer_granted(
    struct worker *w, struct pending *p, const struct session *s, uint16_t port)
{
	char host[ADDRESS_HOST_MAX], url[ADDRESS_URL_MAX], peer[NET_TEXT_MAX];

	address_of(s, p->conn.listener, host, url);
	log_info("session started tunnel=%s url=%s from=%s port=%u", s->name,
	    url, net_addr_text(&s->peer, peer), port);
	answer(w, &p->conn, 200,
	    json_pack("{s:s, s:i, s:i, s:s}", "id", s->name, "port", (int)port,
		"max_conn_count", (int)w->config->pool_idle, "url", url),
	    p->is_head);
}

static void
granted(struct worker *w, struct pending *p,
    const struct channel_claimed *claimed, int *fd)
{
	const char *why = NULL;
	struct session *s = node_start(w, claimed, fd, &why);

	if (s == NULL)
		answer_message(w, &p->conn, 503, why, p->is_head);
	else
		answer_granted(w, p, s, claimed->port);
}

/* No: another name, or an error. True if the claim goes on. */
static bool
refused(struct worker *w, struct pending *p, enum channel_verdict verdict)
{
	if (verdict_is_about_name(verdict) && p->tries < API_NAME_TRIES) {
		names_random(p->claim.name);
		send_claim(w, p);
		return true;
	}
	say_no(w, p, verdict);
	return false;
}

bool
api_claimed(struct worker *w, uint32_t id,
    const struct channel_claimed *claimed, int *fd)
{
	struct pending *p = TAILQ_FIRST(&w->api->waiting);

	if (p == NULL || p->id != id)
		return false;
	TAILQ_REMOVE(&w->api->waiting, p, link);
	credential_answered(w, &p->claim, claimed->verdict);
	if (verdict_is_good(claimed->verdict))
		granted(w, p, claimed, fd);
	else if (refused(w, p, claimed->verdict))
		return true;
	pending_free(p);
	return true;
}

bool
api_serve(struct worker *w, struct conn *conn, const struct http_head *head)
{
	bool is_head = http_text_is(head->method, "HEAD");
	struct api_request r;

	if (w->config->node_api != CONFIG_NODE_YES)
		return false;
	api_parse(&r, head);
	switch (r.what) {
	case API_NONE:
		return false;
	case API_NEW:
	case API_NAME:
		serve_register(w, conn, &r, is_head);
		return true;
	case API_BAD_NAME:
		answer_message(w, conn, 403,
		    "Invalid subdomain. Subdomains must be lowercase and "
		    "between 4 and 63 alphanumeric characters.",
		    is_head);
		return true;
	case API_STATUS:
		answer(w, conn, 200, make_status(w), is_head);
		return true;
	case API_TUNNEL:
		serve_tunnel_status(w, conn, &r, is_head);
		return true;
	}
	abort();
}
