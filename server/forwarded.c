/* SPDX-License-Identifier: ISC
 *
 * X-Forwarded headers. Called by visitor for each request head, which was
 * found good before. It keeps nothing.
 */
#define _GNU_SOURCE

#include "server/forwarded.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "common/cidr.h"
#include "server/config.h"
#include "server/conn.h"

#define FOR	  "X-Forwarded-For"
#define HOST_SIZE (HTTP_HOST_MAX + sizeof(".:65535"))
#define EDITS_MAX 9

const struct cidr_list *
forwarded_trusted(const struct config *config, const struct conn *conn)
{
	const struct cidr_list *trusted = &config->trusted_proxies.list;

	if (config_listener(config, conn->listener)->proxy_protocol ||
	    !cidr_list_has(trusted, &conn->peer))
		return NULL;
	return trusted;
}

/* Reads one entry of X-Forwarded-For: an address, IPv6 in brackets or not,
 * with a port or not. */
static bool
read_entry(struct http_text entry, struct net_addr *addr)
{
	char text[NET_TEXT_MAX], host[NET_HOST_MAX];
	uint16_t port = 0;
	size_t len;

	while (entry.len > 0 && strchr(" \t", entry.at[0]) != NULL) {
		entry.at++;
		entry.len--;
	}
	while (entry.len > 0 && strchr(" \t", entry.at[entry.len - 1]) != NULL)
		entry.len--;
	if (entry.len == 0 || entry.len >= sizeof(text))
		return false;
	memcpy(text, entry.at, entry.len);
	text[entry.len] = '\0';
	if (net_addr_from(addr, text, 0) == 0)
		return true;
	if (net_split(text, host, &port) == 0)
		return net_addr_from(addr, host, port) == 0;
	len = entry.len;
	if (text[0] != '[' || text[len - 1] != ']')
		return false;
	text[len - 1] = '\0';
	return net_addr_from(addr, text + 1, 0) == 0;
}

/* Goes through one line from right to left; true if the search is over. */
static bool
search_line(struct http_text line, const struct cidr_list *trusted,
    struct net_addr *found)
{
	struct net_addr addr;
	struct http_text entry;
	const char *comma;

	do {
		comma = memrchr(line.at, ',', line.len);
		entry.at = comma == NULL ? line.at : comma + 1;
		entry.len = line.len - (size_t)(entry.at - line.at);
		if (!read_entry(entry, &addr))
			return true;
		*found = addr;
		if (!cidr_list_has(trusted, &addr))
			return true;
		if (comma != NULL)
			line.len = (size_t)(comma - line.at);
	} while (comma != NULL);
	return false;
}

static unsigned
count_lines(const struct http_head *head, const char *buf)
{
	struct http_text line;
	unsigned n = 0;

	while (http_header(head, buf, FOR, n, &line))
		n++;
	return n;
}

struct net_addr
forwarded_from(
    const struct forwarded *f, const struct http_head *head, const char *buf)
{
	struct net_addr found = f->peer;
	struct http_text line;
	unsigned n;

	if (f->trusted == NULL)
		return found;
	for (n = count_lines(head, buf); n > 0; n--)
		if (http_header(head, buf, FOR, n - 1, &line) &&
		    search_line(line, f->trusted, &found))
			break;
	return found;
}

/* What a trusted proxy's X-Forwarded-For says, each value followed by a comma.
 * All of it comes from one head, so it fits. */
static void
collect(const struct forwarded *f, const struct http_head *head,
    const char *buf, char out[HTTP_HEAD_MAX])
{
	struct http_text line;
	char *at = out;

	*at = '\0';
	if (f->trusted == NULL)
		return;
	for (unsigned n = 0; http_header(head, buf, FOR, n, &line); n++)
		if (line.len > 0)
			at += sprintf(at, "%.*s, ", (int)line.len, line.at);
}

/* Adds one of our headers, unless a trusted proxy has said it. */
static size_t
add(struct http_edit *edits, size_t n, const struct forwarded *f,
    const struct http_head *head, const char *buf, struct http_edit edit)
{
	struct http_text said;

	if (f->trusted == NULL || !http_header(head, buf, edit.name, 0, &said))
		edits[n++] = edit;
	return n;
}

int
forwarded_put(const struct forwarded *f, const struct http_head *head,
    const char *buf, struct evbuffer *out)
{
	char peer[NET_TEXT_MAX], port[8], host[HOST_SIZE];
	char who[HTTP_HEAD_MAX + NET_TEXT_MAX];
	struct http_edit edits[EDITS_MAX];
	size_t host_len, n = 0;

	if (f->hides_auth)
		edits[n++] = (struct http_edit){ "Authorization", NULL };
	if (f->is_once && !head->is_upgrade)
		edits[n++] = (struct http_edit){ "Connection", "close" };

	if (f->is_off)
		return http_head_edit(head, buf, edits, n, out);
	collect(f, head, buf, who);
	strcat(who, net_addr_host(&f->peer, peer));
	host_len =
	    head->host.len < sizeof(host) ? head->host.len : sizeof(host) - 1;
	memcpy(host, head->host.at, host_len);
	host[host_len] = '\0';
	*net_decimal(port, f->port) = '\0';
	edits[n++] = (struct http_edit){ FOR, who };
	edits[n++] = (struct http_edit){ "X-Forwarded-Server", NULL };
	edits[n++] = (struct http_edit){ "X-Real-IP", NULL };
	edits[n++] = (struct http_edit){ "Forwarded", NULL };
	n = add(edits, n, f, head, buf,
	    (struct http_edit){ "X-Forwarded-Proto", f->scheme });
	n = add(edits, n, f, head, buf,
	    (struct http_edit){ "X-Forwarded-Host", host });
	n = add(edits, n, f, head, buf,
	    (struct http_edit){ "X-Forwarded-Port", port });
	return http_head_edit(head, buf, edits, n, out);
}
