/* SPDX-License-Identifier: ISC
 *
 * The log: a line is put together in one buffer and leaves in one write(2) or
 * syslog(3). Both programs of the server call it; the state is one static
 * struct, set at start and read from then on. errno is what it was before.
 * After log_open nothing here opens a file, so it works in a sandbox.
 */
#define _GNU_SOURCE

#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 1024 /* the newline included */
#define ROLE_SIZE 64

static struct {
	const char *program; /* NULL until log_open */
	enum log_target target;
	enum log_level level;
	char role[ROLE_SIZE];
	int pid;
	int fatal_status;
} state = { .level = LOG_LEVEL_INFO, .fatal_status = EXIT_FAILURE };

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", LOG_ERR },
	[LOG_LEVEL_WARN] = { "warn", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

void
log_open(const char *program, enum log_target target, enum log_level level)
{
	state.program = program;
	state.target = target;
	state.level = level;
	state.pid = getpid();
	tzset(); /* else the first time of day would open a file */
	if (target == LOG_TO_SYSLOG)
		openlog(program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
log_role(const char *fmt, ...)
{
	va_list ap;

	state.pid = getpid();
	va_start(ap, fmt);
	(void)vsnprintf(state.role, sizeof(state.role), fmt, ap);
	va_end(ap);
}

int
log_enabled(enum log_level level)
{
	return level <= state.level;
}

/* What stands before the text; returns what snprintf does. */
static int
put_prefix(char *line, enum log_level level)
{
	const char *gap = state.role[0] != '\0' ? " " : "";
	char when[sizeof("2026-11-22T05:00:00Z")] = "-";
	time_t now = time(NULL);
	struct tm tm;

	if (state.program == NULL)
		return snprintf(
		    line, LINE_SIZE, "%.64s: ", program_invocation_short_name);
	if (state.target == LOG_TO_SYSLOG)
		return snprintf(line, LINE_SIZE, "%s%s", state.role,
		    state.role[0] != '\0' ? ": " : "");
	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return snprintf(line, LINE_SIZE, "%s %.64s[%d]%s%s %s: ", when,
	    state.program, state.pid, gap, state.role, levels[level].name);
}

static void
log_line(enum log_level level, const char *fmt, va_list ap)
{
	int saved_errno = errno;
	char line[LINE_SIZE];
	size_t len;
	int n;

	if (!log_enabled(level))
		return;
	len = (size_t)put_prefix(line, level);
	errno = saved_errno; /* for %m */
	n = vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	len += n > 0 ? (size_t)n : 0;
	if (len >= sizeof(line)) {
		len = sizeof(line) - 1;
		memcpy(line + len - 3, "...", sizeof("..."));
	}
	if (state.program != NULL && state.target == LOG_TO_SYSLOG) {
		syslog(levels[level].priority, "%s", line);
	} else {
		line[len] = '\n';
		/* There is nobody to tell that it failed. */
		if (write(STDERR_FILENO, line, len + 1) == -1)
			errno = saved_errno;
	}
	errno = saved_errno;
}

void
log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_WARN, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
	exit(state.fatal_status);
}

void
log_fatal_status(int status)
{
	state.fatal_status = status;
}

/* One byte as it stands in the log; returns its length, 1 or 4. */
static size_t
escape_byte(char out[5], unsigned char c)
{
	if (c >= 0x20 && c <= 0x7e && c != '"' && c != '\\') {
		out[0] = (char)c;
		return 1;
	}
	return (size_t)snprintf(out, 5, "\\x%02x", c);
}

const char *
log_escape(char *out, size_t size, const void *in, size_t len)
{
	const unsigned char *p = in;
	size_t i, n, used = 0;
	size_t cut = 0; /* the last place where "..." still fits */
	char piece[5];

	if (size == 0)
		return out;
	for (i = 0; i < len; i++) {
		if (used + sizeof("...") <= size)
			cut = used;
		n = escape_byte(piece, p[i]);
		if (used + n >= size) {
			(void)snprintf(out + cut, size - cut, "...");
			return out;
		}
		memcpy(out + used, piece, n);
		used += n;
	}
	out[used] = '\0';
	return out;
}

void *
log_must_alloc(size_t count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	if (p == NULL)
		fatal("out of memory");
	return p;
}

char *
log_must_strdup(const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		fatal("out of memory");
	return copy;
}
