/* SPDX-License-Identifier: ISC
 *
 * The PROXY protocol, versions 1 and 2: what a proxy says, before the first
 * byte of a connection, about who is calling. Pure: bytes in, values out, and
 * back.
 *
 * Read strictly: version 1 to the letter, of version 2 every length; what
 * follows the addresses (TLVs) is checked for its lengths and not looked at.
 */
#ifndef LT_COMMON_PROXYPROTO_H
#define LT_COMMON_PROXYPROTO_H

#include <stddef.h>

#include "common/net.h"

#define PROXYPROTO_MAX	     4096 /* bytes that are read */
#define PROXYPROTO_WRITE_MAX 108  /* that are written, NUL included */

enum proxyproto_result {
	PROXYPROTO_MORE,
	PROXYPROTO_OK,
	PROXYPROTO_BAD,
};

struct proxyproto {
	size_t len;	      /* OK: of the header */
	struct net_addr peer; /* OK: who is calling; none: the proxy itself, or
				 nobody that it can name (LOCAL, UNKNOWN,
				 Unix sockets) */
	const char *why;      /* BAD: static text */
};

/* Reads the header at the start of `buf`. BAD as soon as it can be none; a
 * buffer of PROXYPROTO_MAX bytes always comes to a verdict. */
enum proxyproto_result proxyproto_parse(
    struct proxyproto *, const void *buf, size_t len);

/*
 * Writes a header of version 1 or 2 and returns its length. Without `from` it
 * says UNKNOWN, or LOCAL. Both addresses have to be of one family: `from`
 * decides, an IPv4 `to` is mapped to IPv6, and what has no other form is
 * written as 0.0.0.0, its port kept.
 */
size_t proxyproto_write(char out[PROXYPROTO_WRITE_MAX], int version,
    const struct net_addr *from, const struct net_addr *to);

#endif
