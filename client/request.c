/* SPDX-License-Identifier: ISC
 *
 * Follows the requests of one joined connection and their answers. Called by
 * proxy, from its relay. Judges nothing: what it does not understand passes
 * as it is, for the local service to refuse.
 *
 * Requests that were not answered yet wait in a short queue. While it is full
 * no further head is read, so that memory stays bounded. After a request that
 * wants to upgrade nothing is read until its answer has come: behind a 101
 * there is no HTTP.
 */
#include "client/request.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "client/options.h"
#include "common/clock.h"
#include "common/follow.h"
#include "common/log.h"
#include "common/relay.h"

#define QUEUE_MAX 8

struct entry {
	uint64_t start_ms;
	int status; /* 0: no answer yet */
	bool is_head;
	char method[24];
	char path[256];
};

struct request {
	const struct tunnel_options *options;
	struct relay *relay;
	struct follow follow;
	struct answer answer;
	struct entry queue[QUEUE_MAX]; /* the first is being answered */
	size_t n;
	bool has_begun;	     /* a request has come */
	bool is_held;	     /* requests wait until an answer has come */
	bool is_upgrade;     /* the last request wants to upgrade */
	bool is_opaque;	     /* the requests cannot be followed any more */
	bool answers_opaque; /* nor can the answers */
};

bool
request_is_wanted(const struct tunnel_options *options)
{
	return options->print_requests || options->host_header[0] != '\0' ||
	       options->target.is_tls;
}

struct request *
request_new(const struct tunnel_options *options, struct relay *relay)
{
	struct request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return NULL;
	request->options = options;
	request->relay = relay;
	follow_init(&request->follow);
	answer_init(&request->answer);
	return request;
}

/* --- the queue -------------------------------------------------------------
 */

static void
push(struct request *request, const struct http_head *head)
{
	struct entry *entry = &request->queue[request->n++];

	entry->start_ms = clock_ms();
	entry->status = 0;
	request->has_begun = true;
	entry->is_head = http_text_is(head->method, "HEAD");
	log_escape(entry->method, sizeof(entry->method), head->method.at,
	    head->method.len);
	log_escape(
	    entry->path, sizeof(entry->path), head->path.at, head->path.len);
	if (request->options->print_requests)
		display_request_begun(
		    &request->options->display, entry->method, entry->path);
	if (request->n == 1)
		answer_next(&request->answer, entry->is_head);
}

/* The first of the queue has its answer, or will have none. */
static void
pop(struct request *request)
{
	const struct entry *entry = &request->queue[0];
	struct display_request line = {
		.method = entry->method,
		.path = entry->path,
		.status = entry->status,
		.ms = clock_ms() - entry->start_ms,
	};

	if (request->options->print_requests)
		display_request(&request->options->display, &line);
	request->n--;
	memmove(request->queue, request->queue + 1,
	    request->n * sizeof(request->queue[0]));
	if (request->n > 0)
		answer_next(&request->answer, request->queue[0].is_head);
}

/* Lets held requests go on. */
static void
resume(struct request *request)
{
	if (!request->is_held)
		return;
	request->is_held = false;
	relay_resume(
	    request->relay, RELAY_A_TO_B, request->is_opaque ? RELAY_ALL : 0);
}

/* --- requests --------------------------------------------------------------
 */

static int
pass_head(struct request *request, const struct http_head *head,
    const char *buf, struct evbuffer *out)
{
	struct http_edit edit = { "Host", request->options->host_header };

	if (edit.value[0] == '\0')
		return evbuffer_add(out, buf, head->len);
	return http_head_edit(head, buf, &edit, 1, out);
}

static void
hold(struct request *request, struct relay_view *view)
{
	request->is_held = true;
	view->next = RELAY_HOLD;
}

/* A whole head: log it, pass it on, stop behind it if need be. */
static int
take_head(struct request *request, const struct http_head *head,
    struct relay_view *view, const char *buf)
{
	if (pass_head(request, head, buf, view->out) == -1)
		return -1;
	if (!request->answers_opaque)
		push(request, head);
	request->is_upgrade = head->is_upgrade;
	if (!head->is_upgrade)
		return 0;
	if (request->answers_opaque)
		request->is_opaque = true;
	else
		hold(request, view);
	return 0;
}

