/* SPDX-License-Identifier: ISC
 *
 * A leaky bucket for each address, which is one number: the moment at which
 * the bucket is empty again. The table is one of sets of a few ways, so that
 * looking and counting cost the same however many addresses there are.
 */
#include "server/rate.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "server/peers.h"

#define SETS	  1024
#define WAYS	  4
#define MINUTE_MS 60000u

struct bucket {
	uint8_t key[PEERS_KEY_SIZE];
	uint64_t empty_ms; /* 0: nobody's */
};

struct rate {
	uint64_t seed;
	uint64_t step_ms; /* what one adds; 0: no limit */
	struct bucket sets[SETS][WAYS];
};

struct rate *
rate_new(unsigned limit, unsigned workers)
{
	struct rate *r = log_must_alloc(1, sizeof(*r));

	r->seed = peers_seed();
	rate_set(r, limit, workers);
	return r;
}

void
rate_set(struct rate *r, unsigned limit, unsigned workers)
{
	limit = (limit + workers - 1) / workers;
	r->step_ms = limit == 0 ? 0 : limit < MINUTE_MS ? MINUTE_MS / limit : 1;
}

void
rate_free(struct rate *r)
{
	free(r);
}

/* The bucket of an address; else, if there is none, the one that is empty
 * soonest. NULL if the address is not counted. */
static struct bucket *
find(const struct rate *r, const struct net_addr *addr, bool *is_it)
{
	uint8_t key[PEERS_KEY_SIZE];
	const struct bucket *set, *best;

	if (r == NULL || r->step_ms == 0 || net_addr_is_loopback(addr) ||
	    !peers_key(addr, key))
		return NULL;
	set = r->sets[peers_hash(r->seed, key) % SETS];
	best = set;
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].empty_ms != 0 &&
		    memcmp(set[i].key, key, sizeof(key)) == 0) {
			*is_it = true;
			return (struct bucket *)&set[i];
		}
		if (set[i].empty_ms < best->empty_ms)
			best = &set[i];
	}
	*is_it = false;
	return (struct bucket *)best;
}

bool
rate_is_over(const struct rate *r, const struct net_addr *addr, uint64_t now_ms)
{
	bool is_it;
	const struct bucket *b = find(r, addr, &is_it);

	return b != NULL && is_it &&
	       b->empty_ms + r->step_ms > now_ms + MINUTE_MS;
}

void
rate_count(struct rate *r, const struct net_addr *addr, uint64_t now_ms)
{
	bool is_it;
	struct bucket *b = find(r, addr, &is_it);

	if (b == NULL)
		return;
	if (!is_it) {
		(void)peers_key(addr, b->key);
		b->empty_ms = now_ms;
	}
	if (b->empty_ms < now_ms)
		b->empty_ms = now_ms;
	b->empty_ms += r->step_ms;
}
