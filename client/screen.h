/* SPDX-License-Identifier: ISC
 *
 * A block of lines at the bottom of the terminal that is written in place
 * again and again, while other lines scroll by above it.
 *
 * What is above goes out together with the block, in one write, a few times a
 * second at most, so that nothing flickers. A terminal that was stopped (^S)
 * stops nobody: what does not fit in the meantime is dropped. While somebody
 * else has the terminal, as a shell does before which the program runs in the
 * background, there is no block.
 */
#ifndef LT_CLIENT_SCREEN_H
#define LT_CLIENT_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

struct screen;

#define SCREEN_LINES_MAX 16    /* of the block */
#define SCREEN_COLS_MAX	 256   /* of a line of it, NUL included */
#define SCREEN_COLS_MIN	 20    /* of a terminal that has room for a block */
#define SCREEN_QUEUE_MAX 65536 /* bytes above it that wait */

struct screen_block {
	char lines[SCREEN_LINES_MAX][SCREEN_COLS_MAX];
	size_t n;
};

/* True if that is a terminal on which the cursor can be moved. */
bool screen_can(int fd);

/* Draws on that descriptor, which is borrowed. NULL if there is no memory. */
struct screen *screen_new(int fd);

/* Writes what waits, and takes the block away. NULL is fine. */
void screen_free(struct screen *);

/* A line for above the block, without its end; goes out with the next draw. */
void screen_print(struct screen *, const char *line);

/* Writes what waits, and the block if it has changed. */
void screen_draw(struct screen *, const struct screen_block *);

/* Writes what waits and takes the block away, until the next draw: somebody
 * else is about to write. */
void screen_hide(struct screen *);

/* The cursor is not where it was left: others have written. */
void screen_forget(struct screen *);

/* How many rows lines of these lengths take up on a terminal that has been
 * made `cols` wide since they were written. */
size_t screen_rows(const size_t *lens, size_t n, size_t cols);

/* Makes text harmless for terminals: what could control one becomes '?'. With
 * `ascii` all is that is not ASCII. In place. */
void screen_clean(char *text, bool ascii);

#endif
