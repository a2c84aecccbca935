/* SPDX-License-Identifier: ISC
 *
 * Answers of servers as ltclient reads them: a tunnel of the Node.js
 * localtunnel has what a request, a connection and a terminal can take.
 */
#include "client/grant.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "client/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct response response;
	static struct grant grant;
	char name[LTP_NAME_MAX + 1];

	if (response_read(&response, (const char *)data, size, true) !=
	    HTTP_OK) {
		assert(response.why != NULL);
		return 0;
	}
	assert(response.body_len <= RESPONSE_MAX);
	if (grant_read(&grant, &response) != GRANT_OK) {
		assert(memchr(grant.why, '\0', sizeof(grant.why)) != NULL);
		return 0;
	}
	assert(ltp_name(grant.name, name) && strcmp(name, grant.name) == 0);
	assert(grant.port != 0 && grant.max_conns >= 1);
	assert(strncasecmp(grant.url, "http", 4) == 0);
	for (const char *c = grant.url; *c != '\0'; c++)
		assert(*c > ' ' && *c <= '~');
	return 0;
}
