/* SPDX-License-Identifier: ISC */
#include "server/logs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log_sink.h"
#include "server/config.h"
#include "server/config_text.h"
#include "server/handoff.h"

/* What a setting says. */
struct place {
	enum log_target target;
	const char *path; /* NULL: it has none */
};

static struct place
place_of(const struct config *c, enum log_stream which)
{
	const char *text = which == LOG_EVENTS ? c->log : c->access_log;
	const char *syslog = config_text_syslog(text);

	if (syslog != NULL)
		return (struct place){ LOG_TO_SYSLOG, syslog };
	if (strcmp(text, CONFIG_TEXT_STDERR) == 0)
		return (struct place){ LOG_TO_STDERR, NULL };
	if (strcmp(text, CONFIG_TEXT_LOG) == 0)
		return (struct place){ LOG_TO_EVENTS, NULL };
	if (strcmp(text, CONFIG_TEXT_OFF) == 0)
		return (struct place){ LOG_TO_NOTHING, NULL };
	return (struct place){ LOG_TO_FILE, text };
}

/* Turns a stream to what was opened for it. */
static void
turn(enum log_stream which, const struct place *p, int fd)
{
	bool is_syslog = p->target == LOG_TO_SYSLOG;

	log_redirect(which, p->target, fd, is_syslog ? p->path : NULL);
}

/* Opens what a place needs, *fd; -1 if it needs nothing. False with `why`. */
static bool
open_place(const struct place *p, int *fd, char why[LOGS_WHY_MAX])
{
	*fd = -1;
	if (p->target == LOG_TO_STDERR)
		*fd = log_sink_open_stderr();
	else if (p->target == LOG_TO_SYSLOG)
		*fd = log_sink_open_syslog(p->path);
	else if (p->target == LOG_TO_FILE)
		*fd = log_sink_open_file(p->path);
	if (*fd != -1 || p->path == NULL)
		return true;
	snprintf(
	    why, LOGS_WHY_MAX, "cannot open %s: %s", p->path, strerror(errno));
	return false;
}

/* -1 with `why`; a place that has no descriptor is all right as it is. */
static int
open_one(const struct config *c, enum log_stream which, char why[LOGS_WHY_MAX])
{
	struct place p = place_of(c, which);
	int fd;

	if (!open_place(&p, &fd, why))
		return -1;
	turn(which, &p, fd);
	return 0;
}

void
logs_open(const struct config *c)
{
	char why[LOGS_WHY_MAX];

	/* The access log first: if it fails that is said where all else was
	 * said until now. */
	if (open_one(c, LOG_ACCESS, why) == -1 ||
	    open_one(c, LOG_EVENTS, why) == -1)
		fatal("%s", why);
}

void
logs_reopen(const struct config *c)
{
	char why[LOGS_WHY_MAX];
	bool is_good = true;

	for (int i = 0; i < LOG_STREAMS; i++) {
		if (open_one(c, (enum log_stream)i, why) == 0)
			continue;
		is_good = false;
		log_error("a log stays as it was: %s", why);
	}
	if (is_good)
		log_info("logs opened again");
}

static const char *const names[] = {
	[LOG_EVENTS] = "log",
	[LOG_ACCESS] = "access-log",
};

void
logs_save(struct handoff *h)
{
	for (int i = 0; i < LOG_STREAMS; i++) {
		json_t *part = json_object();
		int fd = log_fd(i);

		handoff_put_fd(h, part, "fd", fd > STDERR_FILENO ? fd : -1);
		json_object_set_new(handoff_root(h), names[i], part);
	}
}

void
logs_adopt(struct handoff *h, const struct config *c)
{
	for (int i = 0; i < LOG_STREAMS; i++)
		logs_take(c, (enum log_stream)i,
		    handoff_take_fd(
			json_object_get(handoff_root(h), names[i]), "fd"));
}

bool
logs_check(const struct config *c, char why[LOGS_WHY_MAX])
{
	for (int i = 0; i < LOG_STREAMS; i++) {
		struct place p = place_of(c, (enum log_stream)i);
		int fd;

		if (!open_place(&p, &fd, why))
			return false;
		if (fd != -1)
			close(fd);
	}
	return true;
}

bool
logs_are_same(const struct config *a, const struct config *b)
{
	return strcmp(a->log, b->log) == 0 &&
	       strcmp(a->access_log, b->access_log) == 0;
}

void
logs_take(const struct config *c, enum log_stream which, int fd)
{
	struct place p = place_of(c, which);

	/* If a descriptor did not arrive, it stays as it was. */
	if (fd != -1 || p.path == NULL)
		turn(which, &p, fd);
}
