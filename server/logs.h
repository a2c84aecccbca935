/* SPDX-License-Identifier: ISC
 *
 * Opens what the settings log and access-log name, and turns the log of this
 * process there. The master opens, at the start and whenever it is asked to do
 * so again; workers inherit what was open when they were forked and are then
 * given descriptors, since they may not open files.
 */
#ifndef LT_SERVER_LOGS_H
#define LT_SERVER_LOGS_H

#include "common/log.h"

struct config;

/* Opens both, and turns the log there. The configuration must outlive the
 * process. fatal() if a file cannot be opened. */
void logs_open(const struct config *);

/* The same again. One that cannot be opened stays as it was, and the log says
 * so. */
void logs_reopen(const struct config *);

/* A worker, about a stream that the master has opened: takes over `fd`. */
void logs_take(const struct config *, enum log_stream, int fd);

#endif
