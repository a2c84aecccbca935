/* SPDX-License-Identifier: ISC
 *
 * The listener for those who look after the server: /metrics, /health, /ready.
 * Served by the workers, since the master parses nothing that came from a
 * network; whichever of them accepts can answer for all. It has nothing to do
 * with visitors: few callers, each with a short time.
 */
#ifndef LT_SERVER_METRICS_H
#define LT_SERVER_METRICS_H

struct metrics;
struct worker;

/* Without a listener at first. Fatal without memory. */
struct metrics *metrics_new(struct worker *);

/* Listens on `fd`, which it takes over, in place of what it had; -1: nowhere.
 * Whoever has been accepted is answered. */
void metrics_listen(struct metrics *, int fd);

/* Closes the listener and what is open. NULL is fine. */
void metrics_free(struct metrics *);

#endif
