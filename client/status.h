/* SPDX-License-Identifier: ISC
 *
 * How the tunnels are, from moment to moment: for people, a block at the
 * bottom of their terminal; with --json, events that say what has passed.
 */
#ifndef LT_CLIENT_STATUS_H
#define LT_CLIENT_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct display;
struct screen;
struct status;

/* With a terminal of that kind, or events; NULL if neither is wanted, or there
 * is no memory. Both are borrowed. */
struct status *status_new(const struct client *, const struct display *);

/* Takes the block off the terminal; NULL is fine. */
void status_free(struct status *);

/* What becomes of the tunnel of that label, NULL if there is but one. The
 * status may be NULL in all of these. */
void status_up(struct status *, const char *label, const char *url);
void status_down(struct status *, const char *label, const char *why);
void status_over(struct status *, const char *label);
void status_retry(struct status *, const char *label, const char *why);
void status_leave(struct status *); /* all of them */
void status_error(struct status *, const char *text);

/* Writes the line, without its end, above the block. False if there is no
 * block, and so nothing was written. */
bool status_print(struct status *, const char *line);

/* Standard output is about to be written to. */
void status_make_way(struct status *);

#endif
