/* SPDX-License-Identifier: ISC
 *
 * Bytes as what came at the metrics listener.
 */
#include "server/metrics_text.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum metrics_page page;
	bool is_head;

	if (!metrics_request((const char *)data, size, &page, &is_head))
		assert(size < METRICS_REQUEST_MAX);
	else
		assert(page <= METRICS_BAD);
	return 0;
}