/* Body bytes: what is there is passed, what comes of them need not be seen. */
static int
take_body(struct request *request, struct relay_view *view, const char *buf,
    size_t len)
{
	if (evbuffer_add(view->out, buf, len) == -1)
		return -1;
	if (view->used + len == view->len && !request->follow.is_chunked) {
		view->opaque = request->follow.body_left;
		request->follow.body_left = 0;
	}
	return 0;
}

static bool
is_queue_full(const struct request *request)
{
	return request->n == QUEUE_MAX && !request->follow.is_chunked &&
	       request->follow.body_left == 0;
}

static void
inspect_requests(struct request *request, struct relay_view *view)
{
	struct http_head head;
	size_t used;
	int failed = 0;

	while (!failed && view->used < view->len && view->next == RELAY_GO) {
		const char *buf = view->in + view->used;

		if (request->is_opaque)
			break;
		if (is_queue_full(request)) {
			hold(request, view);
			break;
		}
		switch (follow_next(&request->follow, buf,
		    view->len - view->used, &head, &used)) {
		case FOLLOW_MORE:
			view->next = RELAY_MORE;
			continue;
		case FOLLOW_HEAD:
			failed = take_head(request, &head, view, buf);
			break;
		case FOLLOW_BODY:
			failed = take_body(request, view, buf, used);
			break;
		case FOLLOW_BAD:
			request->is_opaque = true;
			continue;
		}
		view->used += used;
	}
	if (request->is_opaque)
		view->opaque = RELAY_ALL;
	if (failed)
		view->next = RELAY_END_NOW;
}

/* --- answers ---------------------------------------------------------------
 */

/* The answers cannot be followed any more: neither can the log, nor what
 * comes after an upgrade. */
static void
lose_answers(struct request *request)
{
	request->answers_opaque = true;
	if (request->is_upgrade && request->is_held)
		request->is_opaque = true;
	while (request->n > 0)
		pop(request);
	resume(request);
}

/* News of the answer to the first request of the queue. Held requests go on
 * when there is room again; behind an upgrade, when that was declined. */
static void
take_news(struct request *request)
{
	bool is_last = request->n == 1;
	bool is_final = request->answer.is_final;
	bool is_done = request->answer.is_done;

	request->queue[0].status = request->answer.status;
	if (request->answer.status == 101) {
		lose_answers(request);
		return;
	}
	if (is_done)
		pop(request);
	if (request->is_upgrade ? is_last && is_final : is_done) {
		request->is_upgrade = false;
		resume(request);
	}
}

static void
inspect_answers(struct request *request, struct relay_view *view)
{
	size_t pos = 0, used;

	while (pos < view->len && !request->answers_opaque) {
		enum http_result result = HTTP_BAD;

		if (request->n > 0)
			result = answer_feed(&request->answer, view->in + pos,
			    view->len - pos, &used);
		if (result == HTTP_BAD) {
			lose_answers(request);
			break;
		}
		pos += used;
		if (result == HTTP_MORE)
			break;
		take_news(request);
	}
	if (evbuffer_add(view->out, view->in, view->len) == -1)
		view->next = RELAY_END_NOW;
	view->used = view->len;
	if (request->answers_opaque)
		view->opaque = RELAY_ALL;
}

/* Many servers just close after an answer, without close_notify. If its length
 * says that it is complete, and no other is due, nothing can be missing. */
static bool
is_answered(const struct request *request)
{
	return !request->answers_opaque && request->n == 0;
}

bool
request_is_answered(const struct request *request)
{
	return request->has_begun && is_answered(request);
}

void
request_inspect(struct request *request, struct relay_view *view)
{
	if (view->is_cut)
		view->is_whole =
		    view->dir == RELAY_B_TO_A && is_answered(request);
	else if (view->dir == RELAY_A_TO_B)
		inspect_requests(request, view);
	else
		inspect_answers(request, view);
}

void
request_free(struct request *request)
{
	if (request == NULL)
		return;
	while (request->n > 0)
		pop(request);
	free(request);
}
