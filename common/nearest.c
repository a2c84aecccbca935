/* SPDX-License-Identifier: ISC */
#include "common/nearest.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 32 /* longer ones are like none of ours */

static size_t
min_of(size_t x, size_t y)
{
	return x < y ? x : y;
}

/* How many letters must be put in, taken out or changed to get from one word
 * to the other (Levenshtein). */
static size_t
edit_distance(const char *x, const char *y)
{
	size_t row[WORD_MAX + 1], len = strnlen(y, WORD_MAX);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; x[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= len; j++) {
			size_t swap = diagonal + (x[i] != y[j - 1]);

			diagonal = row[j];
			row[j] = min_of(swap, min_of(row[j], row[j - 1]) + 1);
		}
	}
	return row[len];
}

void
nearest_init(struct nearest *n, const char *word)
{
	n->word = word;
	n->found = NULL;
	n->limit = strlen(word) / 3 < 2 ? 2 : strlen(word) / 3;
}

void
nearest_try(struct nearest *n, const char *right)
{
	size_t distance = edit_distance(right, n->word);

	if (right[0] == '\0' || distance > n->limit)
		return;
	n->limit = distance - (distance > 0);
	n->found = right;
}

const char *
nearest_text(const struct nearest *n, char *out, size_t size)
{
	out[0] = '\0';
	if (n->found != NULL)
		snprintf(out, size, "; do you mean \"%s\"?", n->found);
	return out;
}
