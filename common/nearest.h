/* SPDX-License-Identifier: ISC
 *
 * Which of the words that would have been right was meant by one that is
 * wrong: the nearest, if it is near enough for a slip. For error texts.
 */
#ifndef LT_COMMON_NEAREST_H
#define LT_COMMON_NEAREST_H

#include <stddef.h>

struct nearest {
	const char *word;  /* the wrong one; borrowed */
	const char *found; /* the best so far, borrowed; NULL: none is near */
	size_t limit;	   /* what the next one must not be farther than */
};

void nearest_init(struct nearest *, const char *word);

/* Looks at another word that would be right. */
void nearest_try(struct nearest *, const char *right);

/* Writes "; do you mean "..."?", or nothing if none is near; returns `out`. */
const char *nearest_text(const struct nearest *, char *out, size_t size);

#endif
