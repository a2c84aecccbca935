/* SPDX-License-Identifier: ISC
 *
 * Networks in CIDR notation, and lists of them: who may visit, and which
 * proxies are trusted. An IPv4 address mapped to IPv6 is an IPv4 address
 * everywhere. Pure: text in, value out. Of a fixed size, so that a list can be
 * part of what owns it.
 */
#ifndef LT_COMMON_CIDR_H
#define LT_COMMON_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net.h"

#define CIDR_LIST_MAX 32
#define CIDR_TEXT_MAX 64 /* more than any is long; NUL included */

struct cidr {
	uint8_t bytes[16]; /* the first 4 of them, if it is of IPv4 */
	uint8_t bits;	   /* that count */
	bool is_v6;
};

/* All zero: empty. */
struct cidr_list {
	struct cidr each[CIDR_LIST_MAX];
	size_t n;
};

/*
 * Reads ADDRESS/BITS, or ADDRESS alone, which is a network of one. True, or
 * false with what is wrong in *why: static text, to go on after "is". Bits
 * that are set behind the first BITS are wrong: one of the two is a slip.
 */
bool cidr_parse(struct cidr *, const char *text, const char **why);

/* True if the address is in the network; none is in no network. */
bool cidr_has(const struct cidr *, const struct net_addr *);

/* The same two for a list; likewise false if it is full. */
bool cidr_list_add(struct cidr_list *, const char *text, const char **why);
bool cidr_list_has(const struct cidr_list *, const struct net_addr *);

#endif
