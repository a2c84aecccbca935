/* SPDX-License-Identifier: ISC
 *
 * The PROXY protocol, as proxy-protocol.txt of HAProxy has it. The server
 * reads headers, the client writes them. It keeps nothing.
 *
 *   version 1   PROXY TCP4|TCP6 FROM TO FROM-PORT TO-PORT CRLF
 *               PROXY UNKNOWN [whatever] CRLF
 *
 *   version 2   0  signature, 12 bytes
 *              12  version (2) and command (0 LOCAL, 1 PROXY)
 *              13  family (0 none, 1 IPv4, 2 IPv6, 3 Unix) and protocol
 *                  (0 none, 1 stream, 2 datagrams)
 *              14  length of what follows, 2 bytes
 *              16  addresses, ports; then TLVs: type, length (2), value
 */
#include "common/proxyproto.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define V1_WORD	    "PROXY "
#define V1_WORD_LEN 6
#define V1_MAX	    107 /* CRLF included */
#define V1_PARTS    5
#define V2_SIGN_LEN 12
#define V2_FIXED    16
#define V2_LOCAL    0x20
#define V2_PROXY    0x21
#define V2_NONE	    0x00
#define V2_TCP4	    0x11
#define V2_TCP6	    0x21
#define V2_UNIX	    0x31
#define TLV_HEAD    3
#define UNIX_LEN    216

static const char v2_sign[V2_SIGN_LEN] = { '\r', '\n', '\r', '\n', '\0', '\r',
	'\n', 'Q', 'U', 'I', 'T', '\n' };

static enum proxyproto_result
bad(struct proxyproto *p, const char *why)
{
	p->why = why;
	return PROXYPROTO_BAD;
}

/* True if `buf` begins as `word` does, as far as it reaches. */
static bool
may_be(const char *buf, size_t len, const char *word, size_t word_len)
{
	return memcmp(buf, word, len < word_len ? len : word_len) == 0;
}

/* --- version 1 -----------------------------------------------------------
 */

/* The end of the line, or NULL: neither CR nor LF stands alone in it. */
static const char *
find_end(const char *buf, size_t len, bool *is_bad)
{
	for (size_t i = 0; i < len; i++) {
		*is_bad = buf[i] == '\n' ||
			  (buf[i] == '\r' && i + 1 < len && buf[i + 1] != '\n');
		if (*is_bad)
			return NULL;
		if (buf[i] == '\r' && i + 1 < len)
			return buf + i;
	}
	*is_bad = len >= V1_MAX;
	return NULL;
}

/* Splits a line at its blanks, in place; the number of parts. */
static size_t
split(char *line, char *parts[V1_PARTS + 1])
{
	size_t n = 0;

	while (n <= V1_PARTS) {
		parts[n++] = line;
		line = strchr(line, ' ');
		if (line == NULL)
			break;
		*line++ = '\0';
	}
	return n;
}

/* A port to the letter: no sign, no zero in front. */
static bool
read_port(const char *text, uint16_t *port)
{
	char host[NET_HOST_MAX];

	return strchr(text, ':') == NULL && (text[0] != '0' || !text[1]) &&
	       strlen(text) <= 5 && net_split(text, host, port) == 0;
}

static bool
read_address(
    struct net_addr *addr, const char *host, const char *port, int family)
{
	uint16_t n;

	return read_port(port, &n) && net_addr_from(addr, host, n) == 0 &&
	       addr->sa.sa_family == family;
}

