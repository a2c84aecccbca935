/* SPDX-License-Identifier: ISC */
#include "server/classify.h"

#include <string.h>

#define TLS_HANDSHAKE 0x16

/* One byte does not decide: LOCK and LINK begin with L too. */
static enum conn_language
guess(const char *buf, size_t len)
{
	size_t n = len < 4 ? len : 4;

	if (len == 0)
		return CONN_UNKNOWN;
	if (buf[0] == TLS_HANDSHAKE)
		return CONN_TLS;
	if (memcmp(buf, LTP_HEADER, n) != 0)
		return CONN_HTTP;
	return n == 4 ? CONN_LTP : CONN_UNKNOWN;
}

static enum classify_kind
bad(struct classified *c, int status, const char *why)
{
	c->status = status;
	c->why = why;
	return CLASSIFY_BAD;
}

static enum classify_kind
classify_client(
    struct classified *c, struct recent *recent, const char *buf, size_t len)
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
	if (recent_parse(recent, &c->message, buf + 4, json_len, &c->why) !=
	    LTP_OK)
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

/* What is needed at least is known, so a hello that comes byte by byte is
 * read a few times only. */
static enum classify_kind
classify_tls(struct classified *c, const char *buf, size_t len, size_t *scanned)
{
	if (len < *scanned)
		return CLASSIFY_MORE;
	switch (hello_parse(&c->hello, buf, len)) {
	case HELLO_MORE:
		*scanned = c->hello.need;
		return CLASSIFY_MORE;
	case HELLO_BAD:
		return bad(c, 0, c->hello.why);
	case HELLO_OK:
		break;
	}
	return CLASSIFY_TLS;
}

enum classify_kind
classify(struct classified *c, struct recent *recent, const char *buf,
    size_t len, size_t *scanned)
{
	c->language = guess(buf, len);
	switch (c->language) {
	case CONN_UNKNOWN:
	case CONN_OPAQUE:
		return CLASSIFY_MORE;
	case CONN_LTP:
		return classify_client(c, recent, buf, len);
	case CONN_TLS:
		return classify_tls(c, buf, len, scanned);
	case CONN_HTTP:
		break;
	}
	return classify_visitor(c, buf, len, scanned);
}
