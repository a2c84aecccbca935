/* SPDX-License-Identifier: ISC
 *
 * Keeps what is said of the tunnels and says it again when it has changed.
 * Made by main, told by display, drawn by screen. Owns its timer and screen.
 */
#include "client/status.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "client/client.h"
#include "client/counters.h"
#include "client/options.h"
#include "client/pool.h"
#include "client/screen.h"
#include "common/clock.h"

#define DRAW_MS	    250	 /* between two draws, at least */
#define TICK_MS	    500	 /* when nothing but numbers has changed */
#define EVENTS_MS   1000 /* between two events */
#define ROWS_MORE   3	 /* besides the tunnels: visitors, bytes, error */
#define URL_MAX	    160	 /* shown of one */
#define TUNNELS_MAX (SCREEN_LINES_MAX - ROWS_MORE)

enum state {
	CONNECTING,
	ONLINE,
	RECONNECTING,
	LEAVING,
	OVER,
};

struct row {
	STAILQ_ENTRY(row) entry;
	const char *label; /* NULL: the only one */
	enum state state;
	char url[SCREEN_COLS_MAX];
};

struct status {
	const struct client *client;
	const struct display *display;
	struct screen *screen; /* NULL: events */
	STAILQ_HEAD(, row) rows;
	size_t rows_n;
	char error[SCREEN_COLS_MAX]; /* the last one; "": none yet */
	struct tm error_at;
	struct event timer;
	struct event resumed; /* after ^Z others have had the terminal */
	uint64_t drawn_ms;
	struct traffic told; /* in the last event */
};

/* --- what is shown ---------------------------------------------------------
 */

static void
put_bytes(char *out, size_t size, uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB",
		"PB" };
	double value = (double)bytes;
	size_t i = 0;

	while (value >= 999.5 && i + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		i++;
	}
	snprintf(out, size, i > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s",
	    value, units[i]);
}

/* Before there is a URL, the server's host stands in its place. */
static void
put_row(const struct status *status, struct screen_block *block,
    const struct row *row)
{
	static const char *const words[] = {
		[CONNECTING] = "connecting",
		[ONLINE] = "online",
		[RECONNECTING] = "reconnecting",
		[LEAVING] = "leaving",
		[OVER] = "over",
	};

	snprintf(block->lines[block->n++], SCREEN_COLS_MAX, "%.64s%s%-12s %.*s",
	    row->label != NULL ? row->label : "",
	    row->label != NULL ? ": " : "", words[row->state], URL_MAX,
	    row->url[0] != '\0' ? row->url
				: status->client->options->server.authority);
}

static void
count(const struct status *status, struct traffic *traffic)
{
	pool_publish(status->client);
	counters_traffic(status->client->counters, traffic);
}

static void
compose(const struct status *status, struct screen_block *block)
{
	struct traffic traffic;
	const struct row *row, none = { .state = CONNECTING };
	char in[32], out[32];

	block->n = 0;
	STAILQ_FOREACH (row, &status->rows, entry)
		put_row(status, block, row);
	if (STAILQ_EMPTY(&status->rows))
		put_row(status, block, &none);
	count(status, &traffic);
	put_bytes(in, sizeof(in), traffic.in);
	put_bytes(out, sizeof(out), traffic.out);
	snprintf(block->lines[block->n++], SCREEN_COLS_MAX,
	    "visitors     %ju now, %ju in all", (uintmax_t)traffic.now,
	    (uintmax_t)traffic.all);
	snprintf(block->lines[block->n++], SCREEN_COLS_MAX,
	    "bytes        %s in, %s out", in, out);
	if (status->error[0] != '\0')
		snprintf(block->lines[block->n++], SCREEN_COLS_MAX,
		    "last error   %02d:%02d:%02d %.*s",
		    status->error_at.tm_hour, status->error_at.tm_min,
		    status->error_at.tm_sec, SCREEN_COLS_MAX - 32,
		    status->error);
	for (size_t i = 0; i < block->n; i++)
		screen_clean(block->lines[i], true);
}

/* --- when ------------------------------------------------------------------
 */

static void
wait_ms(struct status *status, uint64_t ms)
{
	struct timeval span = clock_span(ms);

	evtimer_add(&status->timer, &span);
}

static void
tell_traffic(struct status *status)
{
	struct traffic now;

	count(status, &now);
	if (memcmp(&now, &status->told, sizeof(now)) != 0)
		display_traffic(status->display, &now);
	status->told = now;
}

