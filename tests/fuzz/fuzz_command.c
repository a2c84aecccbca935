/* SPDX-License-Identifier: ISC
 *
 * Bytes as what came on the operator's socket.
 */
#include "server/command.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[COMMAND_WHY_MAX] = "", folded[LTP_NAME_MAX + 1];
	struct command c;

	switch (command_parse(&c, (const char *)data, size, why)) {
	case COMMAND_MORE:
		assert(size < COMMAND_MAX);
		break;
	case COMMAND_OK:
		assert(strlen(command_word(c.kind)) > 0);
		assert((c.kind == COMMAND_CLOSE) == (c.name[0] != '\0'));
		assert(c.name[0] == '\0' || ltp_name(c.name, folded));
		break;
	case COMMAND_BAD:
		assert(why[0] != '\0');
		break;
	}
	return 0;
}
