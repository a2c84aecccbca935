/* SPDX-License-Identifier: ISC
 *
 * The slots of a table: which of them are free, and in which generation each
 * is. A slot rests as long as it can before it is used again: those that were
 * never used come first, then the free ones, first in, first out. The memory
 * of the former is not touched.
 */
#ifndef LT_SERVER_SLOTS_H
#define LT_SERVER_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/registry.h"

struct slot {
	STAILQ_ENTRY(slot) free;
	uint32_t generation; /* the last one that was used */
};

STAILQ_HEAD(slot_queue, slot);

struct slots {
	struct slot *all; /* owned; NULL: none */
	uint32_t n;
	uint32_t met;	     /* those below were used before */
	uint32_t generation; /* of the others */
	struct slot_queue free;
};

/* All free. -1 without memory. */
int slots_init(struct slots *, size_t n);
void slots_fini(struct slots *);

/* Generations begin behind this one. Before any other call. */
void slots_begin(struct slots *, uint32_t generation);

/* This slot is in use, in this generation. After slots_begin(), in their
 * order. */
void slots_adopt(struct slots *, uint32_t slot, uint32_t generation);

/* The slot that is next, in its next generation; false if there is none. It
 * stays free until slots_take(), which takes the one that was asked for last.
 */
bool slots_next(struct slots *, struct registry_ref *);
void slots_take(struct slots *);

/* A slot that was taken is free. */
void slots_put(struct slots *, uint32_t slot);

/* The next generation of one that is in use. */
uint32_t slots_renew(struct slots *, uint32_t slot);

/* The next one of any kind of generation; none is 0. */
uint32_t slots_after(uint32_t generation);

/* The highest generation, or `least` if that is higher. */
uint32_t slots_highest(const struct slots *, uint32_t least);

/* How many are free; more than there are if the list of them is a circle. */
size_t slots_free(const struct slots *);

#endif
