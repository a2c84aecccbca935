/* SPDX-License-Identifier: ISC
 *
 * Shows answers: as JSON, or for people, as a table, a list, or a file of
 * settings. Whatever stands in a row may have come from outside once, so what
 * cannot be printed is not.
 */
#ifndef LT_CTL_SHOW_H
#define LT_CTL_SHOW_H

#include <stdbool.h>

#include <jansson.h>

enum show_form {
	SHOW_NOTHING,
	SHOW_LIST,  /* one row: a line for each of its keys */
	SHOW_TABLE, /* many rows, with the columns that a table names */
	SHOW_CONFIG,
};

struct show_column {
	const char *key;
	const char *title;
	bool is_bytes;	 /* 12.3M */
	bool is_seconds; /* 3h12m */
	bool is_left;	 /* words; numbers stand on the right */
};

extern const struct show_column show_tunnels[];
extern const struct show_column show_workers[];

/* The rows, an array. As JSON a list is one object, settings an object too,
 * and a table an array. */
void show_json(enum show_form, const json_t *rows);
void show_text(enum show_form, const struct show_column *, const json_t *rows);

#endif
