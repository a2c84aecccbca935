/* SPDX-License-Identifier: ISC
 *
 * The inspector between a visitor (A) and a proxy connection (B). It is told
 * of bytes by the relay, decides by what common/follow.h finds in them, and
 * answers through the view; it owns no descriptor and sends nothing itself.
 *
 *              upgrade asked for          101
 *   CHECKING ------------------> HELD ----------> OPAQUE
 *      |   ^----------------------'
 *      |      any other final answer, or its end
 *      +--> REFUSED   a page can follow
 *      '--> CUT       answers are still due: no page, no more requests
 *
 * A body of the upgrade request itself still goes on in HELD; the request
 * direction stops where the next head would begin.
 */
#include "server/visitor.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "server/forwarded.h"
#include "server/gate.h"
#include "server/route.h"

/* True if not one byte of an answer has come, nor is on its way. */
static bool
is_silent(const struct visitor *v)
{
	return relay_bytes(v->relay, RELAY_B_TO_A) == 0 &&
	       relay_is_empty(v->relay, RELAY_B_TO_A);
}

/* True if the visitor has had an answer to all that he asked for, as far as
 * that can be known without reading answers: bytes have come since the last
 * request, and none are on their way. */
static bool
is_answered(const struct visitor *v)
{
	if (v->requests == 0)
		return is_silent(v);
	return relay_bytes(v->relay, RELAY_B_TO_A) > v->answered &&
	       relay_is_empty(v->relay, RELAY_B_TO_A);
}

/* No more requests; what was found good before goes on, and is answered. */
static void
cut(struct visitor *v, struct relay_view *view, const char *why)
{
	v->state = VISITOR_CUT;
	v->why = why;
	view->used = view->len;
	view->next = RELAY_SHUT;
}

/* Refuses what comes next: with a page, unless answers would get mixed. */
static void
refuse(struct visitor *v, struct relay_view *view, bool can_answer, int status,
    const char *why)
{
	if (!can_answer) {
		cut(v, view, why);
		return;
	}
	v->state = VISITOR_REFUSED;
	v->status = status;
	v->why = why;
	view->next = RELAY_END_NOW;
}

static bool
is_for_us(const struct visitor *v, const struct http_head *head)
{
	char name[LTP_NAME_MAX + 1];

	return route_name(v->registry, head->name, v->domain, name) ==
		   ROUTE_HOST_TUNNEL &&
	       strcmp(name, v->name) == 0;
}

/* What is told to the local service. */
static struct forwarded
what_is_told(const struct visitor *v)
{
	return (struct forwarded){
		.peer = *v->peer,
		.scheme = v->scheme,
		.port = v->port,
		.is_off = !v->forwarded,
		.is_once = v->is_once,
		.hides_auth = gate_has_auth(v->gate),
		.trusted = v->trusted,
	};
}

/* Why a good head is refused, and with which status; NULL if it is not. */
static const char *
find_fault(const struct visitor *v, const struct http_head *head,
    const char *buf, int *status)
{
	struct forwarded told = what_is_told(v);
	struct net_addr from = forwarded_from(&told, head, buf);

	*status = 421;
	if (!is_for_us(v, head))
		return "this connection belongs to another host";
	return gate_refuses(v->gate, &from, head, buf, status);
}

/* From here on the answers are read, until the one to this request. -1 without
 * memory. */
static int
ask_upgrade(struct visitor *v)
{
	if (v->answer == NULL) {
		if ((v->answer = malloc(sizeof(*v->answer))) == NULL)
			return -1;
		answer_init(v->answer);
	}
	v->state = VISITOR_HELD;
	v->is_held = false;
	answer_next(v->answer, v->is_head);
	relay_inspect(v->relay, RELAY_B_TO_A);
	return 0;
}

/* A good head at `buf`: is it for us, and what follows it? */
static void
take_head(struct visitor *v, struct relay_view *view,
    const struct http_head *head, const char *buf)
{
	struct forwarded told = what_is_told(v);
	bool can_answer = is_answered(v);
	const char *fault;
	int status;

	v->wants_html = head->wants_html;
	v->is_head = http_text_is(head->method, "HEAD");
	fault = find_fault(v, head, buf, &status);
	if (fault != NULL) {
		refuse(v, view, can_answer, status, fault);
		return;
	}
	if (head->is_upgrade && !can_answer) {
		cut(v, view, "an upgrade was asked for among other requests");
		return;
	}
	if (forwarded_put(&told, head, buf, view->out) == -1 ||
	    (head->is_upgrade && ask_upgrade(v) == -1)) {
		refuse(v, view, can_answer, 503, "the server is out of memory");
		return;
	}
	view->used += head->len;
	v->requests++;
	v->answered = relay_bytes(v->relay, RELAY_B_TO_A);
	/* A body with a length passes unseen. */
	view->opaque = v->follow.body_left;
	v->follow.body_left = 0;
}

