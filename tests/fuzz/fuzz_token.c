/* SPDX-License-Identifier: ISC
 *
 * Bytes as a line of the file of tokens, and as a list of patterns.
 */
#include "common/token.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[TOKEN_WHY_MAX] = "";
	struct token t;

	switch (token_parse(&t, (const char *)data, size, why)) {
	case TOKEN_NONE:
		break;
	case TOKEN_OK:
		assert(t.name[0] != '\0' && strlen(t.name) <= TOKEN_NAME_MAX);
		assert(t.kinds != 0 && (t.kinds & ~TOKEN_KINDS) == 0u);
		assert(t.names[0] == '\0' || token_list_is_good(t.names));
		assert(t.domains[0] == '\0' || token_list_is_good(t.domains));
		assert(t.ports_n <= TOKEN_RANGES_MAX);
		for (size_t i = 0; i < t.ports_n; i++)
			assert(token_has_port(&t, t.ports[i].last));
		assert(t.expires_s >= 0);
		(void)token_matches(t.names, t.domains);
		break;
	case TOKEN_BAD:
		assert(why[0] != '\0');
		break;
	}
	return 0;
}
