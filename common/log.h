/* SPDX-License-Identifier: ISC
 *
 * The log of the daemon: one line an event, to standard error or syslog.
 *
 * Times are UTC.  A line is written with one write(2), so lines of several
 * processes never mix.  Whatever came from the network goes through
 * log_escape() first.  Only programs log: nothing else in common/ does.
 */
#ifndef LT_COMMON_LOG_H
#define LT_COMMON_LOG_H

#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

enum log_target {
	LOG_TO_STDERR, /* time, program[pid], role, level, text */
	LOG_TO_SYSLOG, /* facility daemon; syslog adds time and pid */
};

/*
 * Starts the log. Before it is called lines go to standard error as
 * "program: text". `program` must stay valid for the life of the process.
 */
void log_open(const char *program, enum log_target, enum log_level);

/* Names this process in each line, such as "master" or "worker 2"; copied. Both
 * keep the process id, so call one of them after a fork. */
void log_role(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* True if a line of this level would be written. */
int log_enabled(enum log_level);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Logs at level error and ends the process, with exit code 1 unless
 * log_fatal_status() has set another. */
_Noreturn void fatal(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* What fatal() ends this process with from here on. */
void log_fatal_status(int);

/*
 * Copies at most `len` bytes of `in` (which may hold anything) to `out`, each
 * byte outside 0x20-0x7e, quote and backslash as \xNN; ends with NUL; a text
 * that does not fit is cut at a whole byte and ends in "...". Returns `out`.
 */
const char *log_escape(char *out, size_t size, const void *in, size_t len);

/* Memory that start-up cannot do without: never NULL, fatal() if there is
 * none. Zeroed. The caller frees it with free(3). */
void *log_must_alloc(size_t count, size_t size);
char *log_must_strdup(const char *);

#endif
