/* SPDX-License-Identifier: ISC
 *
 * Certificates on their way through a memfd: what went in comes out, and
 * nothing that is not sound does.
 */
#define _GNU_SOURCE

#include "server/certs.h"

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEADER_LEN 16 /* magic, layout, pairs, tickets */
#define ROW_LEN	   16 /* four lengths */

static struct certs given;
static char why[TLS_WHY_MAX];

static void
setup(void)
{
	given = (struct certs){ .pairs_n = 2, .tickets_n = 2 };
	given.pairs[0] = (struct tls_pair){ "CERT", 4, "KEY", 3, "/a", "b" };
	given.pairs[1] =
	    (struct tls_pair){ "cert 2", 6, "key\0two", 7, "/c/d.pem", "/e" };
	memset(given.tickets[0].bytes, 1, TLS_TICKET_KEY_LEN);
	memset(given.tickets[1].bytes, 2, TLS_TICKET_KEY_LEN);
}

/* The bytes that certs_seal() makes of what is given; the caller frees them. */
static char *
packed(size_t *len)
{
	int fd = certs_seal(&given);
	char *bytes;

	ck_assert_int_ne(fd, -1);
	*len = (size_t)lseek(fd, 0, SEEK_END);
	bytes = malloc(*len);
	ck_assert_int_eq(pread(fd, bytes, *len, 0), *len);
	close(fd);
	return bytes;
}

static void
is_same(const struct certs *c)
{
	ck_assert_uint_eq(c->pairs_n, given.pairs_n);
	ck_assert_uint_eq(c->tickets_n, given.tickets_n);
	ck_assert_mem_eq(c->tickets, given.tickets, sizeof(c->tickets));
	for (size_t i = 0; i < c->pairs_n; i++) {
		const struct tls_pair *p = &c->pairs[i], *g = &given.pairs[i];

		ck_assert_uint_eq(p->cert_len, g->cert_len);
		ck_assert_mem_eq(p->cert, g->cert, g->cert_len);
		ck_assert_uint_eq(p->key_len, g->key_len);
		ck_assert_mem_eq(p->key, g->key, g->key_len);
		ck_assert_str_eq(p->cert_name, g->cert_name);
		ck_assert_str_eq(p->key_name, g->key_name);
	}
}

START_TEST(round_trip)
{
	const struct certs *c;
	int fd = certs_seal(&given);

	c = certs_open(fd, why);
	ck_assert_msg(c != NULL, "%s", why);
	close(fd);
	is_same(c);
	certs_close(c);
	certs_close(NULL);
}
END_TEST

START_TEST(as_many_as_there_can_be)
{
	char *big = calloc(1, CERTS_FILE_MAX), name[PATH_MAX];
	const struct certs *c;
	int fd;

	memset(name, 'n', sizeof(name));
	name[PATH_MAX - 1] = '\0';
	given.pairs_n = CONFIG_PAIRS_MAX;
	given.tickets_n = TLS_TICKET_KEYS;
	for (size_t i = 0; i < CONFIG_PAIRS_MAX; i++)
		given.pairs[i] = (struct tls_pair){ big, CERTS_FILE_MAX, big,
			CERTS_FILE_MAX, name, name };
	fd = certs_seal(&given);
	c = certs_open(fd, why);
	ck_assert_msg(c != NULL, "%s", why);
	is_same(c);
	certs_close(c);
	close(fd);
	free(big);
}
END_TEST

/* Nobody can change it behind the back of whoever reads it. */
START_TEST(sealed)
{
	int fd = certs_seal(&given);

	ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 1), -1);
	ck_assert_int_eq(ftruncate(fd, 1 << 20), -1);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, 0), -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
}
END_TEST

/* A memfd of these bytes and with these seals is refused. */
static void
refused(const void *bytes, size_t len, int seals)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(write(fd, bytes, len), len);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	why[0] = '\0';
	ck_assert_ptr_null(certs_open(fd, why));
	ck_assert_uint_gt(strlen(why), 0);
	close(fd);
}

