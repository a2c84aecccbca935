/* SPDX-License-Identifier: ISC
 *
 * Counts, for each address, the things of one kind that it has here, and keeps
 * them in order of age: for limits by address. An IPv6 address stands for its
 * whole /64, which is what one customer has. As large as what is in it, and
 * no work grows with its size.
 */
#ifndef LT_SERVER_PEERS_H
#define LT_SERVER_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/net.h"

#define PEERS_KEY_SIZE 16

struct peer;
struct peers;

/* Part of whatever is counted. */
struct peer_entry {
	TAILQ_ENTRY(peer_entry) link;
	struct peer *peer; /* NULL: not counted */
};

/* What is counted as one: an IPv4 address, or the first half of an IPv6 one.
 * False if there is no address. */
bool peers_key(const struct net_addr *, uint8_t key[PEERS_KEY_SIZE]);

/* A hash of such a key with a seed of its own for each table, since strangers
 * choose their addresses; seeds are random, fatal without random bytes. */
size_t peers_hash(uint64_t seed, const uint8_t key[PEERS_KEY_SIZE]);
uint64_t peers_seed(void);

/* Fatal without memory. */
struct peers *peers_new(void);
void peers_free(struct peers *); /* it must be empty; NULL is fine */

/* Counts one more that is in no order. Whoever has what is returned lets go of
 * it once, and has NULL then, as where there is no memory or address: then it
 * is not counted. */
struct peer *peers_hold(struct peers *, const struct net_addr *);
void peers_let_go(struct peer **);

/* Counts one more. Without memory, or an address, it is not counted. */
void peers_add(struct peers *, struct peer_entry *, const struct net_addr *);

/* One less; does nothing if it is not counted. */
void peers_del(struct peers *, struct peer_entry *);

/* How many the address of this entry has, itself included; 0: not counted. */
size_t peers_count(const struct peer_entry *);

/* How many an address has. */
size_t peers_of(const struct peers *, const struct net_addr *);

/* The oldest of the address of this entry, which is counted. */
struct peer_entry *peers_oldest(const struct peer_entry *);

#endif