static enum proxyproto_result
parse_v1(struct proxyproto *p, const char *buf, size_t len)
{
	bool is_bad;
	const char *end = find_end(buf, len < V1_MAX ? len : V1_MAX, &is_bad);
	char line[V1_MAX + 1], *parts[V1_PARTS + 1];
	struct net_addr to;
	size_t n;
	int family;

	if (is_bad)
		return bad(p, "the line of the PROXY header has no good end");
	if (end == NULL)
		return PROXYPROTO_MORE;
	n = (size_t)(end - buf) - V1_WORD_LEN;
	memcpy(line, buf + V1_WORD_LEN, n);
	line[n] = '\0';
	p->len = (size_t)(end - buf) + 2;
	if (strcmp(line, "UNKNOWN") == 0 || strncmp(line, "UNKNOWN ", 8) == 0)
		return PROXYPROTO_OK;
	if (memchr(line, '\0', n) != NULL || split(line, parts) != V1_PARTS)
		return bad(p, "the PROXY header has not five parts");
	family = strcmp(parts[0], "TCP4") == 0 ? AF_INET : AF_INET6;
	if (family == AF_INET6 && strcmp(parts[0], "TCP6") != 0)
		return bad(p, "the PROXY header is about no TCP connection");
	if (!read_address(&p->peer, parts[1], parts[3], family) ||
	    !read_address(&to, parts[2], parts[4], family))
		return bad(p, "an address in the PROXY header is none");
	return PROXYPROTO_OK;
}

/* --- version 2 -----------------------------------------------------------
 */

static size_t
get_16(const uint8_t *at)
{
	return (size_t)at[0] << 8 | at[1];
}

/* True if `len` bytes are whole TLVs. */
static bool
are_tlvs(const uint8_t *at, size_t len)
{
	size_t n;

	for (; len > 0; at += n, len -= n) {
		if (len < TLV_HEAD)
			return false;
		n = TLV_HEAD + get_16(at + 1);
		if (n > len)
			return false;
	}
	return true;
}

/* The addresses: `len` bytes from `at`. */
static enum proxyproto_result
take_v2(struct proxyproto *p, uint8_t family, const uint8_t *at, size_t len)
{
	struct net_addr *peer = &p->peer;
	size_t size;

	switch (family) {
	case V2_NONE:
		return PROXYPROTO_OK;
	case V2_TCP4:
		size = 4 + 4 + 2 + 2;
		break;
	case V2_TCP6:
		size = 16 + 16 + 2 + 2;
		break;
	case V2_UNIX:
		size = UNIX_LEN;
		break;
	default:
		return bad(p, "the PROXY header is about no TCP connection");
	}
	if (len < size || !are_tlvs(at + size, len - size))
		return bad(p, "a length in the PROXY header is wrong");
	if (family == V2_TCP4) {
		peer->in.sin_family = AF_INET;
		memcpy(&peer->in.sin_addr, at, 4);
		memcpy(&peer->in.sin_port, at + 8, 2);
	} else if (family == V2_TCP6) {
		peer->in6.sin6_family = AF_INET6;
		memcpy(&peer->in6.sin6_addr, at, 16);
		memcpy(&peer->in6.sin6_port, at + 32, 2);
	}
	return PROXYPROTO_OK;
}

static enum proxyproto_result
parse_v2(struct proxyproto *p, const uint8_t *buf, size_t len)
{
	if (len <= V2_SIGN_LEN)
		return PROXYPROTO_MORE;
	if (buf[12] != V2_LOCAL && buf[12] != V2_PROXY)
		return bad(p, "the PROXY header has an unknown version or "
			      "command");
	if (len < V2_FIXED)
		return PROXYPROTO_MORE;
	p->len = V2_FIXED + get_16(buf + 14);
	if (p->len > PROXYPROTO_MAX)
		return bad(p, "the PROXY header is too long");
	if (len < p->len)
		return PROXYPROTO_MORE;
	/* LOCAL: the proxy itself, whatever follows. */
	if (buf[12] == V2_LOCAL)
		return PROXYPROTO_OK;
	return take_v2(p, buf[13], buf + V2_FIXED, p->len - V2_FIXED);
}

enum proxyproto_result
proxyproto_parse(struct proxyproto *p, const void *buf, size_t len)
{
	enum proxyproto_result result;

	memset(p, 0, sizeof(*p));
	if (may_be(buf, len, V1_WORD, V1_WORD_LEN))
		result = len <= V1_WORD_LEN ? PROXYPROTO_MORE
					    : parse_v1(p, buf, len);
	else if (may_be(buf, len, v2_sign, V2_SIGN_LEN))
		result = parse_v2(p, buf, len);
	else
		result = bad(p, "there is no PROXY header");
	if (result != PROXYPROTO_OK)
		memset(&p->peer, 0, sizeof(p->peer));
	return result;
}

