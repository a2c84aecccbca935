/* SPDX-License-Identifier: ISC
 *
 * Bytes as the JSON of one message, without a frame around them, so that a
 * fuzzer need not keep a length right while it changes the text.
 */
#include "common/ltp.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[LTP_NAME_MAX + 1];
	struct ltp_message m;
	const char *why = NULL;
	int from;

	for (from = LTP_FROM_CLIENT; from <= LTP_FROM_SERVER; from++) {
		if (ltp_parse(&m, from, data, size, &why) == LTP_OK) {
			if (m.name != NULL && ltp_name(m.name, name))
				assert(strlen(name) == strlen(m.name));
		} else {
			assert(why != NULL && m.json == NULL);
		}
		ltp_message_fini(&m);
	}
	return 0;
}
