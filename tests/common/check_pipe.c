/* SPDX-License-Identifier: ISC
 *
 * The pool of pipes: its cap, and that nothing left in a pipe can ever reach
 * the next user.
 */
#define _GNU_SOURCE

#include "common/pipe.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

START_TEST(cap)
{
	struct pipe_pool *pool = pipe_pool_new(2, 65536);
	struct pipe a = PIPE_NONE, b = PIPE_NONE, c = PIPE_NONE;

	ck_assert_uint_eq(pipe_taken(pool), 0);
	ck_assert(pipe_take(pool, &a));
	ck_assert(pipe_take(pool, &b));
	ck_assert_uint_eq(pipe_taken(pool), 2);
	ck_assert(!pipe_take(pool, &c));
	ck_assert_int_eq(c.rd, -1);
	pipe_put(pool, &a);
	ck_assert_int_eq(a.rd, -1);
	ck_assert_uint_eq(pipe_taken(pool), 1);
	ck_assert(pipe_take(pool, &c));
	pipe_put(pool, &a); /* nothing */
	ck_assert_uint_eq(pipe_taken(pool), 2);
	pipe_put(pool, &b);
	pipe_put(pool, &c);
	ck_assert_uint_eq(pipe_taken(pool), 0);
	pipe_pool_free(pool);
}
END_TEST

START_TEST(none)
{
	struct pipe_pool *pool = pipe_pool_new(0, 65536);
	struct pipe a = PIPE_NONE;

	ck_assert(!pipe_take(pool, &a));
	pipe_pool_free(pool);
	pipe_pool_free(NULL);
}
END_TEST

/* An empty one is used again, non-blocking and close-on-exec. */
START_TEST(reused)
{
	struct pipe_pool *pool = pipe_pool_new(1, 65536);
	struct pipe a = PIPE_NONE;
	int rd;
	char c;

	ck_assert(pipe_take(pool, &a));
	rd = a.rd;
	ck_assert_uint_eq(a.len, 0);
	ck_assert_uint_ge(a.size, 4096);
	ck_assert_int_eq(read(a.rd, &c, 1), -1);
	ck_assert(fcntl(a.wr, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(a.rd, F_GETFD) & FD_CLOEXEC);
	pipe_put(pool, &a);
	ck_assert(pipe_take(pool, &a));
	ck_assert_int_eq(a.rd, rd);
	pipe_put(pool, &a);
	ck_assert_int_ne(fcntl(rd, F_GETFD), -1);
	pipe_pool_free(pool);
	ck_assert_int_eq(fcntl(rd, F_GETFD), -1);
}
END_TEST

START_TEST(leftover_is_destroyed)
{
	struct pipe_pool *pool = pipe_pool_new(1, 65536);
	struct pipe a = PIPE_NONE;
	int rd, wr;
	char c;

	ck_assert(pipe_take(pool, &a));
	rd = a.rd;
	wr = a.wr;
	ck_assert_int_eq(write(a.wr, "secret", 6), 6);
	a.len = 6;
	pipe_put(pool, &a);
	ck_assert_int_eq(fcntl(rd, F_GETFD), -1);
	ck_assert_int_eq(fcntl(wr, F_GETFD), -1);
	ck_assert_uint_eq(pipe_taken(pool), 0);
	ck_assert(pipe_take(pool, &a));
	ck_assert_int_eq(read(a.rd, &c, 1), -1);
	pipe_put(pool, &a);
	pipe_pool_free(pool);
}
END_TEST

/* A limit that comes later: what rests goes at once, what is taken when it is
 * put back. */
START_TEST(limit)
{
	struct pipe_pool *pool = pipe_pool_new(3, 65536);
	struct pipe p[3] = { PIPE_NONE, PIPE_NONE, PIPE_NONE };
	int rd[3];

	for (int i = 0; i < 3; i++) {
		ck_assert(pipe_take(pool, &p[i]));
		rd[i] = p[i].rd;
	}
	pipe_put(pool, &p[2]);
	pipe_pool_limit(pool, 1);
	ck_assert_int_eq(fcntl(rd[2], F_GETFD), -1);
	ck_assert_int_ne(fcntl(rd[1], F_GETFD), -1);
	ck_assert(!pipe_take(pool, &p[2]));
	pipe_put(pool, &p[1]);
	ck_assert_int_eq(fcntl(rd[1], F_GETFD), -1);
	pipe_put(pool, &p[0]);
	ck_assert_int_ne(fcntl(rd[0], F_GETFD), -1);
	ck_assert(pipe_take(pool, &p[0]));
	ck_assert_int_eq(p[0].rd, rd[0]);
	pipe_pool_limit(pool, 3);
	ck_assert(pipe_take(pool, &p[1]));
	pipe_put(pool, &p[0]);
	pipe_put(pool, &p[1]);
	pipe_pool_free(pool);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pipe");
	TCase *tc = tcase_create("pool");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, cap);
	tcase_add_test(tc, none);
	tcase_add_test(tc, reused);
	tcase_add_test(tc, leftover_is_destroyed);
	tcase_add_test(tc, limit);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
