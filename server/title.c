/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/title.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	char *at; /* NULL: there is no room that we know of */
	size_t size;
	char **args; /* the copies that the program goes on with */
	char **env;
} room;

static size_t
count(char **list)
{
	size_t n = 0;

	while (list[n] != NULL)
		n++;
	return n;
}

static void
free_list(char **list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		free(list[i]);
	free(list);
}

static char **
copy_list(char **list)
{
	size_t n = count(list);
	char **copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i] = strdup(list[i]);
		if (copy[i] == NULL) {
			free_list(copy);
			return NULL;
		}
	}
	return copy;
}

/* How far the texts of a list go on without a gap from `end`. */
static char *
extend(char *end, char **list)
{
	for (; *list != NULL && *list == end; list++)
		end += strlen(*list) + 1;
	return end;
}

char **
title_init(int argc, char **argv)
{
	char **args, **env;
	char *end;

	if (argc < 1 || argv[0] == NULL)
		return argv;
	args = copy_list(argv);
	env = copy_list(environ);
	if (args == NULL || env == NULL) {
		free_list(args);
		free_list(env);
		return argv;
	}
	end = extend(extend(argv[0], argv), environ);
	room.at = argv[0];
	room.size = (size_t)(end - argv[0]);
	room.args = args;
	room.env = env;
	environ = env;
	return args;
}

void
title_set(const char *fmt, ...)
{
	va_list ap;

	if (room.at == NULL)
		return;
	memset(room.at, 0, room.size);
	va_start(ap, fmt);
	(void)vsnprintf(room.at, room.size, fmt, ap);
	va_end(ap);
}
