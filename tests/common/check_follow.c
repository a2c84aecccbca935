/* SPDX-License-Identifier: ISC
 *
 * Requests in a row, however they arrive; what a chunked body may look like;
 * and the answers to requests, as far as they are followed.
 */
#include "common/follow.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST	 "Host: a.example\r\n"
#define CHUNKED	 "POST /c HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) s, sizeof(s) - 1

static struct http_head head;

/* --- requests ------------------------------------------------------------ */

/*
 * Walks along `text`, which arrives `piece` bytes at a time, and writes each
 * head as "PATH(", its body bytes, ")"; then "bad", or "more" if a head has
 * begun.
 */
static const char *
walk(const char *text, size_t len, size_t piece)
{
	static char trace[4096];
	struct follow f;
	size_t used, at = 0, have = 0, n = 0, body = 0;
	enum follow_step step = FOLLOW_BODY;

	follow_init(&f);
	trace[0] = '\0';
	while (at < len && step != FOLLOW_BAD) {
		if (step == FOLLOW_MORE || at == have)
			have = have + piece < len ? have + piece : len;
		step = follow_next(&f, text + at, have - at, &head, &used);
		if (step == FOLLOW_HEAD) {
			if (n > 0)
				n += (size_t)sprintf(trace + n, "%zu)", body);
			n += (size_t)sprintf(trace + n, "%.*s(",
			    (int)head.path.len, head.path.at);
			body = 0;
		} else if (step == FOLLOW_BODY) {
			ck_assert_uint_gt(used, 0);
			body += used;
		} else {
			ck_assert_uint_eq(used, 0);
			if (step == FOLLOW_MORE && have == len)
				break;
		}
		at += used;
	}
	if (n > 0 && step != FOLLOW_BAD)
		n += (size_t)sprintf(trace + n, "%zu)", body);
	if (step == FOLLOW_BAD || step == FOLLOW_MORE)
		sprintf(trace + n, "%s", step == FOLLOW_BAD ? "bad" : "more");
	return trace;
}

/* The same, whatever the size of the pieces. */
static void
walks(const char *text, size_t len, const char *expected)
{
	for (size_t piece = 1; piece <= len; piece++)
		ck_assert_msg(strcmp(walk(text, len, piece), expected) == 0,
		    "%s\nby %zu: %s, not %s", text, piece,
		    walk(text, len, piece), expected);
}

START_TEST(pipelined)
{
	static const char text[] =
	    "GET /1 HTTP/1.1\r\n" HOST "\r\n"
	    "PUT /2 HTTP/1.1\r\n" HOST "Content-Length: 20\r\n\r\n"
	    "GET / HTTP/1.1\r\n\r\n\0\n"
	    "GET /3 HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n" CHUNKED
	    "3\r\n\r\n\0\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nT: v\r\n\r\n"
	    "GET /4 HTTP/1.0\r\n" HOST "Connection: close\r\n\r\n"
	    "GET /5 HTTP/1.1\r\n" HOST "Upgrade: a\r\n"
	    "Connection: upgrade\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "1\r\nx\r\n0\r\n\r\n"
	    "GET /6 HTTP/1.1\r\nHo";

	walks(BYTES(text), "/1(0)/2(20)/3(0)/c(40)/4(0)/5(11)more");
}
END_TEST

START_TEST(bad_in_the_row)
{
	walks(BYTES("GET /1 HTTP/1.1\r\n" HOST "\r\n"
		    "GET /2 HTTP/1.1\r\n\r\n"),
	    "/1(bad");
	ck_assert_int_eq(head.status, 400);
	walks(BYTES("GET /1 HTTP/1.1\r\n" HOST "\r\n\r\n"), "/1(bad");
	walks(BYTES(CHUNKED "0\r\n\r\n\r\nGET /2 HTTP/1.1\r\n"), "/c(bad");
}
END_TEST

