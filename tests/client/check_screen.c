/* SPDX-License-Identifier: ISC
 *
 * The block at the bottom of a terminal, byte by byte, on a terminal that the
 * test has made.
 */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "client/screen.h"

static int terminal, reader;
static struct screen *screen;
static struct screen_block block;
static char seen[4 * SCREEN_QUEUE_MAX];

static void
resize(unsigned short cols, unsigned short rows)
{
	struct winsize size = { .ws_col = cols, .ws_row = rows };

	ck_assert_int_eq(ioctl(terminal, TIOCSWINSZ, &size), 0);
}

static void
setup(void)
{
	struct termios raw;

	reader = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ne(reader, -1);
	ck_assert_int_eq(grantpt(reader), 0);
	ck_assert_int_eq(unlockpt(reader), 0);
	terminal = open(ptsname(reader), O_RDWR | O_NOCTTY);
	ck_assert_int_ne(terminal, -1);
	ck_assert_int_eq(tcgetattr(terminal, &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(terminal, TCSANOW, &raw), 0);
	resize(40, 24);
	screen = screen_new(terminal);
	ck_assert_ptr_nonnull(screen);
	memset(&block, 0, sizeof(block));
}

static void
teardown(void)
{
	screen_free(screen);
	close(terminal);
	close(reader);
}

/* What has been written since the last call. */
static const char *
written(void)
{
	struct pollfd fd = { .fd = reader, .events = POLLIN };
	size_t len = 0;
	ssize_t n;

	while (poll(&fd, 1, 0) == 1) {
		n = read(reader, seen + len, sizeof(seen) - 1 - len);
		ck_assert_int_gt(n, 0);
		len += (size_t)n;
	}
	seen[len] = '\0';
	return seen;
}

static void
set_block(const char *first, const char *second)
{
	strcpy(block.lines[0], first);
	strcpy(block.lines[1], second);
	block.n = 2;
}

START_TEST(in_place)
{
	set_block("one", "two");
	screen_draw(screen, &block);
	ck_assert_str_eq(written(), "\rone\x1b[K\r\ntwo\x1b[K\r\n\x1b[J");
	/* Nothing has changed. */
	screen_draw(screen, &block);
	ck_assert_str_eq(written(), "");
	set_block("one", "three");
	screen_draw(screen, &block);
	ck_assert_str_eq(
	    written(), "\r\x1b[2Aone\x1b[K\r\nthree\x1b[K\r\n\x1b[J");
	screen_hide(screen);
	ck_assert_str_eq(written(), "\r\x1b[2A\x1b[J");
	screen_hide(screen);
	ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(lines_above)
{
	set_block("one", "two");
	screen_draw(screen, &block);
	written();
	screen_print(screen, "above");
	screen_print(screen, "and more");
	ck_assert_str_eq(written(), "");
	screen_draw(screen, &block);
	ck_assert_str_eq(written(), "\r\x1b[2A"
				    "above\x1b[K\r\nand more\x1b[K\r\n"
				    "one\x1b[K\r\ntwo\x1b[K\r\n\x1b[J");
	/* The last words come out too. */
	screen_print(screen, "end");
	screen_free(screen);
	screen = NULL;
	ck_assert_str_eq(written(), "\r\x1b[2A"
				    "end\x1b[K\r\n\x1b[J");
}
END_TEST

START_TEST(width)
{
	memset(block.lines[0], 'x', 100);
	block.n = 1;
	screen_draw(screen, &block);
	written();
	ck_assert_uint_eq(strspn(seen + 1, "x"), 39);
	/* It takes two rows of the narrow one now. */
	resize(30, 24);
	screen_draw(screen, &block);
	ck_assert_ptr_eq(strstr(written(), "\r\x1b[2A\x1b[J"), seen);
	ck_assert_uint_eq(strspn(seen + 8, "x"), 29);
	/* No room: it goes, and only lines above are written. */
	resize(SCREEN_COLS_MIN - 1, 24);
	screen_draw(screen, &block);
	ck_assert_str_eq(written(), "\r\x1b[2A\x1b[J\x1b[J");
	screen_print(screen, "above");
	screen_draw(screen, &block);
	ck_assert_str_eq(written(), "above\x1b[K\r\n\x1b[J");
	resize(80, 2);
	screen_draw(screen, &block);
	ck_assert_str_eq(written(), "");
	resize(80, 3);
	screen_draw(screen, &block);
	ck_assert_uint_eq(strspn(written() + 1, "x"), 79);
}
END_TEST

START_TEST(forgotten)
{
	set_block("one", "two");
	screen_draw(screen, &block);
	written();
	screen_forget(screen);
	screen_draw(screen, &block);
	ck_assert_str_eq(written(), "\rone\x1b[K\r\ntwo\x1b[K\r\n\x1b[J");
}
END_TEST

/* A terminal that was stopped, as with ^S: nobody waits for it, and what does
 * not fit is dropped. */
START_TEST(stopped)
{
	char line[1001];
	int i;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	set_block("one", "two");
	ck_assert_int_eq(tcflow(terminal, TCOOFF), 0);
	for (i = 0; i < 200; i++) {
		screen_print(screen, line);
		screen_draw(screen, &block);
	}
	screen_hide(screen);
	ck_assert_int_eq(tcflow(terminal, TCOON), 0);
	ck_assert_str_eq(written(), "");
	fcntl(terminal, F_SETFL, O_NONBLOCK);
	screen_draw(screen, &block);
	ck_assert_ptr_eq(strstr(written(), "\rxxx"), seen);
	ck_assert_uint_le(strlen(seen), SCREEN_QUEUE_MAX + 1000);
}
END_TEST

static const struct {
	const char *in, *all, *ascii;
} texts[] = {
	{ "plain ~", "plain ~", "plain ~" },
	{ "\x1b[2J\r\n\t\x7f", "?[2J????", "?[2J????" },
	{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr????" },
	/* CSI as one byte, alone and in UTF-8. */
	{ "a\x9b"
	  "2J",
	    "a?2J", "a?2J" },
	{ "\xc2\x9b"
	  "2J",
	    "\xc2?2J", "??2J" },
};

START_TEST(clean)
{
	char text[32];

	strcpy(text, texts[_i].in);
	screen_clean(text, false);
	ck_assert_str_eq(text, texts[_i].all);
	strcpy(text, texts[_i].in);
	screen_clean(text, true);
	ck_assert_str_eq(text, texts[_i].ascii);
	screen_print(screen, texts[_i].in);
	screen_hide(screen);
	written();
	ck_assert_ptr_eq(strstr(seen, texts[_i].all), seen);
}
END_TEST

START_TEST(rows)
{
	static const size_t lens[] = { 0, 1, 9, 10, 11, 20, 21 };

	ck_assert_uint_eq(screen_rows(lens, 0, 10), 0);
	ck_assert_uint_eq(screen_rows(lens, 4, 10), 4);
	ck_assert_uint_eq(screen_rows(lens, 7, 10), 4 + 2 + 2 + 3);
	ck_assert_uint_eq(screen_rows(lens, 7, 80), 7);
}
END_TEST

START_TEST(terminals)
{
	int pipe_fds[2];

	ck_assert_int_eq(pipe(pipe_fds), 0);
	setenv("TERM", "xterm", 1);
	ck_assert(screen_can(terminal));
	ck_assert(!screen_can(pipe_fds[1]));
	setenv("TERM", "dumb", 1);
	ck_assert(!screen_can(terminal));
	setenv("TERM", "", 1);
	ck_assert(!screen_can(terminal));
	unsetenv("TERM");
	ck_assert(!screen_can(terminal));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("screen");
	TCase *tcase = tcase_create("screen");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, in_place);
	tcase_add_test(tcase, lines_above);
	tcase_add_test(tcase, width);
	tcase_add_test(tcase, forgotten);
	tcase_add_test(tcase, stopped);
	tcase_add_loop_test(
	    tcase, clean, 0, (int)(sizeof(texts) / sizeof(texts[0])));
	tcase_add_test(tcase, rows);
	tcase_add_test(tcase, terminals);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
