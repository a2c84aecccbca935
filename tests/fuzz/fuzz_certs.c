/* SPDX-License-Identifier: ISC
 *
 * What stands in a memfd with certificates, of any bytes: it is refused, or
 * everything that came out of it lies within it.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "server/certs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
is_within(const char *at, size_t len, const uint8_t *data, size_t size)
{
	const char *begin = (const char *)data;

	assert(len > 0 && at >= begin && at + len <= begin + size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certs c;
	const char *wrong = certs_parse(&c, data, size);

	assert((wrong == NULL) == (c.pairs_n > 0));
	assert(c.pairs_n <= CONFIG_PAIRS_MAX && c.tickets_n <= TLS_TICKET_KEYS);
	for (size_t i = 0; i < c.pairs_n; i++) {
		const struct tls_pair *p = &c.pairs[i];

		is_within(p->cert, p->cert_len, data, size);
		is_within(p->key, p->key_len, data, size);
		is_within(p->cert_name, strlen(p->cert_name) + 1, data, size);
		is_within(p->key_name, strlen(p->key_name) + 1, data, size);
	}
	return 0;
}
