/* SPDX-License-Identifier: ISC
 *
 * A request head for a tunnel with a password and a list of addresses: it
 * opens only with that password in it, and from the right address.
 */
#define _GNU_SOURCE

#include "server/gate.h"

#include <assert.h>
#include <string.h>

#include "common/ltp.h"

#define TOKEN "YWRhOnNlc2FtZQ==" /* ada:sesame */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gate *
new_gate(void)
{
	struct ltp_message asked = { 0 };
	char why[GATE_WHY_MAX];
	struct gate *gate;

	asked.auth.each[asked.auth.n++] = "ada:sesame";
	asked.allow.each[asked.allow.n++] = "198.51.100.0/24";
	assert(gate_new(&gate, &asked, REGISTRY_HTTP, NULL, why) == NULL);
	assert(gate != NULL);
	return gate;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *buf = (const char *)data;
	struct net_addr good, other;
	struct http_head head;
	struct gate *gate;
	int status;

	if (http_head(&head, buf, size, NULL) != HTTP_OK)
		return 0;
	assert(net_addr_from(&good, "198.51.100.1", 1) == 0);
	assert(net_addr_from(&other, "203.0.113.1", 1) == 0);
	gate = new_gate();
	if (gate_refuses(gate, &good, &head, buf, &status) == NULL)
		assert(memmem(buf, head.len, TOKEN, strlen(TOKEN)) != NULL);
	else
		assert(status == 401);
	assert(gate_refuses(gate, &other, &head, buf, &status) != NULL);
	assert(status == 403);
	gate_free(gate);
	return 0;
}
