/* SPDX-License-Identifier: ISC
 *
 * What a peer of either side may send: header, then frames. Whatever is
 * understood is written and read again, and must have the same values.
 */
#include "common/ltp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is always written is "" afterwards where it was missing. */
static void
same(const char *x, const char *y)
{
	assert(strcmp(x != NULL ? x : "", y != NULL ? y : "") == 0);
}

static void
compare(const struct ltp_message *x, const struct ltp_message *y)
{
	assert(x->type == y->type && x->has_ext == y->has_ext);
	same(x->name, y->name);
	same(x->client, y->client);
	same(x->protect, y->protect);
	same(x->domain, y->domain);
	same(x->host, y->host);
	same(x->banner, y->banner);
	same(x->error, y->error);
	same(x->text, y->text);
	same(x->session, y->session);
	same(x->secret, y->secret);
	same(x->agent, y->agent);
	same(x->ext_name, y->ext_name);
	same(x->url, y->url);
	same(x->sni, y->sni);
	same(x->server, y->server);
	same(x->peer, y->peer);
	same(x->scheme, y->scheme);
	assert(x->concurrency == y->concurrency);
	assert(x->reconnect_ms == y->reconnect_ms);
	assert(x->heartbeat_s == y->heartbeat_s && x->grace_s == y->grace_s);
	assert(x->sessions == y->sessions && x->strict == y->strict);
	assert(y->must_unknown == NULL);
}

static void
one_message(enum ltp_from from, const uint8_t *json, size_t len)
{
	struct ltp_message m, again;
	const char *why = NULL;
	size_t frame_len, head = 0, json_len;
	char *frame;

	if (ltp_parse(&m, from, json, len, &why) == LTP_BAD) {
		assert(why != NULL && m.json == NULL);
		return;
	}
	frame = ltp_format(&m, &frame_len);
	/* It may have grown by the keys that are always written. */
	assert(frame != NULL || len > LTP_FRAME_MAX - 64);
	if (frame != NULL) {
		if (ltp_header(frame, frame_len) == LTP_OK)
			head = LTP_HEADER_LEN;
		assert(ltp_frame(frame + head, frame_len - head, &json_len) ==
		       LTP_OK);
		assert(ltp_parse(&again, from, frame + head + 4, json_len,
			   &why) == LTP_OK);
		compare(&m, &again);
		ltp_message_fini(&again);
	}
	free(frame);
	ltp_message_fini(&m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len;

	if (ltp_header(data, size) == LTP_OK) {
		data += LTP_HEADER_LEN;
		size -= LTP_HEADER_LEN;
	}
	while (ltp_frame(data, size, &len) == LTP_OK) {
		one_message(LTP_FROM_CLIENT, data + 4, len);
		one_message(LTP_FROM_SERVER, data + 4, len);
		data += 4 + len;
		size -= 4 + len;
	}
	return 0;
}
