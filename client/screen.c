/* SPDX-License-Identifier: ISC
 *
 * Draws with nothing but carriage return, cursor up, and erasing to the end of
 * the line and of the screen, which all terminals have. Called by status and
 * display. Knows nothing of what the lines mean.
 *
 * Between two calls the cursor is at the start of the row below the block.
 */
#include "client/screen.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ROWS_SPARE 2 /* besides the block: what is above, and the cursor's */
#define OUT_MAX                                                                \
	(SCREEN_QUEUE_MAX + SCREEN_LINES_MAX * (SCREEN_COLS_MAX + 8) + 64)

struct screen {
	int fd;
	size_t lens[SCREEN_LINES_MAX]; /* of the lines that are there */
	size_t n;
	struct screen_block block; /* of which these are */
	size_t cols;		   /* for which they were cut */
	char queue[SCREEN_QUEUE_MAX];
	size_t queue_len;
	char out[OUT_MAX]; /* what is being written */
	size_t out_len;
};

bool
screen_can(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term != NULL && term[0] != '\0' &&
	       strcmp(term, "dumb") != 0;
}

void
screen_clean(char *text, bool ascii)
{
	unsigned char *at, before = 0;

	for (at = (unsigned char *)text; *at != '\0'; at++) {
		/* 0x80 to 0x9f control terminals too, by themselves and, in
		 * UTF-8, behind 0xc2. */
		if (*at < 0x20 || *at == 0x7f || (ascii && *at >= 0x80) ||
		    (*at >= 0x80 && *at < 0xa0 &&
			(before < 0x80 || before == 0xc2)))
			*at = '?';
		before = *at;
	}
}

size_t
screen_rows(const size_t *lens, size_t n, size_t cols)
{
	size_t rows = 0;

	for (size_t i = 0; i < n; i++)
		rows += lens[i] == 0 ? 1 : (lens[i] + cols - 1) / cols;
	return rows;
}

/* The size of the terminal now. */
static void
measure(const struct screen *screen, size_t *cols, size_t *rows)
{
	struct winsize size;

	*cols = 80;
	*rows = 24;
	if (ioctl(screen->fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
	    size.ws_row > 0) {
		*cols = size.ws_col;
		*rows = size.ws_row;
	}
}

/* True unless the terminal belongs to another process group, or was stopped. */
static bool
may_write(const struct screen *screen, bool *is_ours)
{
	struct pollfd room = { .fd = screen->fd, .events = POLLOUT };
	pid_t group = tcgetpgrp(screen->fd);

	*is_ours = group == -1 || group == getpgrp();
	return poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) != 0;
}

static void
put(struct screen *screen, const char *text, size_t len)
{
	if (len > OUT_MAX - screen->out_len)
		return;
	memcpy(screen->out + screen->out_len, text, len);
	screen->out_len += len;
}

static void
put_text(struct screen *screen, const char *text)
{
	put(screen, text, strlen(text));
}

/* To where the block begins. What a change of the width has made of it goes
 * first: rows that terminals take for one line would be joined again. */
static void
put_home(struct screen *screen, size_t cols)
{
	size_t rows = screen_rows(screen->lens, screen->n, cols);
	char up[32];

	put_text(screen, "\r");
	if (rows > 0) {
		snprintf(up, sizeof(up), "\x1b[%zuA", rows);
		put_text(screen, up);
		if (screen->cols != cols)
			put_text(screen, "\x1b[J");
	}
	screen->n = 0;
}

static void
put_block(struct screen *screen, const struct screen_block *block, size_t cols)
{
	size_t len;

	for (size_t i = 0; i < block->n; i++) {
		/* One column less: the cursor must not hang at the edge. */
		len = strnlen(block->lines[i], cols - 1);
		put(screen, block->lines[i], len);
		put_text(screen, "\x1b[K\r\n");
		screen->lens[i] = len;
	}
	screen->n = block->n;
	screen->cols = cols;
	screen->block = *block;
}

/* A line of the queue takes the place of one of the block. */
static void
put_queue(struct screen *screen)
{
	const char *at = screen->queue, *end;

	for (; at < screen->queue + screen->queue_len; at = end + 1) {
		end = memchr(
		    at, '\n', screen->queue_len - (size_t)(at - screen->queue));
		put(screen, at, (size_t)(end - at));
		put_text(screen, "\x1b[K\r\n");
	}
	screen->queue_len = 0;
}

/* All at once; what goes wrong is nobody's business. */
static void
flush(struct screen *screen)
{
	ssize_t n, at = 0;

	while (at < (ssize_t)screen->out_len) {
		n = write(
		    screen->fd, screen->out + at, screen->out_len - (size_t)at);
		if (n <= 0)
			break;
		at += n;
	}
	screen->out_len = 0;
}

static bool
is_same(
    const struct screen *screen, const struct screen_block *block, size_t cols)
{
	if (screen->n != block->n || screen->cols != cols)
		return false;
	for (size_t i = 0; i < block->n; i++)
		if (strcmp(screen->block.lines[i], block->lines[i]) != 0)
			return false;
	return true;
}

/* Writes what waits and, unless it is NULL, the block. */
static void
update(struct screen *screen, const struct screen_block *block)
{
	size_t cols, rows;
	bool is_ours;

	measure(screen, &cols, &rows);
	if (!may_write(screen, &is_ours))
		return;
	if (!is_ours)
		screen->n = 0;
	if (!is_ours || cols < SCREEN_COLS_MIN ||
	    (block != NULL && rows < block->n + ROWS_SPARE))
		block = NULL;
	if (screen->queue_len == 0 &&
	    (block == NULL ? screen->n == 0 : is_same(screen, block, cols)))
		return;
	if (screen->n > 0 || block != NULL)
		put_home(screen, cols);
	put_queue(screen);
	if (block != NULL)
		put_block(screen, block, cols);
	put_text(screen, "\x1b[J");
	flush(screen);
}

struct screen *
screen_new(int fd)
{
	struct screen *screen = calloc(1, sizeof(*screen));

	if (screen != NULL)
		screen->fd = fd;
	return screen;
}

void
screen_free(struct screen *screen)
{
	if (screen == NULL)
		return;
	screen_hide(screen);
	free(screen);
}

void
screen_print(struct screen *screen, const char *line)
{
	size_t len = strlen(line);
	char *at = screen->queue + screen->queue_len;

	if (len + 1 > SCREEN_QUEUE_MAX - screen->queue_len)
		return;
	memcpy(at, line, len + 1);
	screen_clean(at, false);
	at[len] = '\n';
	screen->queue_len += len + 1;
}

void
screen_draw(struct screen *screen, const struct screen_block *block)
{
	update(screen, block);
}

void
screen_hide(struct screen *screen)
{
	update(screen, NULL);
}

void
screen_forget(struct screen *screen)
{
	screen->n = 0;
}
