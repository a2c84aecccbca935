/* SPDX-License-Identifier: ISC */
#include "ctl/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define CELL_MAX    128
#define COLUMNS_MAX 16

const struct show_column show_tunnels[] = {
	{ "name", "NAME", .is_left = true },
	{ "kind", "KIND", .is_left = true },
	{ "state", "STATE", .is_left = true },
	{ "client", "CLIENT", .is_left = true },
	{ "token", "TOKEN", .is_left = true },
	{ "age_s", "AGE", .is_seconds = true },
	{ "sessions", "SESSIONS", .is_left = false },
	{ "idle", "IDLE", .is_left = false },
	{ "busy", "BUSY", .is_left = false },
	{ "queued", "QUEUED", .is_left = false },
	{ "visitors", "VISITORS", .is_left = false },
	{ "bytes_in", "IN", .is_bytes = true },
	{ "bytes_out", "OUT", .is_bytes = true },
	{ "workers", "WORKERS", .is_left = true },
	{ "domain", "DOMAIN", .is_left = true },
	{ NULL, NULL, .is_left = false },
};

const struct show_column show_workers[] = {
	{ "worker", "WORKER", .is_left = false },
	{ "state", "STATE", .is_left = true },
	{ "pid", "PID", .is_left = false },
	{ "age_s", "AGE", .is_seconds = true },
	{ "sessions", "SESSIONS", .is_left = false },
	{ "idle", "IDLE", .is_left = false },
	{ "joined", "JOINED", .is_left = false },
	{ "queued", "QUEUED", .is_left = false },
	{ "parked", "PARKED", .is_left = false },
	{ "room", "ROOM", .is_left = false },
	{ "accepted", "ACCEPTED", .is_left = false },
	{ "visitors", "VISITORS", .is_left = false },
	{ "bytes_in", "IN", .is_bytes = true },
	{ "bytes_out", "OUT", .is_bytes = true },
	{ NULL, NULL, .is_left = false },
};

static void
dump(const json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2));

	if (text != NULL)
		puts(text);
	free(text);
}

/* {KEY: value} of all settings. */
static void
dump_config(const json_t *rows)
{
	json_t *all = json_object(), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *key =
		    json_string_value(json_object_get(row, "key"));

		if (key != NULL)
			json_object_set(
			    all, key, json_object_get(row, "value"));
	}
	dump(all);
	json_decref(all);
}

void
show_json(enum show_form form, const json_t *rows)
{
	switch (form) {
	case SHOW_NOTHING:
		return;
	case SHOW_LIST:
		dump(json_array_get(rows, 0));
		return;
	case SHOW_TABLE:
		dump(rows);
		return;
	case SHOW_CONFIG:
		dump_config(rows);
		return;
	}
}

static void
put_bytes(char out[CELL_MAX], json_int_t n)
{
	static const char units[] = "BKMGTPE";
	double value = (double)n;
	size_t unit = 0;

	for (; value >= 1024 && unit + 2 < sizeof(units); unit++)
		value /= 1024;
	snprintf(
	    out, CELL_MAX, unit == 0 ? "%.0f%c" : "%.1f%c", value, units[unit]);
}

static void
put_seconds(char out[CELL_MAX], json_int_t s)
{
	if (s < 60)
		snprintf(out, CELL_MAX, "%ds", (int)s);
	else if (s < 3600)
		snprintf(
		    out, CELL_MAX, "%dm%02ds", (int)(s / 60), (int)(s % 60));
	else if (s < 86400)
		snprintf(out, CELL_MAX, "%dh%02dm", (int)(s / 3600),
		    (int)(s / 60 % 60));
	else
		snprintf(out, CELL_MAX, "%dd%02dh", (int)(s / 86400),
		    (int)(s / 3600 % 24));
}

static void
put_value(char out[CELL_MAX], const json_t *value)
{
	const char *text = json_string_value(value);

	if (text != NULL && text[0] != '\0')
		log_escape(out, CELL_MAX, text, strlen(text));
	else if (json_is_integer(value))
		snprintf(out, CELL_MAX, "%" JSON_INTEGER_FORMAT,
		    json_integer_value(value));
	else
		snprintf(out, CELL_MAX, "-");
}

