/* SPDX-License-Identifier: ISC
 *
 * What the first bytes of a TLS connection may be. A part of them must come
 * to the verdict of the whole or ask for more, never for more than there is
 * in a good one; and a good one says the same in records of one byte each.
 */
#include "common/hello.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define RECORD_HEADER 5
#define PARTS	      64 /* looked at beside the whole */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(const struct hello *x, const struct hello *y)
{
	assert(strcmp(x->sni, y->sni) == 0);
	assert(x->has_alpn == y->has_alpn);
	assert(x->offers_ltp == y->offers_ltp);
	assert(x->offers_http == y->offers_http);
	assert(x->need == y->need);
	assert(x->alert == y->alert && x->why == y->why);
}

static void
part(const struct hello *whole, enum hello_result expected, const uint8_t *data,
    size_t size, size_t len)
{
	struct hello h;

	if (hello_parse(&h, data, len) != HELLO_MORE) {
		same(&h, whole);
		return;
	}
	assert(h.need > len && h.need <= HELLO_WIRE_MAX);
	if (expected == HELLO_OK) {
		size_t need = h.need;

		assert(need <= size);
		assert(hello_parse(&h, data, need - 1) == HELLO_MORE);
	}
}

static void
one_byte_records(const struct hello *whole, const uint8_t *data, size_t size)
{
	uint8_t out[HELLO_WIRE_MAX] = { 0 };
	size_t left = 0, n = 0;
	struct hello h;

	for (size_t at = 0; at < size && n + 6 <= sizeof(out); at++, left--) {
		if (left == 0) {
			if (size - at <= RECORD_HEADER)
				break;
			left = (size_t)data[at + 3] << 8 | data[at + 4];
			if (left == 0)
				break;
			at += RECORD_HEADER;
		}
		memcpy(out + n, "\x16\3\1\0\1", RECORD_HEADER);
		out[n + RECORD_HEADER] = data[at];
		n += RECORD_HEADER + 1;
	}
	if (hello_parse(&h, out, n) == HELLO_OK)
		same(&h, whole);
	else
		assert(n + 6 > sizeof(out));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hello h;
	enum hello_result r = hello_parse(&h, data, size);

	assert((r == HELLO_BAD) == (h.why != NULL && h.alert != 0));
	assert((r == HELLO_MORE) == (h.need > size));
	assert(memchr(h.sni, '\0', sizeof(h.sni)) != NULL);
	for (size_t i = 0; i < PARTS; i++)
		part(&h, r, data, size, size * i / PARTS);
	if (r == HELLO_OK)
		one_byte_records(&h, data, size);
	return 0;
}
