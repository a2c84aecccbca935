/* SPDX-License-Identifier: ISC
 *
 * The sessions of one tunnel, by number: as many as the server wants. What
 * concerns more than one of them.
 */
#ifndef LT_CLIENT_SEATS_H
#define LT_CLIENT_SEATS_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct identity;
struct service;
struct session;
struct session_ops;

#define SEATS_MAX 16 /* whatever the server asks for */

/* What all of them are made from; borrowed. */
struct seats_plan {
	struct client *client;
	struct service *service;
	const struct identity *identity;
	const struct session_ops *ops;
	void *arg;
};

struct seats {
	struct seats_plan plan;
	struct session *all[SEATS_MAX]; /* [0] is always there */
};

/* The first one is there then, and does nothing yet. -1 if there is no
 * memory. Free it either way. */
int seats_init(struct seats *, const struct seats_plan *);
void seats_fini(struct seats *);

/* True if any of them can be given visitors. */
bool seats_is_serving(const struct seats *);

/* All but the `known` one are new to the server from now on. */
void seats_forget_others(struct seats *, const struct session *known);

/* A label belongs to the session that got it last: the others forget it. */
void seats_forget_label(
    struct seats *, const char *label, const struct session *owner);

/* True if one of ours got the first one's label, or may be getting it. */
bool seats_has_taken_first(const struct seats *);

/* Makes it `n`, 1 to SEATS_MAX: begins the first that is missing, ends those
 * that are too many. */
void seats_resize(struct seats *, int64_t n);

/* One is up, or failed to be: begins the next that is missing. One after the
 * other, as the server gives each to the process that has the fewest. */
void seats_wake_next(struct seats *);

/* None of them takes new visitors, or makes another attempt. */
void seats_leave(struct seats *);

#endif
