/* SPDX-License-Identifier: ISC
 *
 * Connections in the inboxes of workers that have left. Whoever handed them
 * over had looked before the session moved; nobody will read them there, so the
 * master passes them on, unread as ever, to a worker that routes them again.
 */
#ifndef LT_SERVER_LEFTOVER_H
#define LT_SERVER_LEFTOVER_H

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct inbox;
struct leftovers;

/* `pick` says who is to have one: a slot, or UINT32_MAX if nobody can just
 * now. The inbox is borrowed. Fatal without memory. */
struct leftovers *leftovers_new(struct event_base *, struct inbox *,
    size_t slots, uint32_t (*pick)(void *arg), void *arg);

/* Also in a child just forked. */
void leftovers_free(struct leftovers *);

/* From here on nobody reads this inbox; and somebody does again. */
void leftovers_begin(struct leftovers *, uint32_t slot);
void leftovers_end(struct leftovers *, uint32_t slot);

#endif
