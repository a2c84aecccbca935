/* SPDX-License-Identifier: ISC
 *
 * A hash table of addresses with chains. A row is made for the first thing of
 * an address and freed with the last one. The hash has a key of its own for
 * each table, since strangers choose their addresses.
 */
#include "server/peers.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "common/log.h"

#define BUCKETS 4096 /* a power of two */

TAILQ_HEAD(peer_entries, peer_entry);

struct peer {
	LIST_ENTRY(peer) link;
	uint8_t key[PEERS_KEY_SIZE];
	size_t n;
	struct peer_entries entries; /* the oldest first */
};

LIST_HEAD(peer_list, peer);

struct peers {
	uint64_t seed;
	struct peer_list buckets[BUCKETS];
};

uint64_t
peers_seed(void)
{
	uint64_t seed;

	if (RAND_bytes((uint8_t *)&seed, sizeof(seed)) != 1)
		fatal("no random bytes");
	return seed;
}

struct peers *
peers_new(void)
{
	struct peers *ps = log_must_alloc(1, sizeof(*ps));

	ps->seed = peers_seed();
	return ps;
}

void
peers_free(struct peers *ps)
{
	free(ps);
}

bool
peers_key(const struct net_addr *addr, uint8_t key[PEERS_KEY_SIZE])
{
	const struct in6_addr *in6 = &addr->in6.sin6_addr;

	memset(key, 0, PEERS_KEY_SIZE);
	key[PEERS_KEY_SIZE - 1] = (uint8_t)addr->sa.sa_family;
	if (addr->sa.sa_family == AF_INET) {
		memcpy(key, &addr->in.sin_addr, sizeof(addr->in.sin_addr));
	} else if (addr->sa.sa_family != AF_INET6) {
		return false;
	} else if (IN6_IS_ADDR_V4MAPPED(in6)) {
		memcpy(key, in6->s6_addr + 12, 4);
		key[PEERS_KEY_SIZE - 1] = AF_INET;
	} else {
		memcpy(key, in6, 8);
	}
	return true;
}

/* Multiplies and folds the two halves in, seeded. */
size_t
peers_hash(uint64_t seed, const uint8_t key[PEERS_KEY_SIZE])
{
	uint64_t half[2], h = seed;

	memcpy(half, key, sizeof(half));
	for (size_t i = 0; i < 2; i++) {
		h = (h ^ half[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	return h;
}

static size_t
bucket_of(const struct peers *ps, const uint8_t key[PEERS_KEY_SIZE])
{
	return peers_hash(ps->seed, key) % BUCKETS;
}

static struct peer *
find(const struct peers *ps, const uint8_t key[PEERS_KEY_SIZE])
{
	struct peer *p;

	LIST_FOREACH (p, &ps->buckets[bucket_of(ps, key)], link)
		if (memcmp(p->key, key, PEERS_KEY_SIZE) == 0)
			break;
	return p;
}

struct peer *
peers_hold(struct peers *ps, const struct net_addr *addr)
{
	uint8_t key[PEERS_KEY_SIZE];
	struct peer *p;

	if (!peers_key(addr, key))
		return NULL;
	if ((p = find(ps, key)) == NULL) {
		if ((p = calloc(1, sizeof(*p))) == NULL)
			return NULL;
		memcpy(p->key, key, PEERS_KEY_SIZE);
		TAILQ_INIT(&p->entries);
		LIST_INSERT_HEAD(&ps->buckets[bucket_of(ps, key)], p, link);
	}
	p->n++;
	return p;
}

void
peers_let_go(struct peer **held)
{
	struct peer *p = *held;

	*held = NULL;
	if (p == NULL || --p->n > 0)
		return;
	LIST_REMOVE(p, link);
	free(p);
}

void
peers_add(
    struct peers *ps, struct peer_entry *entry, const struct net_addr *addr)
{
	entry->peer = peers_hold(ps, addr);
	if (entry->peer != NULL)
		TAILQ_INSERT_TAIL(&entry->peer->entries, entry, link);
}

void
peers_del(struct peers *ps, struct peer_entry *entry)
{
	(void)ps;
	if (entry->peer != NULL)
		TAILQ_REMOVE(&entry->peer->entries, entry, link);
	peers_let_go(&entry->peer);
}

size_t
peers_count(const struct peer_entry *entry)
{
	return entry->peer == NULL ? 0 : entry->peer->n;
}

size_t
peers_of(const struct peers *ps, const struct net_addr *addr)
{
	uint8_t key[PEERS_KEY_SIZE];
	const struct peer *p;

	if (!peers_key(addr, key))
		return 0;
	p = find(ps, key);
	return p == NULL ? 0 : p->n;
}

struct peer_entry *
peers_oldest(const struct peer_entry *entry)
{
	return TAILQ_FIRST(&entry->peer->entries);
}
