/* SPDX-License-Identifier: ISC
 *
 * Requests one after the other on one connection, and the answers to them.
 * The relays of the server and of the client call it with whatever has
 * arrived. Heads are http_head()'s; chunked bodies go through llhttp, and
 * what of them is not data is looked at here too, since llhttp is laxer about
 * line ends than a head may be.
 *
 * It keeps no bytes and allocates nothing.
 */
#include "common/follow.h"

#include <string.h>

#define CHUNK_MAX  INT64_MAX /* more overflows in many a server */
#define DATA_WORTH 16	     /* one-byte chunks weigh nothing: 5 : 1 */

/* --- requests ------------------------------------------------------------ */

/* One call of llhttp inside a chunked body. */
struct chunk_pass {
	struct follow *follow;
	const char *mark; /* behind the data that was seen last */
	const char *why;  /* it was refused */
};

/* Looks at bytes that are not data; NULL or what is wrong with them. */
static const char *
check_lines(struct follow *f, const char *at, const char *end)
{
	for (; at < end; at++) {
		char prev = f->last, c = *at;

		f->last = c;
		f->excess++;
		if ((c == '\n') != (prev == '\r'))
			return "a chunk or trailer line without CRLF";
		if (prev == '\n' && (c == ' ' || c == '\t' || c == ':'))
			return "a chunk or trailer line begins with a blank "
			       "or a colon";
		if (((unsigned char)c < ' ' && c != '\t' && c != '\r' &&
			c != '\n') ||
		    c == 0x7f)
			return "a control character in a chunk or trailer line";
		if (f->excess > HTTP_HEAD_MAX)
			return "chunk extensions or trailers that are too long";
	}
	return NULL;
}

static int
body_cb(llhttp_t *parser, const char *at, size_t len)
{
	struct chunk_pass *pass = parser->data;
	struct follow *f = pass->follow;

	pass->why = check_lines(f, pass->mark, at);
	if (pass->why != NULL)
		return -1;
	pass->mark = at + len;
	f->last = '\0';
	f->excess -=
	    len < f->excess / DATA_WORTH ? len * DATA_WORTH : f->excess;
	return 0;
}

static int
chunk_header_cb(llhttp_t *parser)
{
	struct chunk_pass *pass = parser->data;

	if (parser->content_length <= CHUNK_MAX)
		return 0;
	pass->why = "a chunk that is too large";
	return -1;
}

static int
pause_cb(llhttp_t *parser)
{
	(void)parser;
	return HPE_PAUSED;
}

static const llhttp_settings_t chunk_settings = {
	.on_body = body_cb,
	.on_chunk_header = chunk_header_cb,
	.on_message_complete = pause_cb,
};

static enum follow_step
refuse(struct http_head *head, const char *why)
{
	memset(head, 0, sizeof(*head));
	head->status = 400;
	head->why = why;
	return FOLLOW_BAD;
}

static enum follow_step
next_chunked(struct follow *f, const char *buf, size_t len,
    struct http_head *head, size_t *used)
{
	struct chunk_pass pass = { f, buf, NULL };
	const char *end = buf + len;
	llhttp_errno_t error;

	f->parser.data = &pass;
	error = llhttp_execute(&f->parser, buf, len);
	f->parser.data = NULL;
	if (error == HPE_PAUSED) {
		end = llhttp_get_error_pos(&f->parser);
		f->is_chunked = false;
	} else if (error != HPE_OK && pass.why == NULL) {
		pass.why = llhttp_get_error_reason(&f->parser);
	}
	if (pass.why == NULL)
		pass.why = check_lines(f, pass.mark, end);
	if (pass.why != NULL)
		return refuse(head, pass.why);
	*used = (size_t)(end - buf);
	return FOLLOW_BODY;
}

static enum follow_step
next_sized(struct follow *f, size_t len, size_t *used)
{
	*used = f->body_left < len ? (size_t)f->body_left : len;
	f->body_left -= *used;
	return FOLLOW_BODY;
}

/* Makes ready for the body behind a good head. */
static void
begin_body(struct follow *f, const struct http_head *head)
{
	f->scanned = 0;
	f->body_left = head->is_chunked ? 0 : head->content_length;
	f->is_chunked = head->is_chunked;
	f->last = '\n';
	f->excess = 0;
	f->parser = head->parser;
	f->parser.settings = (void *)&chunk_settings;
}

static enum follow_step
next_head(struct follow *f, const char *buf, size_t len, struct http_head *head,
    size_t *used)
{
	switch (http_head(head, buf, len, &f->scanned)) {
	case HTTP_MORE:
		return FOLLOW_MORE;
	case HTTP_BAD:
		return FOLLOW_BAD;
	case HTTP_OK:
		break;
	}
	begin_body(f, head);
	*used = head->len;
	return FOLLOW_HEAD;
}

void
follow_init(struct follow *f)
{
	memset(f, 0, sizeof(*f));
}

enum follow_step
follow_next(struct follow *f, const char *buf, size_t len,
    struct http_head *head, size_t *used)
{
	*used = 0;
	if (f->is_chunked)
		return next_chunked(f, buf, len, head, used);
	if (f->body_left > 0)
		return next_sized(f, len, used);
	return next_head(f, buf, len, head, used);
}

/* --- answers ------------------------------------------------------------- */

/* Stops behind each head. What has no body is complete with it: nothing may
 * come that would show it otherwise. */
static int
answer_head_cb(llhttp_t *parser)
{
	struct answer *answer = parser->data;
	int status = llhttp_get_status_code(parser);
	bool is_interim = status / 100 == 1 && status != 101;
	bool is_empty = (parser->flags & F_CONTENT_LENGTH) != 0 &&
			(parser->flags & F_CHUNKED) == 0 &&
			parser->content_length == 0;

	answer->status = status;
	answer->is_final = !is_interim;
	answer->is_done =
	    answer->is_final && (answer->is_head || is_empty || status == 101 ||
				    status == 204 || status == 304);
	return HPE_PAUSED;
}

static int
answer_end_cb(llhttp_t *parser)
{
	struct answer *answer = parser->data;

	answer->is_done = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t answer_settings = {
	.on_headers_complete = answer_head_cb,
	.on_message_complete = answer_end_cb,
};

static void
answer_restart(struct answer *answer)
{
	llhttp_t *parser = &answer->parser;

	llhttp_init(parser, HTTP_RESPONSE, &answer_settings);
	llhttp_set_lenient_headers(parser, 1);
	llhttp_set_lenient_chunked_length(parser, 1);
	llhttp_set_lenient_keep_alive(parser, 1);
	llhttp_set_lenient_transfer_encoding(parser, 1);
}

void
answer_next(struct answer *answer, bool is_head)
{
	answer->status = 0;
	answer->is_head = is_head;
	answer->is_final = answer->is_done = false;
	answer_restart(answer);
}

void
answer_init(struct answer *answer)
{
	answer_next(answer, false);
}

enum http_result
answer_feed(struct answer *answer, const char *buf, size_t len, size_t *used)
{
	llhttp_t *parser = &answer->parser;
	llhttp_errno_t error;

	*used = 0;
	if (answer->is_done)
		return HTTP_BAD;
	parser->data = answer;
	error = llhttp_execute(parser, buf, len);
	parser->data = NULL;
	if (error == HPE_OK) {
		*used = len;
		return HTTP_MORE;
	}
	if (error != HPE_PAUSED)
		return HTTP_BAD;
	*used = (size_t)(llhttp_get_error_pos(parser) - buf);
	if (answer->is_final)
		llhttp_resume(parser);
	else
		answer_restart(answer);
	return HTTP_OK;
}
