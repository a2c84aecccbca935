/* SPDX-License-Identifier: ISC
 *
 * Networks. Used by the server's gates and settings, and by the client's
 * options. It keeps nothing, and resolves no names.
 */
#include "common/cidr.h"

#include <arpa/inet.h>
#include <string.h>

#define V4_BITS	    32
#define V6_BITS	    128
#define MAPPED_BITS 96 /* of the prefix ::ffff:0:0 */

/* Puts the bytes of an address into *c, and the bits there are in all; a
 * mapped one becomes what it is. False if there is no address. */
static bool
take_address(struct cidr *c, const struct net_addr *addr)
{
	const struct in6_addr *in6 = &addr->in6.sin6_addr;

	*c = (struct cidr){ .bits = V4_BITS };
	switch (addr->sa.sa_family) {
	case AF_INET:
		memcpy(c->bytes, &addr->in.sin_addr, 4);
		return true;
	case AF_INET6:
		if (IN6_IS_ADDR_V4MAPPED(in6)) {
			memcpy(c->bytes, in6->s6_addr + 12, 4);
			return true;
		}
		memcpy(c->bytes, in6->s6_addr, 16);
		c->bits = V6_BITS;
		c->is_v6 = true;
		return true;
	default:
		return false;
	}
}

/* Reads a number of bits that is the whole of `text`; -1 if it is none. */
static int
read_bits(const char *text)
{
	size_t len = strlen(text);
	int n = 0;

	if (len == 0 || len > 3 || strspn(text, "0123456789") != len ||
	    (text[0] == '0' && len > 1))
		return -1;
	for (; *text != '\0'; text++)
		n = n * 10 + (*text - '0');
	return n;
}

/* True if nothing is set behind the bits that count. */
static bool
is_clean(const struct cidr *c)
{
	for (unsigned i = c->bits; i < (c->is_v6 ? V6_BITS : V4_BITS); i++)
		if (c->bytes[i / 8] & (0x80 >> i % 8))
			return false;
	return true;
}

/* What stands behind the slash, of an address that was written as IPv6 or
 * not. NULL, or what is wrong. */
static const char *
set_bits(struct cidr *c, const char *text, bool written_v6)
{
	int bits = read_bits(text), max = written_v6 ? V6_BITS : V4_BITS;

	if (bits < 0 || bits > max)
		return written_v6 ? "not a network: behind the / stands a "
				    "number from 0 to 128"
				  : "not a network: behind the / stands a "
				    "number from 0 to 32";
	if (written_v6 && !c->is_v6) {
		if (bits < MAPPED_BITS)
			return "not a network: IPv4 addresses in IPv6 have 96 "
			       "bits and more";
		bits -= MAPPED_BITS;
	}
	c->bits = (uint8_t)bits;
	return is_clean(c) ? NULL
			   : "not a network: the bits behind the first ones, "
			     "as many as the / says, must be 0";
}

bool
cidr_parse(struct cidr *c, const char *text, const char **why)
{
	char host[CIDR_TEXT_MAX];
	size_t len = strcspn(text, "/");
	struct net_addr addr;

	*why = "not an address or a network, such as 192.0.2.7, 192.0.2.0/24 "
	       "or 2001:db8::/32";
	if (strlen(text) >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (net_addr_from(&addr, host, 0) == -1 || !take_address(c, &addr))
		return false;
	*why = NULL;
	if (text[len] == '/')
		*why =
		    set_bits(c, text + len + 1, addr.sa.sa_family == AF_INET6);
	return *why == NULL;
}

bool
cidr_has(const struct cidr *c, const struct net_addr *addr)
{
	struct cidr one;
	size_t whole = c->bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> c->bits % 8);

	if (!take_address(&one, addr) || one.is_v6 != c->is_v6 ||
	    memcmp(one.bytes, c->bytes, whole) != 0)
		return false;
	return c->bits % 8 == 0 ||
	       ((one.bytes[whole] ^ c->bytes[whole]) & mask) == 0;
}

bool
cidr_list_add(struct cidr_list *list, const char *text, const char **why)
{
	if (list->n == CIDR_LIST_MAX) {
		*why = "one too many: there can be at most 32";
		return false;
	}
	if (!cidr_parse(&list->each[list->n], text, why))
		return false;
	list->n++;
	return true;
}

bool
cidr_list_has(const struct cidr_list *list, const struct net_addr *addr)
{
	for (size_t i = 0; i < list->n; i++)
		if (cidr_has(&list->each[i], addr))
			return true;
	return false;
}