/* One step along the requests. */
static void
step_requests(struct visitor *v, struct relay_view *view)
{
	/* Something is wrong inside a body: its head went on already. */
	bool can_answer = v->follow.is_chunked
			      ? v->requests == 1 && is_silent(v)
			      : is_answered(v);
	const char *at = view->in + view->used;
	struct http_head head;
	size_t used;

	switch (
	    follow_next(&v->follow, at, view->len - view->used, &head, &used)) {
	case FOLLOW_MORE:
		/* Half a head goes nowhere. */
		if (view->is_eof)
			view->used = view->len;
		else
			view->next = RELAY_MORE;
		return;
	case FOLLOW_HEAD:
		take_head(v, view, &head, at);
		return;
	case FOLLOW_BODY:
		if (evbuffer_add(view->out, at, used) == -1)
			refuse(v, view, can_answer, 503,
			    "the server is out of memory");
		view->used += used;
		return;
	case FOLLOW_BAD:
		refuse(v, view, can_answer, head.status, head.why);
		return;
	}
}

/* Goes along the requests as far as the bytes reach. */
static void
inspect_requests(struct visitor *v, struct relay_view *view)
{
	if (v->state == VISITOR_OPAQUE)
		view->opaque = RELAY_ALL;
	view->is_whole = !v->follow.is_chunked && view->len == 0;
	while (view->next == RELAY_GO && view->opaque == 0) {
		if (v->state == VISITOR_HELD && !v->follow.is_chunked) {
			v->is_held = true;
			view->next = RELAY_HOLD;
		} else if (view->used < view->len) {
			step_requests(v, view);
		} else {
			return;
		}
	}
}

/* The answer to the upgrade has come, or never will. */
static void
decide_upgrade(struct visitor *v, bool is_upgraded)
{
	v->state = is_upgraded ? VISITOR_OPAQUE : VISITOR_CHECKING;
	if (!v->is_held)
		return;
	v->is_held = false;
	relay_resume(v->relay, RELAY_A_TO_B, is_upgraded ? RELAY_ALL : 0);
}

/* Reads answers up to the end of the one that decides: 101, or any other
 * final one, whose body has to be through before a page of ours may follow.
 * What is no HTTP passes, and upgrades nothing. */
static void
inspect_answers(struct visitor *v, struct relay_view *view)
{
	enum http_result result = HTTP_OK;
	size_t used;

	while (v->state == VISITOR_HELD && view->used < view->len &&
	       result == HTTP_OK) {
		const char *at = view->in + view->used;

		result =
		    answer_feed(v->answer, at, view->len - view->used, &used);
		if (result == HTTP_BAD ||
		    evbuffer_add(view->out, at, used) == -1) {
			decide_upgrade(v, false);
			break;
		}
		view->used += used;
		if (result == HTTP_OK && v->answer->is_done)
			decide_upgrade(v, v->answer->status == 101);
	}
	if (v->state == VISITOR_HELD && view->is_eof)
		decide_upgrade(v, false);
	if (v->state != VISITOR_HELD)
		view->opaque = RELAY_ALL;
}

void
visitor_init(struct visitor *v, struct relay *relay)
{
	v->state = VISITOR_CHECKING;
	v->status = 0;
	v->why = NULL;
	v->wants_html = false;
	v->is_head = false;
	v->is_held = false;
	v->requests = 0;
	v->answered = 0;
	v->relay = relay;
	follow_init(&v->follow);
	v->answer = NULL;
	relay_inspect(relay, RELAY_A_TO_B);
}

void
visitor_fini(struct visitor *v)
{
	free(v->answer);
	v->answer = NULL;
}

void
visitor_inspect(struct visitor *v, struct relay_view *view)
{
	if (view->dir == RELAY_A_TO_B)
		inspect_requests(v, view);
	else
		inspect_answers(v, view);
}