START_TEST(not_sealed)
{
	static const int all[] = { F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW,
		F_SEAL_WRITE };
	size_t len;
	char *bytes = packed(&len);
	int pipes[2];

	for (size_t i = 0; i < 4; i++) {
		int seals = 0;

		for (size_t j = 0; j < 4; j++)
			if (j != i)
				seals |= all[j];
		refused(bytes, len, seals);
		ck_assert_str_eq(why, "it is not sealed");
	}
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_ptr_null(certs_open(pipes[0], why));
	ck_assert_ptr_null(certs_open(-1, why));
	close(pipes[0]);
	close(pipes[1]);
	free(bytes);
}
END_TEST

START_TEST(sizes)
{
	static const int seals =
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	refused("", 0, seals);
	refused("x", 1, seals);
	ck_assert_int_eq(ftruncate(fd, 65l << 20), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	ck_assert_ptr_null(certs_open(fd, why));
	ck_assert_ptr_nonnull(strstr(why, "size"));
	close(fd);
}
END_TEST

static void
unsound(const void *bytes, size_t len)
{
	struct certs c;

	ck_assert_ptr_nonnull(certs_parse(&c, bytes, len));
	ck_assert_uint_eq(c.pairs_n, 0);
}

/* A copy of its own of each length, so that a sanitizer sees every byte that is
 * read behind the end. */
START_TEST(truncated)
{
	size_t len;
	char *bytes = packed(&len), *copy;
	struct certs c;

	for (size_t n = 0; n < len; n++) {
		copy = malloc(n == 0 ? 1 : n);
		memcpy(copy, bytes, n);
		unsound(copy, n);
		free(copy);
	}
	ck_assert_ptr_null(certs_parse(&c, bytes, len));
	is_same(&c);
	copy = calloc(1, len + 1);
	memcpy(copy, bytes, len);
	unsound(copy, len + 1);
	free(copy);
	free(bytes);
}
END_TEST

/* Each number of the header and of the rows, replaced by each of these. */
START_TEST(lying_numbers)
{
	static const uint32_t lies[] = { 0, 1, 3, 5, 64, 65, 255, 4096, 4097,
		0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff };
	size_t len, numbers = (HEADER_LEN + 2 * ROW_LEN) / 4;
	char *bytes = packed(&len);
	uint32_t true_one;

	for (size_t i = 0; i < numbers; i++) {
		memcpy(&true_one, bytes + 4 * i, 4);
		for (size_t j = 0; j < sizeof(lies) / sizeof(lies[0]); j++) {
			if (lies[j] == true_one)
				continue;
			memcpy(bytes + 4 * i, &lies[j], 4);
			unsound(bytes, len);
		}
		memcpy(bytes + 4 * i, &true_one, 4);
	}
	free(bytes);
}
END_TEST

/* A name has its NUL at the end and nowhere else. */
START_TEST(names)
{
	size_t len;
	char *bytes = packed(&len);

	bytes[len - 1] = 'x';
	unsound(bytes, len);
	bytes[len - 1] = '\0';
	bytes[len - 2] = '\0';
	unsound(bytes, len);
	free(bytes);
}
END_TEST

START_TEST(no_context)
{
	ck_assert_ptr_null(certs_context(&given, "localhost", false, why));
	ck_assert_ptr_nonnull(strstr(why, "/a"));
	/* What is in the files is not told. */
	ck_assert_ptr_null(strstr(why, "CERT"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("certs");
	TCase *tcase = tcase_create("certs");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, round_trip);
	tcase_add_test(tcase, as_many_as_there_can_be);
	tcase_add_test(tcase, sealed);
	tcase_add_test(tcase, not_sealed);
	tcase_add_test(tcase, sizes);
	tcase_add_test(tcase, truncated);
	tcase_add_test(tcase, lying_numbers);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, no_context);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
