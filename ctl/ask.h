/* SPDX-License-Identifier: ISC
 *
 * One question to the server: connects to its socket, sends a line of JSON, and
 * hands on the rows of the answer as they come. It waits, but not for ever.
 */
#ifndef LT_CTL_ASK_H
#define LT_CTL_ASK_H

#include <jansson.h>

/* A row of the answer, borrowed. */
typedef void ask_row_fn(void *arg, const json_t *row);

#define ASK_WHY_MAX 512

/* `name` may be NULL. 0, or -1 with a sentence in `why`. */
int ask(const char *socket, const char *command, const char *name,
    ask_row_fn *fn, void *arg, char why[ASK_WHY_MAX]);

#endif
