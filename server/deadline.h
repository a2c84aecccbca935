/* SPDX-License-Identifier: ISC
 *
 * Things that end at a certain time unless they are taken away before: one
 * list in order of time, one timer for all of it. Nearly always what is
 * added is due last, so adding costs nothing however long the list is.
 */
#ifndef LT_SERVER_DEADLINE_H
#define LT_SERVER_DEADLINE_H

#include <stdint.h>
#include <sys/queue.h>

struct deadline_list;
struct event_base;

/* Embedded in the thing that ends. */
struct deadline {
	TAILQ_ENTRY(deadline) link;
	uint64_t due_ms; /* clock_ms(); 0: in no list */
};

/* The thing that a deadline is embedded in. */
#define deadline_of(d, type, member)                                           \
	((type *)((char *)(d)-offsetof(type, member)))

/* `expired` is called with each deadline that has passed, already out of the
 * list. Fatal without memory. */
struct deadline_list *deadline_list_new(struct event_base *,
    void (*expired)(void *arg, struct deadline *), void *arg);

/* Forgets what is in it. NULL is fine. */
void deadline_list_free(struct deadline_list *);

void deadline_add(struct deadline_list *, struct deadline *, uint64_t due_ms);

/* What is due first; NULL if nothing is. */
struct deadline *deadline_first(const struct deadline_list *);

/* Does nothing if it is in no list. */
void deadline_del(struct deadline_list *, struct deadline *);

#endif
