/* SPDX-License-Identifier: ISC
 *
 * Configuration files of any bytes without their comments: every line is where
 * it was, nothing is made up, and there are none left.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/uncomment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *once = malloc(size + 1), *twice = malloc(size + 1);

	assert(once != NULL && twice != NULL);
	memcpy(once, data, size);
	uncomment(once, size);
	for (size_t i = 0; i < size; i++)
		assert(once[i] == (char)data[i] ||
		       (once[i] == ' ' && data[i] != '\n'));
	memcpy(twice, once, size);
	uncomment(twice, size);
	assert(memcmp(once, twice, size) == 0);
	free(once);
	free(twice);
	return 0;
}
