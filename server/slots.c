/* SPDX-License-Identifier: ISC */
#include "server/slots.h"

#include <assert.h>
#include <stdlib.h>

int
slots_init(struct slots *slots, size_t n)
{
	*slots = (struct slots){ .n = (uint32_t)n };
	STAILQ_INIT(&slots->free);
	slots->all = calloc(n, sizeof(*slots->all));
	return slots->all == NULL ? -1 : 0;
}

void
slots_fini(struct slots *slots)
{
	free(slots->all);
	*slots = (struct slots){ 0 };
}

void
slots_begin(struct slots *slots, uint32_t generation)
{
	slots->generation = generation;
}

/* Uses one that was never used. */
static struct slot *
meet(struct slots *slots)
{
	struct slot *slot = &slots->all[slots->met++];

	slot->generation = slots->generation;
	return slot;
}

void
slots_adopt(struct slots *slots, uint32_t slot, uint32_t generation)
{
	assert(slot >= slots->met && slot < slots->n);
	while (slots->met < slot) {
		meet(slots);
		slots_put(slots, slots->met - 1);
	}
	meet(slots)->generation = generation;
}

uint32_t
slots_after(uint32_t generation)
{
	return generation + 1 != 0 ? generation + 1 : 1;
}

bool
slots_next(struct slots *slots, struct registry_ref *ref)
{
	const struct slot *slot = STAILQ_FIRST(&slots->free);

	if (slots->met < slots->n) {
		ref->slot = slots->met;
		ref->generation = slots_after(slots->generation);
	} else if (slot != NULL) {
		ref->slot = (uint32_t)(slot - slots->all);
		ref->generation = slots_after(slot->generation);
	} else {
		return false;
	}
	return true;
}

void
slots_take(struct slots *slots)
{
	struct slot *slot = STAILQ_FIRST(&slots->free);

	if (slots->met < slots->n)
		slot = meet(slots);
	else
		STAILQ_REMOVE_HEAD(&slots->free, free);
	slot->generation = slots_after(slot->generation);
}

void
slots_put(struct slots *slots, uint32_t slot)
{
	STAILQ_INSERT_TAIL(&slots->free, &slots->all[slot], free);
}

uint32_t
slots_renew(struct slots *slots, uint32_t slot)
{
	uint32_t *generation = &slots->all[slot].generation;

	return *generation = slots_after(*generation);
}

uint32_t
slots_highest(const struct slots *slots, uint32_t least)
{
	for (uint32_t i = 0; i < slots->met; i++)
		if (slots->all[i].generation > least)
			least = slots->all[i].generation;
	return slots->generation > least ? slots->generation : least;
}

size_t
slots_free(const struct slots *slots)
{
	size_t n = slots->n - slots->met;
	const struct slot *slot;

	STAILQ_FOREACH (slot, &slots->free, free)
		if (++n > slots->n)
			break;
	return n;
}
