/* SPDX-License-Identifier: ISC
 *
 * Request heads as the API of the Node.js localtunnel reads them: what asks
 * for a name has one that the rest of the server takes, and no browser asks.
 */
#include "server/api.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char folded[LTP_NAME_MAX + 1];
	struct http_head head;
	struct api_request r;

	if (http_head(&head, (const char *)data, size, NULL) != HTTP_OK)
		return 0;
	api_parse(&r, &head);
	switch (r.what) {
	case API_NAME:
		assert(strlen(r.name) >= 4 && !head.wants_html);
		assert(ltp_name(r.name, folded));
		assert(strcmp(folded, r.name) == 0);
		break;
	case API_TUNNEL:
		assert(r.name[0] != '\0');
		break;
	default:
		assert(r.name[0] == '\0' || r.what == API_BAD_NAME);
	}
	return 0;
}
