/* SPDX-License-Identifier: ISC */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/identity.h"
#include "client/options.h"

static char dir[] = "/tmp/lt-check.XXXXXX";
static struct options options;
static struct tunnel_options tunnel;
static struct identity identity;
static char label[SECRETS_TEXT_MAX];

static void
setup(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("XDG_STATE_HOME", dir, 1);
	memset(&options, 0, sizeof(options));
	memset(&tunnel, 0, sizeof(tunnel));
	tunnel.display.quiet = true;
	strcpy(options.server.authority, "example.com");
	ck_assert_int_eq(identity_init(&identity, &options, &tunnel, label), 0);
}

static void
teardown(void)
{
	char path[128];

	identity_fini(&identity);
	snprintf(path, sizeof(path), "%s/localtunnel/example.com,demo", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/localtunnel", dir);
	rmdir(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(made_up)
{
	ck_assert_str_eq(identity.name, "");
	ck_assert_uint_eq(strlen(identity.own_name), 12);
	ck_assert_str_ne(identity.client, "");
	ck_assert_str_eq(identity.secret, "");
	ck_assert_str_eq(identity.sni, "");
	ck_assert_str_eq(label, "");
	ck_assert_ptr_null(identity.secrets);
}
END_TEST

START_TEST(name)
{
	struct ltp_message reply = { .ext_name = "Given" };

	identity_take_name(&identity, "asked", &reply);
	ck_assert_str_eq(identity.name, "given");
	/* What is none, or not there, changes nothing. */
	reply.ext_name = "not a name";
	identity_take_name(&identity, "asked", &reply);
	ck_assert_str_eq(identity.name, "asked");
	reply.ext_name = NULL;
	identity_take_name(&identity, "other", &reply);
	ck_assert_str_eq(identity.name, "other");
}
END_TEST

START_TEST(secret)
{
	char longer[SECRETS_TEXT_MAX + 1];
	struct ltp_message reply = { .secret = "one" };

	ck_assert(identity_take_secret(&identity, &reply));
	ck_assert_str_eq(identity.secret, "one");
	ck_assert(!identity_take_secret(&identity, &reply));
	reply.secret = "two";
	ck_assert(identity_take_secret(&identity, &reply));
	ck_assert_str_eq(identity.secret, "two");
	/* None, or one that cannot be kept, is none. */
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	reply.secret = longer;
	ck_assert(identity_take_secret(&identity, &reply));
	ck_assert_str_eq(identity.secret, "");
	reply.secret = NULL;
	ck_assert(!identity_take_secret(&identity, &reply));
}
END_TEST

START_TEST(sni)
{
	static const char *const bad[] = { NULL, "", "label", "label.",
		"label.a b", "label.\n" };
	size_t i;

	identity_take_sni(&identity, "label.demo.example.com");
	ck_assert_str_eq(identity.sni, "demo.example.com");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		identity_take_sni(&identity, bad[i]);
		ck_assert_str_eq(identity.sni, "");
	}
}
END_TEST

START_TEST(kept_for_the_next_run)
{
	struct ltp_message reply = { .secret = "s", .ext_name = "demo" };
	struct identity other;
	char text[SECRETS_TEXT_MAX], client[LTP_CLIENT_MAX + 1];

	identity_fini(&identity);
	strcpy(tunnel.name, "demo");
	ck_assert_int_eq(identity_init(&identity, &options, &tunnel, label), 0);
	ck_assert_ptr_nonnull(identity.secrets);
	strcpy(client, identity.client);
	identity_take_secret(&identity, &reply);
	identity_save(&identity, "label");
	/* Not while the first one runs. */
	ck_assert_int_eq(identity_init(&other, &options, &tunnel, text), 0);
	ck_assert(other.is_locked_out);
	ck_assert_str_eq(other.secret, "");
	ck_assert_str_ne(other.client, client);
	identity_fini(&other);
	/* What is got under another name is not what is kept. */
	reply.secret = "t";
	identity_take_secret(&identity, &reply);
	strcpy(identity.name, "else");
	identity_save(&identity, "other");
	identity_fini(&identity);
	ck_assert_int_eq(identity_init(&identity, &options, &tunnel, label), 0);
	ck_assert_str_eq(label, "label");
	ck_assert_str_eq(identity.secret, "s");
	ck_assert_str_eq(identity.client, client);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("identity");
	TCase *tcase = tcase_create("identity");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, made_up);
	tcase_add_test(tcase, name);
	tcase_add_test(tcase, secret);
	tcase_add_test(tcase, sni);
	tcase_add_test(tcase, kept_for_the_next_run);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