static void
put_cell(char out[CELL_MAX], const struct show_column *c, const json_t *row)
{
	const json_t *value = json_object_get(row, c->key);

	if (c->is_bytes && json_is_integer(value))
		put_bytes(out, json_integer_value(value));
	else if (c->is_seconds && json_is_integer(value))
		put_seconds(out, json_integer_value(value));
	else
		put_value(out, value);
}

static void
measure(int widths[COLUMNS_MAX], const struct show_column *columns,
    const json_t *rows)
{
	char cell[CELL_MAX];
	json_t *row;
	size_t i;

	for (int c = 0; columns[c].key != NULL; c++) {
		widths[c] = (int)strlen(columns[c].title);
		json_array_foreach(rows, i, row)
		{
			put_cell(cell, &columns[c], row);
			if ((int)strlen(cell) > widths[c])
				widths[c] = (int)strlen(cell);
		}
	}
}

/* One line; `row` is NULL for the titles. */
static void
print_line(const int widths[COLUMNS_MAX], const struct show_column *columns,
    const json_t *row)
{
	char cell[CELL_MAX];

	for (int c = 0; columns[c].key != NULL; c++) {
		int width = columns[c].is_left ? -widths[c] : widths[c];

		if (row == NULL)
			snprintf(cell, sizeof(cell), "%s", columns[c].title);
		else
			put_cell(cell, &columns[c], row);
		printf("%s%*s", c == 0 ? "" : "  ", width, cell);
	}
	putchar('\n');
}

static void
print_table(const struct show_column *columns, const json_t *rows)
{
	int widths[COLUMNS_MAX];
	size_t i;

	measure(widths, columns, rows);
	print_line(widths, columns, NULL);
	for (i = 0; i < json_array_size(rows); i++)
		print_line(widths, columns, json_array_get(rows, i));
}

static void
print_list(const json_t *row)
{
	char cell[CELL_MAX];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)row, key, value)
	{
		put_value(cell, value);
		printf("%-10s %s\n", key, cell);
	}
}

/* A value as it stands in the file. */
static void
print_quoted(const json_t *value)
{
	const char *text = json_string_value(value);

	printf("\"%s\"", text == NULL ? "" : text);
}

static void
print_items(const json_t *list)
{
	json_t *item;
	size_t i;

	printf("{");
	json_array_foreach(list, i, item)
	{
		printf("%s ", i == 0 ? "" : ",");
		print_quoted(item);
	}
	printf(" }");
}

/* listen "ADDRESS" { kinds = { ... } } */
static void
print_section(const char *key, const json_t *section)
{
	const json_t *public = json_object_get(section, "public");

	printf("%s ", key);
	print_quoted(json_object_get(section, "address"));
	printf(" { kinds = ");
	print_items(json_object_get(section, "kinds"));
	printf(" proxy-protocol = ");
	print_quoted(json_object_get(section, "proxy-protocol"));
	if (public != NULL) {
		printf(" public = ");
		print_quoted(public);
	}
	printf(" }\n");
}

static void
print_setting(const char *key, const json_t *value)
{
	size_t i;

	if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
		for (i = 0; i < json_array_size(value); i++)
			print_section(key, json_array_get(value, i));
		return;
	}
	/* What is not set cannot be said in the file. */
	if (json_is_string(value) && json_string_length(value) == 0) {
		printf("# %s is not set\n", key);
		return;
	}
	printf("%s = ", key);
	if (json_is_array(value))
		print_items(value);
	else
		print_quoted(value);
	printf("\n");
}

static void
print_config(const json_t *rows)
{
	const char *key;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		key = json_string_value(json_object_get(row, "key"));
		if (key != NULL)
			print_setting(key, json_object_get(row, "value"));
	}
}

void
show_text(
    enum show_form form, const struct show_column *columns, const json_t *rows)
{
	switch (form) {
	case SHOW_NOTHING:
		return;
	case SHOW_LIST:
		print_list(json_array_get(rows, 0));
		return;
	case SHOW_TABLE:
		print_table(columns, rows);
		return;
	case SHOW_CONFIG:
		print_config(rows);
		return;
	}
}
