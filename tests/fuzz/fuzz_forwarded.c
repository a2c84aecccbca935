/* SPDX-License-Identifier: ISC
 *
 * A request head with X-Forwarded headers, from a trusted proxy. What goes on
 * is a good head again, with one X-Forwarded-For that ends with the proxy, and
 * without Authorization; and who called is an address, whatever was said.
 */
#include "server/forwarded.h"

#include <assert.h>
#include <string.h>

#include <event2/buffer.h>

#include "common/cidr.h"

#define PROXY "10.0.0.1"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put(const struct forwarded *f, const struct http_head *head, const char *buf)
{
	struct evbuffer *out = evbuffer_new();
	struct http_head again;
	struct http_text value;
	const char *text;

	assert(forwarded_put(f, head, buf, out) == 0);
	text = (const char *)evbuffer_pullup(out, -1);
	/* It may have become longer than we take ourselves. */
	if (evbuffer_get_length(out) <= HTTP_HEAD_MAX) {
		assert(http_head(&again, text, evbuffer_get_length(out),
			   NULL) == HTTP_OK);
		assert(again.len == evbuffer_get_length(out));
		assert(!http_header(&again, text, "Authorization", 0, &value));
		assert(http_header(&again, text, "X-Forwarded-For", 0, &value));
		assert(value.len >= strlen(PROXY));
		assert(memcmp(value.at + value.len - strlen(PROXY), PROXY,
			   strlen(PROXY)) == 0);
		assert(
		    !http_header(&again, text, "X-Forwarded-For", 1, &value));
	}
	evbuffer_free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cidr_list trusted = { 0 };
	struct forwarded f = { .scheme = "https",
		.port = 443,
		.hides_auth = true,
		.trusted = &trusted };
	struct http_head head;
	struct net_addr from;
	const char *why;

	assert(cidr_list_add(&trusted, "10.0.0.0/8", &why));
	assert(net_addr_from(&f.peer, PROXY, 1) == 0);
	if (http_head(&head, (const char *)data, size, NULL) != HTTP_OK)
		return 0;
	from = forwarded_from(&f, &head, (const char *)data);
	assert(from.sa.sa_family == AF_INET || from.sa.sa_family == AF_INET6);
	put(&f, &head, (const char *)data);
	f.trusted = NULL;
	from = forwarded_from(&f, &head, (const char *)data);
	assert(net_addr_same_host(&from, &f.peer));
	put(&f, &head, (const char *)data);
	return 0;
}
