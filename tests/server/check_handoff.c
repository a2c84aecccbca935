/* SPDX-License-Identifier: ISC
 *
 * From one program to the next: descriptors pass, and no others; what does not
 * fit is refused.
 */
#define _GNU_SOURCE

#include "server/handoff.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/sealed.h"

#define VARIABLE "LTSERVER_HANDOFF"

static char why[HANDOFF_WHY_MAX];

static bool
is_closed_on_exec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	ck_assert_int_ne(flags, -1);
	return (flags & FD_CLOEXEC) != 0;
}

START_TEST(passes)
{
	int a = open("/dev/null", O_RDONLY | O_CLOEXEC), state;
	int b = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct handoff *h = handoff_new();
	json_t *part = json_object();

	handoff_put_fd(h, part, "fd", a);
	handoff_put_fd(h, part, "none", -1);
	json_object_set_new(handoff_root(h), "part", part);
	state = handoff_seal(h);
	ck_assert_int_ne(state, -1);
	handoff_open_way(h, state);
	ck_assert(!is_closed_on_exec(a) && !is_closed_on_exec(state));
	ck_assert(is_closed_on_exec(b));
	handoff_close_way(h, state);
	ck_assert(is_closed_on_exec(a) && is_closed_on_exec(state));
	ck_assert_pstr_eq(getenv(VARIABLE), NULL);
	handoff_open_way(h, state);
	handoff_free(h);
	/* As the next program does. */
	h = handoff_take(why);
	ck_assert_msg(h != NULL, "%s", why);
	ck_assert_int_eq(fcntl(state, F_GETFD), -1);
	part = json_object_get(handoff_root(h), "part");
	ck_assert_int_eq(handoff_take_fd(part, "fd"), a);
	ck_assert(is_closed_on_exec(a));
	ck_assert_int_eq(handoff_take_fd(part, "none"), -1);
	ck_assert_int_eq(handoff_take_fd(part, "nothing"), -1);
	ck_assert_int_eq(handoff_take_fd(NULL, "fd"), -1);
	close(a);
	ck_assert_int_eq(handoff_take_fd(part, "fd"), -1);
	handoff_free(h);
	handoff_free(NULL);
	close(b);
}
END_TEST

/* There is nothing: no fault. */
START_TEST(nothing)
{
	unsetenv(VARIABLE);
	ck_assert_ptr_null(handoff_take(why));
	ck_assert_str_eq(why, "");
}
END_TEST

static void
refused(const char *text)
{
	int fd = sealed_begin("state");
	char number[16];

	fd = sealed_end(fd, sealed_put(fd, text, strlen(text)));
	snprintf(number, sizeof(number), "%d", fd);
	setenv(VARIABLE, number, 1);
	ck_assert_ptr_null(handoff_take(why));
	ck_assert_msg(strstr(why, "layout") != NULL, "%s", why);
}

START_TEST(does_not_fit)
{
	struct handoff *h = handoff_new();
	json_t *root = handoff_root(h), *layout;
	char *text;

	refused("{");
	refused("{}");
	refused("[]");
	layout = json_object_get(root, "layout");
	ck_assert_uint_gt(json_array_size(layout), 4);
	for (size_t i = 0; i < json_array_size(layout); i++) {
		json_t *n = json_array_get(layout, i);
		json_int_t was = json_integer_value(n);

		json_integer_set(n, was + 8);
		text = json_dumps(root, 0);
		refused(text);
		free(text);
		json_integer_set(n, was);
	}
	json_object_set_new(root, "magic", json_string("something else"));
	text = json_dumps(root, 0);
	refused(text);
	free(text);
	handoff_free(h);
}
END_TEST

/* A number that leads nowhere, or to what is not sealed. */
START_TEST(not_sealed)
{
	setenv(VARIABLE, "0", 1);
	ck_assert_ptr_null(handoff_take(why));
	ck_assert_msg(strstr(why, "sealed") != NULL, "%s", why);
	setenv(VARIABLE, "999999", 1);
	ck_assert_ptr_null(handoff_take(why));
	ck_assert_uint_gt(strlen(why), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("handoff");
	TCase *tc = tcase_create("handoff");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, passes);
	tcase_add_test(tc, nothing);
	tcase_add_test(tc, does_not_fit);
	tcase_add_test(tc, not_sealed);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