/* --- writing -------------------------------------------------------------
 */

/* An IPv4 address mapped to IPv6 becomes what it is. */
static void
unmap(struct net_addr *addr)
{
	char host[NET_TEXT_MAX];

	if (addr->sa.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr))
		net_addr_from(
		    addr, net_addr_host(addr, host), net_addr_port(addr));
}

/* The other way round. */
static void
map(struct net_addr *addr)
{
	struct net_addr mapped = { .sa.sa_family = AF_INET6 };
	uint8_t *bytes = mapped.in6.sin6_addr.s6_addr;

	bytes[10] = bytes[11] = 0xff;
	memcpy(bytes + 12, &addr->in.sin_addr, 4);
	mapped.in6.sin6_port = addr->in.sin_port;
	*addr = mapped;
}

/* Gives `to` the family of `from`. */
static void
agree(const struct net_addr *from, struct net_addr *to)
{
	bool is_v6 = from->sa.sa_family == AF_INET6;

	if (to->sa.sa_family == from->sa.sa_family)
		return;
	if (is_v6 && to->sa.sa_family == AF_INET)
		map(to);
	else
		net_addr_from(to, is_v6 ? "::" : "0.0.0.0", net_addr_port(to));
}

static const void *
bytes_of(const struct net_addr *addr)
{
	if (addr->sa.sa_family == AF_INET6)
		return &addr->in6.sin6_addr;
	return &addr->in.sin_addr;
}

static size_t
write_v1(char *out, const struct net_addr *from, const struct net_addr *to)
{
	char from_host[INET6_ADDRSTRLEN], to_host[INET6_ADDRSTRLEN];
	int family = from->sa.sa_family;

	inet_ntop(family, bytes_of(from), from_host, sizeof(from_host));
	inet_ntop(family, bytes_of(to), to_host, sizeof(to_host));
	return (size_t)snprintf(out, PROXYPROTO_WRITE_MAX,
	    V1_WORD "%s %s %s %u %u\r\n", family == AF_INET6 ? "TCP6" : "TCP4",
	    from_host, to_host, net_addr_port(from), net_addr_port(to));
}

static size_t
write_v2(char *out, const struct net_addr *from, const struct net_addr *to)
{
	bool is_v6 = from->sa.sa_family == AF_INET6;
	uint16_t ports[] = { htons(net_addr_port(from)),
		htons(net_addr_port(to)) };
	size_t size = is_v6 ? 16 : 4, len = 2 * size + sizeof(ports);

	out[12] = V2_PROXY;
	out[13] = is_v6 ? V2_TCP6 : V2_TCP4;
	out[15] = (char)len;
	memcpy(out + V2_FIXED, bytes_of(from), size);
	memcpy(out + V2_FIXED + size, bytes_of(to), size);
	memcpy(out + V2_FIXED + 2 * size, ports, sizeof(ports));
	return V2_FIXED + len;
}

size_t
proxyproto_write(char out[PROXYPROTO_WRITE_MAX], int version,
    const struct net_addr *from, const struct net_addr *to)
{
	bool is_known = from->sa.sa_family != AF_UNSPEC;
	struct net_addr x = *from, y = *to;

	unmap(&x);
	unmap(&y);
	agree(&x, &y);
	if (version == 1)
		return is_known ? write_v1(out, &x, &y)
				: (size_t)snprintf(out, PROXYPROTO_WRITE_MAX,
				      V1_WORD "UNKNOWN\r\n");
	memcpy(out, v2_sign, V2_SIGN_LEN);
	memset(out + V2_SIGN_LEN, 0, V2_FIXED - V2_SIGN_LEN);
	out[12] = V2_LOCAL;
	return is_known ? write_v2(out, &x, &y) : V2_FIXED;
}