START_TEST(body_passed_unseen)
{
	static const char text[] = "PUT / HTTP/1.1\r\n" HOST
				   "Content-Length: 1000000000000\r\n\r\nxyz";
	size_t len = sizeof(text) - 1, used;
	struct follow f;

	follow_init(&f);
	ck_assert_int_eq(follow_next(&f, text, len, &head, &used), FOLLOW_HEAD);
	ck_assert_uint_eq(used, len - 3);
	ck_assert_int_eq(
	    follow_next(&f, text + used, 3, &head, &used), FOLLOW_BODY);
	ck_assert_uint_eq(used, 3);
	ck_assert_uint_eq(f.body_left, 1000000000000 - 3);
	f.body_left = 2;
	ck_assert_int_eq(
	    follow_next(&f, "xyGET / HT", 10, &head, &used), FOLLOW_BODY);
	ck_assert_uint_eq(used, 2);
	ck_assert_int_eq(
	    follow_next(&f, "GET / HT", 8, &head, &used), FOLLOW_MORE);
	ck_assert(!f.is_chunked);
}
END_TEST

static const struct {
	const char *text;
	size_t len;
} good_chunks[] = {
	{ BYTES("0\r\n\r\n") },
	{ BYTES("000\r\n\r\n") },
	{ BYTES("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n") },
	{ BYTES("0;a\r\n\r\n") },
	{ BYTES("0;a=\"b\";c=d\r\n\r\n") },
	{ BYTES("0\r\nTrailer: value\r\nEmpty:\r\n\r\n") },
	{ BYTES("2\r\n\r\r\r\n2\r\n\n\n\r\n1\r\n\0\r\n0\r\n\r\n") },
};

static const struct {
	const char *text;
	size_t len;
} bad_chunks[] = {
	{ BYTES("\r\n0\r\n\r\n") },
	{ BYTES("x\r\n\r\n") },
	{ BYTES("-1\r\n\r\n") },
	{ BYTES("+1\r\nx\r\n0\r\n\r\n") },
	{ BYTES("0x1\r\nx\r\n0\r\n\r\n") },
	{ BYTES(" 1\r\nx\r\n0\r\n\r\n") },
	{ BYTES("\t1\r\nx\r\n0\r\n\r\n") },
	{ BYTES("1\nx\r\n0\r\n\r\n") },
	{ BYTES("1\rx\r\n0\r\n\r\n") },
	{ BYTES("1\r\r\nx\r\n0\r\n\r\n") },
	{ BYTES("1\r\nxy\r\n0\r\n\r\n") },
	{ BYTES("1\r\nx\n0\r\n\r\n") },
	{ BYTES("1\r\nx\r0\r\n\r\n") },
	{ BYTES("1\r\nx0\r\n\r\n") },
	{ BYTES("1\r\n\r\n0\r\n\r\n") },
	{ BYTES("1;\0\r\nx\r\n0\r\n\r\n") },
	{ BYTES("1;a\nx\r\n0\r\n\r\n") },
	{ BYTES("1;a\rx\r\n0\r\n\r\n") },
	{ BYTES("1;a=\"\r\"\r\nx\r\n0\r\n\r\n") },
	{ BYTES("1;a=\"\n\"\r\nx\r\n0\r\n\r\n") },
	{ BYTES("1;a=\x01\r\nx\r\n0\r\n\r\n") },
	{ BYTES("0\r\n\n") },
	{ BYTES("0\n\r\n") },
	{ BYTES("0\n\n") },
	{ BYTES("0\r\nT: v\n\r\n") },
	{ BYTES("0\r\nT: v\r\n\n") },
	{ BYTES("0\r\nT: v\rU: w\r\n\r\n") },
	{ BYTES("0\r\nT: v\r\n w\r\n\r\n") },
	{ BYTES("0\r\n T: v\r\n\r\n") },
	{ BYTES("0\r\nT : v\r\n\r\n") },
	{ BYTES("0\r\nT: \0\r\n\r\n") },
	{ BYTES("0\r\nT: \x0b\r\n\r\n") },
	{ BYTES("0\r\nT: \x7f\r\n\r\n") },
	{ BYTES("0\r\nT\r\n\r\n") },
	{ BYTES("0\r\n: v\r\n\r\n") },
	{ BYTES("8000000000000000\r\nx") },
	{ BYTES("ffffffffffffffff\r\nx") },
	{ BYTES("10000000000000000\r\nx") },
	{ BYTES("10000000000000001\r\nx\r\n0\r\n\r\n") },
};