static void
timer_cb(int fd, short what, void *arg)
{
	struct status *status = arg;
	struct screen_block block;

	(void)fd;
	(void)what;
	if (status->screen == NULL) {
		tell_traffic(status);
		wait_ms(status, EVENTS_MS);
		return;
	}
	compose(status, &block);
	screen_draw(status->screen, &block);
	status->drawn_ms = clock_ms();
	wait_ms(status, TICK_MS);
}

/* Something has changed: it is drawn soon, or now if that is not too often. */
static void
touch(struct status *status)
{
	uint64_t due_ms = status->drawn_ms + DRAW_MS, now_ms = clock_ms();

	if (status->screen != NULL)
		wait_ms(status, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void
resumed_cb(int number, short what, void *arg)
{
	struct status *status = arg;

	(void)number;
	(void)what;
	screen_forget(status->screen);
	touch(status);
}

/* --- what is told ----------------------------------------------------------
 */

/* The row of that tunnel, a new one if need be; NULL if there are too many. */
static struct row *
find_row(struct status *status, const char *label)
{
	struct row *row;

	STAILQ_FOREACH (row, &status->rows, entry)
		if (row->label == label ||
		    (row->label != NULL && label != NULL &&
			strcmp(row->label, label) == 0))
			return row;
	if (status->rows_n == TUNNELS_MAX)
		return NULL;
	row = calloc(1, sizeof(*row));
	if (row == NULL)
		return NULL;
	row->label = label;
	STAILQ_INSERT_TAIL(&status->rows, row, entry);
	status->rows_n++;
	return row;
}

static void
set_state(struct status *status, const char *label, enum state state)
{
	struct row *row = find_row(status, label);

	if (row != NULL)
		row->state = state;
	touch(status);
}

void
status_up(struct status *status, const char *label, const char *url)
{
	struct row *row;

	if (status == NULL)
		return;
	row = find_row(status, label);
	if (row != NULL)
		snprintf(row->url, sizeof(row->url), "%s", url);
	set_state(status, label, ONLINE);
}

void
status_down(struct status *status, const char *label, const char *why)
{
	if (status == NULL)
		return;
	status_error(status, why);
	set_state(status, label, RECONNECTING);
}

void
status_over(struct status *status, const char *label)
{
	if (status != NULL)
		set_state(status, label, OVER);
}

void
status_retry(struct status *status, const char *label, const char *why)
{
	struct row *row;

	if (status == NULL)
		return;
	row = find_row(status, label);
	status_error(status, why);
	set_state(status, label,
	    row == NULL || row->url[0] == '\0' ? CONNECTING : RECONNECTING);
}

void
status_leave(struct status *status)
{
	struct row *row;

	if (status == NULL)
		return;
	STAILQ_FOREACH (row, &status->rows, entry)
		row->state = LEAVING;
	touch(status);
}

void
status_error(struct status *status, const char *text)
{
	time_t now = time(NULL);

	if (status == NULL)
		return;
	snprintf(status->error, sizeof(status->error), "%s", text);
	localtime_r(&now, &status->error_at);
	touch(status);
}

bool
status_print(struct status *status, const char *line)
{
	if (status == NULL || status->screen == NULL)
		return false;
	screen_print(status->screen, line);
	touch(status);
	return true;
}

void
status_make_way(struct status *status)
{
	if (status != NULL && status->screen != NULL) {
		screen_hide(status->screen);
		touch(status);
	}
}

struct status *
status_new(const struct client *client, const struct display *display)
{
	bool on_screen = !display->json && !display->quiet && !display->as_lt &&
			 screen_can(STDERR_FILENO);
	struct status *status;

	if (!on_screen && !display->json)
		return NULL;
	status = calloc(1, sizeof(*status));
	if (status == NULL)
		return NULL;
	status->client = client;
	status->display = display;
	STAILQ_INIT(&status->rows);
	evtimer_assign(&status->timer, client->base, timer_cb, status);
	evsignal_assign(
	    &status->resumed, client->base, SIGCONT, resumed_cb, status);
	if (on_screen && (status->screen = screen_new(STDERR_FILENO)) == NULL) {
		free(status);
		return NULL;
	}
	if (on_screen)
		evsignal_add(&status->resumed, NULL);
	wait_ms(status, on_screen ? 0 : EVENTS_MS);
	return status;
}

void
status_free(struct status *status)
{
	struct row *row;

	if (status == NULL)
		return;
	if (status->screen == NULL)
		tell_traffic(status);
	evtimer_del(&status->timer);
	event_del(&status->resumed);
	screen_free(status->screen);
	while ((row = STAILQ_FIRST(&status->rows)) != NULL) {
		STAILQ_REMOVE_HEAD(&status->rows, entry);
		free(row);
	}
	free(status);
}
