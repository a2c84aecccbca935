/* SPDX-License-Identifier: ISC
 *
 * Bytes as the text of a network: it is one or is refused with a word; what is
 * one has the addresses that its bytes say, and no other is near it.
 */
#include "common/cidr.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct net_addr
address_of(const struct cidr *c)
{
	struct net_addr addr = { 0 };

	addr.sa.sa_family = c->is_v6 ? AF_INET6 : AF_INET;
	if (c->is_v6)
		memcpy(&addr.in6.sin6_addr, c->bytes, 16);
	else
		memcpy(&addr.in.sin_addr, c->bytes, 4);
	return addr;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[256];
	const char *why = NULL;
	struct net_addr addr;
	struct cidr c;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!cidr_parse(&c, text, &why)) {
		assert(why != NULL);
		return 0;
	}
	assert(why == NULL && c.bits <= (c.is_v6 ? 128 : 32));
	addr = address_of(&c);
	assert(cidr_has(&c, &addr));
	/* The last bit that counts is another one. */
	if (c.bits > 0) {
		c.bytes[(c.bits - 1) / 8] ^=
		    (uint8_t)(0x80 >> (c.bits - 1) % 8);
		assert(!cidr_has(&c, &addr));
	}
	return 0;
}
