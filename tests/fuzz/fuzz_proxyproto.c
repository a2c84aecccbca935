/* SPDX-License-Identifier: ISC
 *
 * What may stand before a connection from a proxy. A part of it must come to
 * the verdict of the whole or ask for more; the largest buffer always comes to
 * one; and who was named is named by what is written of him.
 */
#include "common/proxyproto.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_again(const struct proxyproto *p, int version)
{
	char out[PROXYPROTO_WRITE_MAX], x[NET_TEXT_MAX], y[NET_TEXT_MAX];
	size_t len = proxyproto_write(out, version, &p->peer, &p->peer);
	struct proxyproto again;

	assert(proxyproto_parse(&again, out, len) == PROXYPROTO_OK);
	assert(again.len == len);
	assert(strcmp(net_addr_text(&p->peer, x),
		   net_addr_text(&again.peer, y)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxyproto whole, part;
	enum proxyproto_result result = proxyproto_parse(&whole, data, size);
	size_t parts = size < 300 ? size : 300;

	assert((result == PROXYPROTO_BAD) == (whole.why != NULL));
	assert(result != PROXYPROTO_MORE || size < PROXYPROTO_MAX);
	for (size_t len = 0; len < parts; len++) {
		switch (proxyproto_parse(&part, data, len)) {
		case PROXYPROTO_MORE:
			break;
		case PROXYPROTO_OK:
			assert(result == PROXYPROTO_OK && part.len <= len &&
			       part.len == whole.len);
			break;
		case PROXYPROTO_BAD:
			assert(result == PROXYPROTO_BAD);
			break;
		}
	}
	if (result != PROXYPROTO_OK)
		return 0;
	assert(whole.len <= size && whole.len <= PROXYPROTO_MAX);
	write_again(&whole, 1);
	write_again(&whole, 2);
	return 0;
}
