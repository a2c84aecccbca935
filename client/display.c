/* SPDX-License-Identifier: ISC
 *
 * Writes for people and, with --json, for programs. Called by everybody in
 * the client. Errors of writing are ignored, but for the URL: a tunnel goes on
 * when nobody reads what else it says.
 */
#define _GNU_SOURCE
#include "client/display.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client.h"
#include "client/status.h"

/* Flushes standard output; -1 and errno. */
static int
flush(void)
{
	int result = fflush(stdout);

	if (result == 0 && ferror(stdout)) {
		errno = EIO;
		result = -1;
	}
	clearerr(stdout);
	return result;
}

int
display_write(
    const struct display *display, enum display_to to, const char *line)
{
	if (display->pen != NULL) {
		display->pen->write(display->pen->arg, to, line);
		return 0;
	}
	switch (to) {
	case DISPLAY_OUT:
		puts(line);
		return flush();
	case DISPLAY_ERR:
		if (!status_print(display->status, line))
			fprintf(stderr, "%s\n", line);
		break;
	case DISPLAY_STATUS:
		status_error(display->status, line);
		break;
	}
	return 0;
}

/* Writes one event and frees it; NULL, if there was no memory, is skipped. */
static int
put_event(const struct display *display, json_t *event)
{
	char *line = NULL;
	int result = 0;

	if (event != NULL && display->tunnel != NULL)
		json_object_set_new(
		    event, "tunnel", json_string(display->tunnel));
	if (display->json && event != NULL)
		line = json_dumps(event, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (line != NULL)
		result = display_write(display, DISPLAY_OUT, line);
	free(line);
	json_decref(event);
	return result;
}

/* What a line about a tunnel among others begins with. */
static const char *
label_of(const struct display *display)
{
	return display->is_one_of_many ? display->tunnel : NULL;
}

/* A line on standard error, about a tunnel maybe. */
static void
put_raw(const struct display *display, const char *what, const char *line)
{
	const char *label = label_of(display);
	char *text;

	if (asprintf(&text, "%s%s%s%s", what, label != NULL ? label : "",
		label != NULL ? ": " : "", line) == -1)
		return;
	display_write(display, DISPLAY_ERR, text);
	free(text);
}

static void
put_text(const struct display *display, const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) == -1)
		return;
	put_raw(display, "ltclient: ", text);
	free(text);
}

/* For people, with --quiet too. */
__attribute__((format(printf, 2, 3))) static void
put_line(const struct display *display, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_text(display, fmt, args);
	va_end(args);
}

static int
put_up(const struct display *display, const char *url, const char *name)
{
	return put_event(display, json_pack("{s:s, s:s, s:s}", "event", "up",
				      "url", url, "name", name));
}

int
display_up(const struct display *display, const char *url, const char *name)
{
	status_up(display->status, label_of(display), url);
	if (display->json)
		return put_up(display, url, name);
	status_make_way(display->status);
	if (display->is_one_of_many)
		printf("%s: %s\n", display->tunnel, url);
	else
		printf("your url is: %s\n", url);
	return flush();
}

void
display_cached(const struct display *display, const char *url)
{
	if (display->json) {
		put_event(display,
		    json_pack("{s:s, s:s}", "event", "cached", "url", url));
		return;
	}
	status_make_way(display->status);
	printf("your cachedUrl is: %s\n", url);
	flush();
}

void
display_again(const struct display *display, const char *url, const char *name)
{
	status_up(display->status, label_of(display), url);
	put_up(display, url, name);
	display_note(display, "reconnected");
}

void
display_down(const struct display *display, const char *why)
{
	put_event(
	    display, json_pack("{s:s, s:s}", "event", "down", "reason", why));
	status_down(display->status, label_of(display), why);
	put_line(display, "lost the server: %s; reconnecting", why);
}

void
display_reconnecting(const struct display *display, const char *why,
    uint64_t wait_ms, bool is_news)
{
	put_event(display, json_pack("{s:s, s:s, s:I}", "event", "reconnecting",
			       "reason", why, "wait_ms", (json_int_t)wait_ms));
	status_retry(display->status, label_of(display), why);
	if (display->verbose)
		put_line(display, "%s; trying again in %ju ms", why,
		    (uintmax_t)wait_ms);
	else if (is_news)
		put_line(display, "%s; trying again", why);
}

/* On standard output, with the time as JavaScript writes it. */
void
display_request_begun(
    const struct display *display, const char *method, const char *path)
{
	time_t now = time(NULL);
	char text[128], *line;
	struct tm tm;

	if (!display->as_lt)
		return;
	localtime_r(&now, &tm);
	if (strftime(text, sizeof(text), "%a %b %d %Y %H:%M:%S GMT%z (%Z)",
		&tm) == 0)
		text[0] = '\0';
	if (asprintf(&line, "%s %s %s", text, method, path) == -1)
		return;
	display_write(display, DISPLAY_OUT, line);
	free(line);
}

void
display_over(const struct display *display)
{
	status_over(display->status, label_of(display));
}

void
display_request(
    const struct display *display, const struct display_request *request)
{
	char status[16], *line;

	if (display->as_lt)
		return;
	if (display->json) {
		put_event(
		    display, json_pack("{s:s, s:s, s:s, s:i, s:I}", "event",
				 "request", "method", request->method, "path",
				 request->path, "status", request->status, "ms",
				 (json_int_t)request->ms));
		return;
	}
	if (request->status == 0)
		strcpy(status, "-");
	else
		snprintf(status, sizeof(status), "%d", request->status);
	if (asprintf(&line, "%s %s %s %ju ms", request->method, request->path,
		status, (uintmax_t)request->ms) == -1)
		return;
	put_raw(display, "", line);
	free(line);
}

void
display_traffic(const struct display *display, const struct traffic *traffic)
{
	put_event(display,
	    json_pack("{s:s, s:I, s:I, s:I, s:I}", "event", "traffic",
		"visitors", (json_int_t)traffic->now, "visitors_total",
		(json_int_t)traffic->all, "bytes_in", (json_int_t)traffic->in,
		"bytes_out", (json_int_t)traffic->out));
}

void
display_note(const struct display *display, const char *fmt, ...)
{
	va_list args;

	if (display->quiet)
		return;
	va_start(args, fmt);
	put_text(display, fmt, args);
	va_end(args);
}

void
display_detail(const struct display *display, const char *fmt, ...)
{
	va_list args;

	if (!display->verbose)
		return;
	va_start(args, fmt);
	put_text(display, fmt, args);
	va_end(args);
}

void
display_error(const struct display *display, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	put_event(display,
	    json_pack("{s:s, s:s}", "event", "error", "message", text));
	display_write(display, DISPLAY_STATUS, text);
	put_line(display, "%s", text);
}

bool
display_flush(void)
{
	if (flush() == 0)
		return true;
	fprintf(stderr, "ltclient: standard output: %s\n", strerror(errno));
	return false;
}
