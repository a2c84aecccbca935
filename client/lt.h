/* SPDX-License-Identifier: ISC
 *
 * ltclient under the name lt: the command line of the npm command of that name
 * (localtunnel 2.0.2) and its environment, put in words of ltclient.
 */
#ifndef LT_CLIENT_LT_H
#define LT_CLIENT_LT_H

#include <stdbool.h>
#include <stdio.h>

#define LT_WORDS_MAX 32
#define LT_ERROR_MAX 512

/* A command line of ltclient. Its words belong to the one that was read, to the
 * environment or to this. */
struct lt_words {
	int argc;
	char *argv[LT_WORDS_MAX]; /* NULL behind the last one */
	char port[8];
};

enum lt_result {
	LT_RUN,
	LT_HELP,
	LT_PRINT_VERSION,
	LT_BAD,
};

/* True if that is the name by which it is called, with or without a path. */
bool lt_is_called(const char *argv0);

/* Reads the command line and an environment ("NAME=value", NULL behind the
 * last one). LT_RUN: `words` says the same to ltclient. LT_BAD: `error` says
 * what is wrong. */
enum lt_result lt_read(struct lt_words *words, char **argv, char **environment,
    char error[LT_ERROR_MAX]);

/* Writes what --help says. */
void lt_help(FILE *);

#endif
