/* SPDX-License-Identifier: ISC
 *
 * The log: a line is put together in one buffer and leaves in one write(2).
 * Both programs of the server call it; the state is one static struct, set at
 * start and whenever logs are opened anew. errno is what it was before. Nothing
 * here opens a file, so it works in a sandbox.
 */
#define _GNU_SOURCE

#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log_sink.h"

#define ROLE_SIZE   64
#define LIMIT_MS    1000
#define LIMIT_BURST 10

struct stream {
	enum log_target target;
	struct log_sink sink;
};

static struct {
	const char *program; /* NULL until log_open */
	enum log_level level;
	struct stream streams[LOG_STREAMS];
	char role[ROLE_SIZE];
	int pid;
	int fatal_status;
	_Atomic uint64_t *dropped; /* NULL: nobody counts */
	_Atomic uint64_t *left_out;
} state = {
	.level = LOG_LEVEL_INFO,
	.streams = {
		{ LOG_TO_STDERR, { .fd = STDERR_FILENO } },
		{ LOG_TO_EVENTS, { .fd = -1 } },
	},
	.fatal_status = EXIT_FAILURE,
};

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
log_redirect(
    enum log_stream which, enum log_target target, int fd, const char *path)
{
	struct stream *s = &state.streams[which];

	log_sink_fini(&s->sink);
	if (target == LOG_TO_STDERR && fd == -1)
		fd = STDERR_FILENO;
	log_sink_init(&s->sink, fd, path);
	s->target = target;
}

void
log_open(const char *program, enum log_level level)
{
	state.program = program;
	state.level = level;
	state.pid = getpid();
	tzset(); /* else the first time of day would open a file */
	log_redirect(LOG_EVENTS, LOG_TO_STDERR, -1, NULL);
	log_redirect(LOG_ACCESS, LOG_TO_EVENTS, -1, NULL);
}

void
log_confine(void)
{
	for (int i = 0; i < LOG_STREAMS; i++)
		log_sink_confine(&state.streams[i].sink);
}

void
log_tend(void)
{
	for (int i = 0; i < LOG_STREAMS; i++)
		log_sink_tend(&state.streams[i].sink);
}

enum log_target
log_target(enum log_stream which)
{
	return state.streams[which].target;
}

int
log_fd(enum log_stream which)
{
	return state.streams[which].sink.fd;
}

void
log_count(_Atomic uint64_t *dropped, _Atomic uint64_t *left_out)
{
	state.dropped = dropped;
	state.left_out = left_out;
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

void
log_set_level(enum log_level level)
{
	state.level = level;
}

int
log_enabled(enum log_level level)
{
	return level <= state.level;
}

/* One writer, so no locked instruction is needed. */
static void
add(_Atomic uint64_t *to)
{
	if (to != NULL)
		atomic_store_explicit(to,
		    atomic_load_explicit(to, memory_order_relaxed) + 1,
		    memory_order_relaxed);
}

static void
put(struct log_sink *sink, const char *line, size_t len)
{
	if (!log_sink_write(sink, line, len))
		add(state.dropped);
}

/* What syslog(3) would begin with, in local time as it wants it. */
static int
put_syslog_prefix(char *line, enum log_level level)
{
	time_t now = time(NULL);
	char when[sizeof("Nov 22 05:00:00")] = "-";
	struct tm tm;

	if (localtime_r(&now, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
	return snprintf(line, LOG_LINE_MAX, "<%d>%s %.64s[%d]: %s%s",
	    LOG_DAEMON | levels[level].priority, when, state.program, state.pid,
	    state.role, state.role[0] != '\0' ? ": " : "");
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
		return snprintf(line, LOG_LINE_MAX,
		    "%.64s: ", program_invocation_short_name);
	if (state.streams[LOG_EVENTS].target == LOG_TO_SYSLOG)
		return put_syslog_prefix(line, level);
	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return snprintf(line, LOG_LINE_MAX, "%s %.64s[%d]%s%s %s: ", when,
	    state.program, state.pid, gap, state.role, levels[level].name);
}

/* `left_out` are lines of the kind that were not written before this one. */
static void
log_line(enum log_level level, unsigned left_out, const char *fmt, va_list ap)
{
	struct stream *s = &state.streams[LOG_EVENTS];
	int saved_errno = errno;
	char line[LOG_LINE_MAX], more[32] = "";
	size_t len, size;
	int n;

	if (!log_enabled(level))
		return;
	if (left_out > 0)
		snprintf(more, sizeof(more), " left_out=%u", left_out);
	size = sizeof(line) - strlen(more);
	len = (size_t)put_prefix(line, level);
	errno = saved_errno; /* for %m */
	n = vsnprintf(line + len, size - len, fmt, ap);
	len += n > 0 ? (size_t)n : 0;
	if (len >= size) {
		len = size - 1;
		memcpy(line + len - 3, "...", sizeof("..."));
	}
	len += (size_t)snprintf(line + len, sizeof(line) - len, "%s", more);
	/* A packet of syslog needs no end. */
	if (s->target != LOG_TO_SYSLOG)
		line[len++] = '\n';
	put(&s->sink, line, len);
	errno = saved_errno;
}

void
log_access(const char *line, size_t len)
{
	int saved_errno = errno;

	put(&state.streams[LOG_ACCESS].sink, line, len);
	errno = saved_errno;
}

const char *
log_time(char out[LOG_TIME_MAX])
{
	struct timespec now;
	struct tm tm;
	size_t len = 0;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &tm) != NULL)
		len = strftime(out, LOG_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(
	    out + len, LOG_TIME_MAX - len, ".%03ldZ", now.tv_nsec / 1000000);
	return out;
}

void
log_limited(struct log_limit *l, enum log_level level, const char *fmt, ...)
{
	uint64_t now = clock_ms();
	va_list ap;

	if (!log_enabled(level))
		return;
	if (l->since_ms == 0 || now - l->since_ms >= LIMIT_MS) {
		l->since_ms = now;
		l->n = 0;
	}
	if (l->n == LIMIT_BURST) {
		l->left_out++;
		add(state.left_out);
		return;
	}
	l->n++;
	va_start(ap, fmt);
	log_line(level, l->left_out, fmt, ap);
	va_end(ap);
	l->left_out = 0;
}

void
log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERROR, 0, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_WARN, 0, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_INFO, 0, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_DEBUG, 0, fmt, ap);
	va_end(ap);
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERROR, 0, fmt, ap);
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

char *
log_printable(char *text)
{
	for (char *at = text; *at != '\0'; at++)
		if (*at < 0x20 || *at > 0x7e)
			*at = '?';
	return text;
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
