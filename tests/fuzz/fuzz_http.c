/* SPDX-License-Identifier: ISC
 *
 * Requests as a visitor may send them, and the same bytes as answers. Two
 * walks, in one piece and byte by byte, must see the same heads, the same
 * lengths of bodies and the same end; and an edited head must be good again.
 */
#include "common/follow.h"

#include <assert.h>
#include <event2/buffer.h>
#include <string.h>

#define SUM_START 1469598103934665603u
#define SUM_PRIME 1099511628211u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
sum(uint64_t s, const void *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s = (s ^ ((const uint8_t *)at)[i]) * SUM_PRIME;
	return s;
}

/* What the local service would be sent is a head with the same meaning. */
static void
edit(const struct http_head *head, const char *buf)
{
	static const struct http_edit edits[] = {
		{ "X-Forwarded-For", "192.0.2.1" },
		{ "Host", "b.example:1" },
	};
	struct evbuffer *out = evbuffer_new();
	struct http_head again;
	const char *text;
	size_t len;

	assert(http_head_edit(head, buf, edits, 2, out) == 0);
	len = evbuffer_get_length(out);
	text = (const char *)evbuffer_pullup(out, -1);
	if (head->path.at == head->target.at && len < HTTP_HEAD_MAX) {
		assert(http_head(&again, text, len, NULL) == HTTP_OK);
		assert(
		    again.len == len && strcmp(again.name, "b.example") == 0);
		assert(again.is_chunked == head->is_chunked);
		assert(again.is_upgrade == head->is_upgrade);
		assert(again.content_length == head->content_length);
	}
	evbuffer_free(out);
}

static uint64_t
note_head(uint64_t s, const struct http_head *head, const char *buf)
{
	assert(head->len <= HTTP_HEAD_MAX && head->name[0] != '\0');
	assert(!head->is_chunked || head->content_length == 0);
	assert(memcmp(buf + head->len - 4, "\r\n\r\n", 4) == 0);
	edit(head, buf);
	s = sum(s, buf, head->len);
	s = sum(s, head->name, strlen(head->name));
	return sum(s, head->path.at, head->path.len);
}

/* A sum over everything that was seen of requests. */
static uint64_t
requests(const char *buf, size_t size, size_t piece)
{
	enum follow_step step = FOLLOW_BODY;
	size_t at = 0, have = 0, used, body = 0;
	struct http_head head;
	uint64_t s = SUM_START;
	struct follow f;

	follow_init(&f);
	while (step != FOLLOW_BAD && at < size) {
		if (step == FOLLOW_MORE || at == have) {
			if (have == size)
				break;
			have = have + piece < size ? have + piece : size;
		}
		step = follow_next(&f, buf + at, have - at, &head, &used);
		assert(used <= have - at);
		assert(
		    (used == 0) == (step == FOLLOW_MORE || step == FOLLOW_BAD));
		if (step == FOLLOW_HEAD) {
			s = sum(s, &body, sizeof(body));
			s = note_head(s, &head, buf + at);
			body = 0;
		}
		if (step == FOLLOW_BODY)
			body += used;
		at += used;
	}
	if (step == FOLLOW_BAD)
		return sum(s, &head.status, sizeof(head.status));
	return sum(s, &body, sizeof(body));
}

static uint64_t
answers(const char *buf, size_t size, size_t piece)
{
	size_t at = 0, used;
	uint64_t s = SUM_START;
	struct answer a;

	answer_init(&a);
	while (at < size) {
		size_t len = size - at < piece ? size - at : piece;
		enum http_result r = answer_feed(&a, buf + at, len, &used);

		if (r == HTTP_BAD)
			return sum(s, "bad", 3);
		assert(used <= len && (used == len || r == HTTP_OK));
		at += used;
		if (r == HTTP_MORE)
			continue;
		s = sum(s, &at, sizeof(at));
		s = sum(s, &a.status, sizeof(a.status));
		if (a.is_done)
			answer_next(&a, a.status % 2 == 1);
	}
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *buf = (const char *)data;

	assert(requests(buf, size, size) == requests(buf, size, 1));
	assert(requests(buf, size, size) == requests(buf, size, 7));
	assert(answers(buf, size, size) == answers(buf, size, 1));
	return 0;
}