/* Behind the head, in pieces of any size, with another request behind it. */
static void
chunks(const char *text, size_t len, const char *format)
{
	char all[512], expected[64];
	size_t start = strlen(CHUNKED);
	const char next[] = "GET /n HTTP/1.1\r\n" HOST "\r\n";

	memcpy(all, CHUNKED, start);
	memcpy(all + start, text, len);
	memcpy(all + start + len, next, sizeof(next));
	snprintf(expected, sizeof(expected), format, len);
	walks(all, start + len + sizeof(next) - 1, expected);
}

START_TEST(chunks_taken)
{
	chunks(good_chunks[_i].text, good_chunks[_i].len, "/c(%zu)/n(0)");
}
END_TEST

START_TEST(chunks_refused)
{
	chunks(bad_chunks[_i].text, bad_chunks[_i].len, "/c(bad");
	ck_assert_int_eq(head.status, 400);
	ck_assert_ptr_nonnull(head.why);
}
END_TEST

/* A chunked request whose body is `text` n times and then `end`. */
static bool
is_taken(const char *text, size_t n, const char *end, size_t piece)
{
	size_t len = strlen(CHUNKED) + n * strlen(text) + strlen(end);
	char *all = malloc(len + 1), *at = stpcpy(all, CHUNKED);
	const char *trace;

	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, text);
	strcpy(at, end);
	trace = walk(all, len, piece);
	free(all);
	return strstr(trace, "bad") == NULL;
}

/* "0\r\n" and the blank line count too. */
START_TEST(trailers_bounded)
{
	const char *name = "T: 89abcdef0123\r\n"; /* 17 bytes */
	size_t n = (HTTP_HEAD_MAX - 5) / 17;

	for (size_t piece = 1; piece < 20000; piece = piece * 7 + 1) {
		ck_assert(is_taken("", 0, "0\r\n\r\n", piece));
		ck_assert(!is_taken(name, 1, "", piece));
		ck_assert(is_taken("1\r\nx\r\n", 1, "0\r\n\r\n", piece));
	}
	for (size_t extra = 0; extra < 2; extra++) {
		size_t len = 3 + (n + extra) * 17 + 2;
		char *end = malloc(len + 1), *at = stpcpy(end, "0\r\n");

		for (size_t i = 0; i < n + extra; i++)
			at = stpcpy(at, name);
		strcpy(at, "\r\n");
		ck_assert_int_eq(is_taken("", 0, end, len), extra == 0);
		ck_assert_int_eq(is_taken("", 0, end, 100), extra == 0);
		free(end);
	}
}
END_TEST

START_TEST(extensions_bounded)
{
	const char *wordy = "1;a=0123456789012345678901234567890\r\nx\r\n";
	const char *terse = "1\r\nx\r\n";

	ck_assert(is_taken(terse, 20000, "0\r\n\r\n", 4096));
	ck_assert(is_taken(wordy, 100, "0\r\n\r\n", 4096));
	ck_assert(!is_taken(wordy, 1000, "0\r\n\r\n", 4096));
	ck_assert(!is_taken(wordy, 1000, "0\r\n\r\n", 100000));
	ck_assert(!is_taken(wordy, 1000, "0\r\n\r\n", 7));
}
END_TEST

/* --- answers ------------------------------------------------------------- */

/*
 * Feeds answers to requests, whose methods are the letters of `requests` (H
 * for HEAD), in pieces; writes each news as "STATUS", "f" if final, "d" if
 * done, and at the end what was not used, or "bad".
 */
