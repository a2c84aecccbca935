/* SPDX-License-Identifier: ISC
 *
 * The log of the daemon: one line an event, to standard error, syslog or a
 * file; and beside it the access log, which may be a file of its own.
 *
 * Times are UTC.  A line is written with one write(2), so lines of several
 * processes never mix.  Nobody waits for a log: a line that cannot be written
 * is dropped and counted.  Whatever came from the network goes through
 * log_escape() first.  Only programs log: nothing else in common/ does.
 */
#ifndef LT_COMMON_LOG_H
#define LT_COMMON_LOG_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX 1024 /* the newline included */

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

enum log_stream {
	LOG_EVENTS, /* what the functions below write */
	LOG_ACCESS, /* what log_access() writes */
	LOG_STREAMS,
};

enum log_target {
	LOG_TO_STDERR, /* time, program[pid], role, level, text */
	LOG_TO_SYSLOG, /* facility daemon; syslog adds time and pid */
	LOG_TO_FILE,   /* as to standard error; the access log its own lines */
	LOG_TO_EVENTS, /* of the access log: to the other one */
	LOG_TO_NOTHING,
};

/*
 * Starts the log, to standard error, and the access log as a part of it.
 * Before it is called lines go to standard error as "program: text".
 * `program` must stay valid for the life of the process.
 */
void log_open(const char *program, enum log_level);

/* From here on a stream goes there. Takes over `fd`; -1 is standard error
 * itself. `path`, of a syslog, is copied; else NULL. */
void log_redirect(enum log_stream, enum log_target, int fd, const char *path);

enum log_target log_target(enum log_stream);

/* Where a stream is written to, still the log's; -1: it is not by itself. */
int log_fd(enum log_stream);

/* Where dropped lines are counted, and those that log_limited() leaves out:
 * one process writes there. Until then nobody counts. */
void log_count(_Atomic uint64_t *dropped, _Atomic uint64_t *left_out);

/* This process may not look for a syslog that is lost: another one that has the
 * same descriptors does, by log_tend(), now and then. */
void log_confine(void);
void log_tend(void);

/* Names this process in each line, such as "master" or "worker 2"; copied. Both
 * keep the process id, so call one of them after a fork. */
void log_role(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* From here on lines of this level are written, and none below it. */
void log_set_level(enum log_level);

/* True if a line of this level would be written. */
int log_enabled(enum log_level);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line of the access log's own form, with its end, to where that goes. */
void log_access(const char *line, size_t len);

/* Milliseconds too: 2026-11-22T05:00:00.000Z. Returns `out`. */
#define LOG_TIME_MAX 32
const char *log_time(char out[LOG_TIME_MAX]);

/*
 * For lines that strangers can cause, as many as they like: of each kind ten
 * are written in a second, and the next one after that says with left_out=N
 * how many were not. One static struct, all zero, for each kind.
 */
struct log_limit {
	uint64_t since_ms;
	unsigned n;
	unsigned left_out;
};

void log_limited(struct log_limit *, enum log_level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

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

/* The same in place, for a text of our own that may quote something: each byte
 * outside 0x20-0x7e becomes a question mark. Returns `text`. */
char *log_printable(char *text);

/* Memory that start-up cannot do without: never NULL, fatal() if there is
 * none. Zeroed. The caller frees it with free(3). */
void *log_must_alloc(size_t count, size_t size);
char *log_must_strdup(const char *);

#endif
