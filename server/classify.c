/* SPDX-License-Identifier: ISC */
#include "server/classify.h"

#include <string.h>

#define TLS_HANDSHAKE 0x16

/* One byte does not decide: LOCK and LINK begin with L too. */
static enum classify_guess
guess(const char *buf, size_t len)
{
	size_t n = len < 4 ? len : 4;

	if (len == 0)
		return CLASSIFY_UNKNOWN;
	if (buf[0] == TLS_HANDSHAKE)
		return CLASSIFY_TLS;
	if (memcmp(buf, LTP_HEADER, n) != 0)
		return CLASSIFY_HTTP;
	return n == 4 ? CLASSIFY_LTP : CLASSIFY_UNKNOWN;
}

static enum classify_kind
bad(struct classified *c, int status, const char *why)
{
	c->status = status;
	c->why = why;
	return CLASSIFY_BAD;
}

static enum classify_kind
classify_client(struct classified *c, const char *buf, size_t len)
{
	size_t json_len;

	switch (ltp_header(buf, len)) {
	case LTP_MORE:
		return CLASSIFY_MORE;
	case LTP_BAD:
		return bad(c, 0, "not " LTP_HEADER);
	case LTP_OK:
		break;
	}
	buf += LTP_HEADER_LEN;
	switch (ltp_frame(buf, len - LTP_HEADER_LEN, &json_len)) {
	case LTP_MORE:
		return CLASSIFY_MORE;
	case LTP_BAD:
		return bad(c, 0, "frame too long or empty");
	case LTP_OK:
		break;
	}
	if (ltp_parse(&c->message, LTP_FROM_CLIENT, buf + 4, json_len,
		&c->why) != LTP_OK)
		return CLASSIFY_BAD;
	if (c->message.type != LTP_CONTROL && c->message.type != LTP_PROXY) {
		ltp_message_fini(&c->message);
		return bad(c, 0, "neither control nor proxy");
	}
	c->hello_len = LTP_HEADER_LEN + 4 + json_len;
	return CLASSIFY_CLIENT;
}

static enum classify_kind
classify_visitor(
    struct classified *c, const char *buf, size_t len, size_t *scanned)
{
	switch (http_head(&c->head, buf, len, scanned)) {
	case HTTP_MORE:
		return CLASSIFY_MORE;
	case HTTP_BAD:
		return bad(c, c->head.status, c->head.why);
	case HTTP_OK:
		break;
	}
	return CLASSIFY_VISITOR;
}

enum classify_kind
classify(struct classified *c, const char *buf, size_t len, size_t *scanned)
{
	c->guess = guess(buf, len);
	switch (c->guess) {
	case CLASSIFY_UNKNOWN:
		return CLASSIFY_MORE;
	case CLASSIFY_LTP:
		return classify_client(c, buf, len);
	case CLASSIFY_TLS:
		return bad(c, 0, "TLS is not served on this port");
	case CLASSIFY_HTTP:
		break;
	}
	return classify_visitor(c, buf, len, scanned);
}
