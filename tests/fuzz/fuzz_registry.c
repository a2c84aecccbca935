/* SPDX-License-Identifier: ISC
 *
 * Bytes as operations of the registry, two each: what to do and to whom.
 * Refs are kept beyond their time on purpose. The auditor looks after each.
 */
#include "server/registry.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NAMES 16
#define SEATS 200 /* operations from here on are about seats */
#define SIZE  11  /* fewer than names, so that the table gets full */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
lose(void *arg, const struct registry_session *s)
{
	struct registry_session now;

	assert(registry_lose(arg, s->ref, 1, &now));
	assert(now.worker == REGISTRY_NO_WORKER);
}

/* One more session for a tunnel, or one fewer. */
static void
take_seat(struct registry *r, uint8_t what, const struct registry_tunnel *t,
    struct registry_session *s)
{
	struct registry_session fresh = {
		.worker = what % 7, .member = what % 3, .dialect = REGISTRY_EXT
	};

	if (what % 2 == 0)
		registry_drop(r, s->ref);
	else if (registry_join(r, t->ref, &fresh) && what % 5 != 0)
		*s = fresh;
}

/* One operation; the refs are those of the last success under this name. */
static void
operate(struct registry *r, uint8_t what, unsigned who,
    struct registry_tunnel *t, struct registry_session *s)
{
	struct registry_session fresh = { .worker = what % 7,
		.dialect = REGISTRY_EXT };
	struct registry_tunnel found, like = { 0 };
	struct net_addr peer = { 0 };
	bool is_there, should, has_domain;
	char name[8];

	snprintf(name, sizeof(name), "n%u", who);
	is_there = registry_find(r, name, &found);
	assert(!is_there || strcmp(found.name, name) == 0);
	if (what >= SEATS) {
		take_seat(r, what, t, s);
		return;
	}
	switch (what % 5) {
	case 0:
		/* Every other one has a custom domain, which may be taken. */
		snprintf(
		    like.domain, sizeof(like.domain), "d%u.example", what % 3);
		has_domain = what & 1;
		should = !is_there && registry_count(r) < SIZE &&
			 !(has_domain &&
			     registry_find_domain(r, like.domain, &found));
		assert(registry_add(r, name, &fresh, has_domain ? &like : NULL,
			   &found) == should);
		assert(!should || !has_domain ||
		       registry_find_domain(r, like.domain, &found));
		if (should) {
			*t = found;
			*s = fresh;
		}
		return;
	case 1:
		if (registry_move(r, s->ref, what % 7, &peer, &fresh))
			*s = fresh;
		return;
	case 2:
		if (registry_lose(r, s->ref, what + 1, &fresh) && what & 1)
			*s = fresh;
		return;
	case 3:
		assert(registry_remove(r, t->ref) ==
		       (is_there && registry_ref_same(found.ref, t->ref)));
		return;
	default:
		registry_each_of(r, what % 7, lose, r);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct registry *r = registry_new(SIZE);
	struct registry_tunnel tunnels[NAMES] = { 0 };
	struct registry_session sessions[NAMES] = { 0 };

	assert(r != NULL);
	for (; size >= 2; data += 2, size -= 2) {
		unsigned who = data[1] % NAMES;

		operate(r, data[0], who, &tunnels[who], &sessions[who]);
		assert(registry_check(r) == NULL);
	}
	registry_free(r);
	return 0;
}
