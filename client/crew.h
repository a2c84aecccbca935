/* SPDX-License-Identifier: ISC
 *
 * The workers of the client, as the main process sees them: processes in
 * which pools of some sessions are, so that a tunnel can use more than one
 * core. All else of the client is in the main process: control connections,
 * names, secrets, and all that is said.
 *
 * A worker is forked for the first pool that is to be in it. One that dies has
 * another forked in its place, with the same pools; only the visitors who were
 * joined in it notice.
 */
#ifndef LT_CLIENT_CREW_H
#define LT_CLIENT_CREW_H

#include <stdint.h>

struct client;
struct crew;
struct options;
struct pool_session;
struct post;
struct service;

/* Nobody yet. Workers change their copy of the options. NULL if there is no
 * memory. */
struct crew *crew_new(struct client *, struct options *);

/* All workers have ended, and no pool is left. NULL is fine. */
void crew_free(struct crew *);

/* In which process the pool of that session belongs; 0 is this one. */
unsigned crew_process(const struct crew *, unsigned session);

/* A pool in that process, not 0; see pool_new(). NULL if there is no memory. */
struct post *crew_post(struct crew *, unsigned process, const struct service *,
    const struct pool_session *, int64_t concurrency);

void crew_resize(struct post *, int64_t concurrency);

/* Its joined connections live on. Sets the pointer to NULL. */
void crew_retire(struct post **);

/* All pools are retired: each worker ends when its last visitor has gone. */
void crew_leave(struct crew *);

/* Ends them now, waits for that, and forks no others. */
void crew_end(struct crew *);

/* How many workers there are; NULL is fine. */
unsigned crew_count(const struct crew *);

#endif
