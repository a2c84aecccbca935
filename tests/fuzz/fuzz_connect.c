/* SPDX-License-Identifier: ISC
 *
 * What a proxy may answer to CONNECT: in one piece and byte by byte it must
 * come to the same, and never to more than it may be.
 */
#include "client/connect.h"

#include <assert.h>
#include <string.h>

#include "client/way.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_result
feed(struct connect_answer *answer, const char *buf, size_t size, size_t piece)
{
	enum http_result result = HTTP_MORE;
	size_t at, len;

	connect_init(answer);
	for (at = 0; at < size && result == HTTP_MORE; at += len) {
		len = size - at < piece ? size - at : piece;
		result = connect_feed(answer, buf + at, len);
		assert(answer->len <= CONNECT_MAX);
	}
	/* Only in one piece does it show that there is more. */
	if (result == HTTP_OK && at < size) {
		answer->fault = CONNECT_EARLY;
		result = HTTP_BAD;
	}
	return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct way way = { .authority = "proxy:1" };
	struct connect_answer whole, bytes;
	char why[CONNECT_WHY_MAX];
	enum http_result result;

	result = feed(&whole, (const char *)data, size, size);
	assert(feed(&bytes, (const char *)data, size, 1) == result);
	if (result == HTTP_MORE)
		return 0;
	assert(whole.http.status == bytes.http.status);
	assert((result == HTTP_OK) ==
	       (whole.http.status / 100 == 2 && whole.len == size));
	if (result != HTTP_BAD)
		return 0;
	assert(whole.fault == bytes.fault);
	connect_explain(&whole, &way, "example.com", 443, why);
	assert(strstr(why, "proxy:1") != NULL);
	return 0;
}
