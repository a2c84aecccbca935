/* SPDX-License-Identifier: ISC
 *
 * Whom TLS connections are made for, and what is said of a bad certificate.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/options.h"
#include "client/trust.h"

static struct options options;
static struct tunnel_options tunnel;
static char why[TLS_WHY_MAX];

static void
setup(void)
{
	memset(&options, 0, sizeof(options));
	memset(&tunnel, 0, sizeof(tunnel));
	options.insecure = tunnel.allow_invalid_cert = true;
	why[0] = '\0';
}

/* The host of a URL, for whom the certificate must be, and the name that is
 * sent. */
static const struct {
	const char *host, *expected, *sni;
} hosts[] = {
	{ "example.com", "example.com", "example.com" },
	{ "example.com.", "example.com", "example.com" },
	{ "localhost", "localhost", "localhost" },
	{ "127.0.0.1", "127.0.0.1", NULL },
	{ "::1", "::1", NULL },
	{ "fe80::1%eth0", "fe80::1", NULL },
};

START_TEST(hosts_and_names)
{
	struct trust *trust;

	strcpy(options.server.host, hosts[_i].host);
	strcpy(tunnel.target.host, hosts[_i].host);
	for (int i = 0; i < 2; i++) {
		trust = i == 0 ? trust_server(&options, why)
			       : trust_local(&tunnel, why);
		ck_assert_ptr_nonnull(trust);
		ck_assert_ptr_nonnull(trust->context);
		ck_assert_str_eq(trust->host, hosts[_i].expected);
		ck_assert_pstr_eq(trust->sni, hosts[_i].sni);
		trust_free(trust);
	}
}
END_TEST

START_TEST(a_unix_socket_is_localhost)
{
	struct trust *trust;

	strcpy(tunnel.target.path, "/run/app.sock");
	trust = trust_local(&tunnel, why);
	ck_assert_ptr_nonnull(trust);
	ck_assert_str_eq(trust->host, "localhost");
	trust_free(trust);
}
END_TEST

START_TEST(faults_name_the_file)
{
	options.insecure = tunnel.allow_invalid_cert = false;
	strcpy(options.ca, "/nowhere/ca.pem");
	ck_assert_ptr_null(trust_server(&options, why));
	ck_assert_ptr_nonnull(strstr(why, "/nowhere/ca.pem"));
	tunnel.local_ca = "/nowhere/local.pem";
	ck_assert_ptr_null(trust_local(&tunnel, why));
	ck_assert_ptr_nonnull(strstr(why, "/nowhere/local.pem"));
	tunnel.local_ca = NULL;
	tunnel.local_cert = "/nowhere/cert.pem";
	tunnel.local_key = "/nowhere/key.pem";
	ck_assert_ptr_null(trust_local(&tunnel, why));
	ck_assert_ptr_nonnull(strstr(why, "/nowhere/cert.pem"));
}
END_TEST

START_TEST(hints_name_the_option)
{
	ck_assert_str_eq(trust_server_hint(TLS_CERT_GOOD), "");
	ck_assert_ptr_nonnull(
	    strstr(trust_server_hint(TLS_CERT_UNKNOWN), "--ca FILE"));
	ck_assert_str_eq(trust_local_hint(TLS_CERT_GOOD), "");
	ck_assert_ptr_nonnull(
	    strstr(trust_local_hint(TLS_CERT_UNKNOWN), "--local-ca"));
	ck_assert_ptr_nonnull(
	    strstr(trust_local_hint(TLS_CERT_DATE), "--allow-invalid-cert"));
	ck_assert_ptr_nonnull(
	    strstr(trust_local_hint(TLS_CERT_NAME), "--allow-invalid-cert"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("trust");
	TCase *tcase = tcase_create("trust");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(
	    tcase, hosts_and_names, 0, sizeof(hosts) / sizeof(hosts[0]));
	tcase_add_test(tcase, a_unix_socket_is_localhost);
	tcase_add_test(tcase, faults_name_the_file);
	tcase_add_test(tcase, hints_name_the_option);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
