/* SPDX-License-Identifier: ISC
 *
 * Another program in the place of this one. First it is asked, as a child that
 * only checks (-t), whether it can: a program that is broken, that finds fault
 * with the settings, or that cannot take over what it is handed says so, and
 * nothing has happened. Then it is executed. What is handed over is the
 * master's affair.
 */
#ifndef LT_SERVER_UPGRADE_H
#define LT_SERVER_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct handoff;
struct upgrade;

/* `wrong` is NULL if the program can take over; else a line about why not, and
 * all that it said is in the log. */
typedef void upgrade_done_fn(void *arg, const char *wrong);

/* Remembers how this program was started, and in which directory; so before
 * that is left. `argv` is borrowed. Fatal without memory. */
struct upgrade *upgrade_new(char **argv);

/* Also in a child just forked. */
void upgrade_free(struct upgrade *);

void upgrade_start(
    struct upgrade *, struct event_base *, upgrade_done_fn *, void *arg);

/* Asks; the answer comes later. False with `why` if that cannot be. */
bool upgrade_check(
    struct upgrade *, const struct handoff *, char *why, size_t size);

/* True while an answer is waited for. */
bool upgrade_is_busy(const struct upgrade *);

/* Nobody waits for the answer any more. */
void upgrade_stop(struct upgrade *);

/* SIGCHLD has come. */
void upgrade_reap(struct upgrade *);

/* Executes it, with all signals blocked until it can handle them. Comes back
 * only if that fails: with errno, and all is as it was. */
void upgrade_exec(struct upgrade *, const struct handoff *);

#endif
