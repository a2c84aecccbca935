/* SPDX-License-Identifier: ISC
 *
 * The tokens that let clients in: the file that `tokens` names, as a table. The
 * master's alone. It keeps of each token what the registry keeps of one, the
 * hash of what a claim brings, so no process that has this table, or a copy of
 * it, can make a claim with it.
 *
 * The file is read again as a whole; what is not good changes nothing.
 */
#ifndef LT_SERVER_TOKENS_H
#define LT_SERVER_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/token.h"
#include "server/registry.h"

#define TOKENS_WHY_MAX	(TOKEN_WHY_MAX + 1100) /* with a path */
#define TOKENS_MAX	16384
#define TOKENS_FILE_MAX (16 * 1024 * 1024)

struct event_base;
struct handoff;
struct tokens;

struct tokens_row {
	struct token token; /* its hash is wiped */
	uint8_t kept[REGISTRY_HASH_LEN];
	unsigned tunnels; /* that it has now; the book of claims counts */
};

/* A table of none, and none is needed. Fatal without memory. */
struct tokens *tokens_new(void);
void tokens_free(struct tokens *);

/* Reads the file; from then on a token is needed, unless the path is NULL or
 * "none". Rows that were found before are gone. False, with a sentence in
 * `why` that names file, line and field, and all stays as it was. */
bool tokens_read(struct tokens *, const char *path, char why[TOKENS_WHY_MAX]);

/* Takes the rows of another table, which is freed, and of which nothing can be
 * wrong any more; rows that were found before are gone. */
void tokens_use(struct tokens *, struct tokens *fresh);

/* For a program that takes the place of this one: what is in force, whatever
 * has become of the file; and the same from it, into a table of none. False if
 * that is not what it should be: then one is needed, and not all are there. */
void tokens_save(const struct tokens *, struct handoff *);
bool tokens_adopt(struct tokens *, struct handoff *);

/* Row by row, for those two: NULL behind the last one; from now on one is
 * needed; false if there is no room for it, or if it is there already. */
const struct tokens_row *tokens_at(const struct tokens *, size_t i);
void tokens_need(struct tokens *);
bool tokens_put(struct tokens *, const struct tokens_row *);

/* True if clients need one. */
bool tokens_are_needed(const struct tokens *);

/* The token of which the registry keeps `kept`, or NULL. Takes as long for one
 * that is nearly right as for any other. */
struct tokens_row *tokens_find(
    struct tokens *, const uint8_t kept[REGISTRY_HASH_LEN]);

/* No row has tunnels, as far as they are counted. */
void tokens_count_anew(struct tokens *);

/* True if its time is over. */
bool tokens_is_expired(const struct tokens_row *);

/* From now on fn is called when a token that has tunnels has expired. */
typedef void tokens_expired_fn(void *arg);
void tokens_start(
    struct tokens *, struct event_base *, tokens_expired_fn *, void *arg);

#endif
