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

/* Takes over `fd`, which listens; -1: there is none, and NULL comes back. Fatal
 * without memory. */
struct metrics *metrics_new(struct worker *, int fd);

/* Closes the listener and what is open. NULL is fine. */
void metrics_free(struct metrics *);

#endif