static const char *
answers(const char *requests, const char *text, size_t piece)
{
	static char trace[1024];
	size_t len = strlen(text), at = 0, n = 0, used;
	struct answer a;
	enum http_result r = HTTP_MORE;

	answer_init(&a);
	answer_next(&a, *requests == 'H');
	trace[0] = '\0';
	while (at < len && *requests != '\0') {
		size_t rest = len - at < piece ? len - at : piece;

		r = answer_feed(&a, text + at, rest, &used);
		if (r == HTTP_BAD)
			return strcat(trace, "bad");
		at += used;
		if (r == HTTP_MORE) {
			ck_assert_uint_eq(used, rest);
			continue;
		}
		n += (size_t)sprintf(trace + n, "%d%s%s ", a.status,
		    a.is_final ? "f" : "", a.is_done ? "d" : "");
		if (a.is_done && *++requests != '\0')
			answer_next(&a, *requests == 'H');
	}
	sprintf(trace + n, "+%zu", len - at);
	return trace;
}

static const struct {
	const char *requests, *text, *trace;
} rows[] = {
	{ "G", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/",
	    "200f 200fd +5" },
	{ "GG",
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	    "HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\nx",
	    "200fd 404f 404fd +0" },
	{ "HG",
	    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
	    "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
	    "200fd 304fd +0" },
	{ "HG",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "HTTP/1.1 204 No Content\r\n\r\n",
	    "200fd 204fd +0" },
	{ "GG",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n0\r\nT: v\r\n\r\n"
	    "HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n",
	    "200f 200fd 201fd +0" },
	{ "G",
	    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
	    "100 103 200f 200fd +0" },
	{ "G",
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: upgrade\r\n\r\n\x81\x05hello",
	    "101fd +7" },
	{ "G",
	    "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"
	    "Content-Length: 2\r\n\r\nab",
	    "200f 200fd +0" },
	{ "G", "HTTP/1.0 200 OK\r\n\r\nup to the end HTTP/1.1 200 OK\r\n\r\n",
	    "200f +0" },
	{ "GG",
	    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	    "200f 200fd 200fd +0" },
	{ "G", "HTTP/1.1 200 OK\r\nX: a\x01\x02\r\nContent-Length: 0\r\n\r\n",
	    "200fd +0" },
	{ "G", "SSH-2.0-x\r\n", "bad" },
	{ "G", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "bad" },
	{ "G", "HTTP/1.1 200 OK", "+0" },
};

START_TEST(answer_rows)
{
	for (size_t piece = 1; piece <= strlen(rows[_i].text); piece++)
		ck_assert_str_eq(
		    answers(rows[_i].requests, rows[_i].text, piece),
		    rows[_i].trace);
}
END_TEST

/* Bytes that answer no request. */
START_TEST(answer_too_many)
{
	static const char text[] = "HTTP/1.1 204 No Content\r\n\r\n";
	size_t len = sizeof(text) - 1, used;
	struct answer a;

	answer_init(&a);
	ck_assert_int_eq(answer_feed(&a, text, len, &used), HTTP_OK);
	ck_assert(a.is_done);
	ck_assert_uint_eq(used, len);
	ck_assert_int_eq(answer_feed(&a, text, len, &used), HTTP_BAD);
	ck_assert_uint_eq(used, 0);
	ck_assert_int_eq(a.status, 204);
	answer_next(&a, false);
	ck_assert(!a.is_done && !a.is_final);
	ck_assert_int_eq(answer_feed(&a, text, len, &used), HTTP_OK);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("follow");
	TCase *tc = tcase_create("follow");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, pipelined);
	tcase_add_test(tc, bad_in_the_row);
	tcase_add_test(tc, body_passed_unseen);
	tcase_add_loop_test(tc, chunks_taken, 0, COUNT(good_chunks));
	tcase_add_loop_test(tc, chunks_refused, 0, COUNT(bad_chunks));
	tcase_add_test(tc, trailers_bounded);
	tcase_add_test(tc, extensions_bounded);
	tcase_add_loop_test(tc, answer_rows, 0, COUNT(rows));
	tcase_add_test(tc, answer_too_many);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
