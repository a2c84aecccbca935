/* SPDX-License-Identifier: ISC
 *
 * Opens what the settings log and access-log name, and turns the log of this
 * process there. The master opens, at the start and whenever it is asked to do
 * so again; workers inherit what was open when they were forked and are then
 * given descriptors, since they may not open files.
 */
#ifndef LT_SERVER_LOGS_H
#define LT_SERVER_LOGS_H

#include <stdbool.h>

#include "common/log.h"

#define LOGS_WHY_MAX 1200

struct config;
struct handoff;

/* Opens both, and turns the log there. fatal() if a file cannot be opened. */
void logs_open(const struct config *);

/* For a program that takes the place of this one: both as they are; and the log
 * turned there again, by settings that name the same. */
void logs_save(struct handoff *);
void logs_adopt(struct handoff *, const struct config *);

/* The same again. One that cannot be opened stays as it was, and the log says
 * so. */
void logs_reopen(const struct config *);

/* False with `why` if they could not be opened just now. */
bool logs_check(const struct config *, char why[LOGS_WHY_MAX]);

/* True if two settings name the same ones. */
bool logs_are_same(const struct config *, const struct config *);

/* A worker, about a stream that the master has opened: takes over `fd`, which
 * is -1 for what needs none. */
void logs_take(const struct config *, enum log_stream, int fd);

#endif
