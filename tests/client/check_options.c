/* SPDX-License-Identifier: ISC
 *
 * The command line: what is understood, what is refused and how.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/options.h"

#define WORDS_MAX 32

static struct options options;
static char error[OPTIONS_ERROR_MAX];

/* Reads a command line given as one text, words divided by single blanks. */
static enum options_result
read_line(const char *line)
{
	static char text[512];
	char *argv[WORDS_MAX + 1] = { (char[]){ "ltclient" } };
	int argc = 1;
	char *word;

	snprintf(text, sizeof(text), "%s", line);
	for (word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	error[0] = '\0';
	return options_read(&options, argc, argv, error);
}

static void
setup(void)
{
	unsetenv("LT_SERVER");
	unsetenv("LT_AUTH");
}

START_TEST(least)
{
	ck_assert_int_eq(
	    read_line("-S http://localhost:8000 5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.server.host, "localhost");
	ck_assert_uint_eq(options.server.port, 8000);
	ck_assert_str_eq(options.target.host, "localhost");
	ck_assert_uint_eq(options.target.port, 5000);
	ck_assert_str_eq(options.name, "");
	ck_assert_str_eq(options.host_header, "");
	ck_assert(!options.fallback && !options.no_reconnect);
	ck_assert(!options.print_requests && !options.display.json);
}
END_TEST

START_TEST(everything)
{
	ck_assert_int_eq(
	    read_line("--to example.com -s Demo --fallback -p 5000 -l nas.lan "
		      "--host-header rewrite --print-requests --json -q -v "
		      "--no-reconnect http"),
	    OPTIONS_RUN);
	ck_assert_str_eq(options.server.authority, "example.com");
	ck_assert_str_eq(options.name, "demo");
	ck_assert_str_eq(options.target.host, "nas.lan");
	ck_assert_str_eq(options.host_header, "nas.lan:5000");
	ck_assert(options.fallback && options.no_reconnect);
	ck_assert(options.print_requests && options.display.json);
	ck_assert(options.display.quiet && options.display.verbose);
}
END_TEST

START_TEST(visitors)
{
	ck_assert_int_eq(read_line("-S x 5000"), OPTIONS_RUN);
	ck_assert_uint_eq(options.gate.auth.n, 0);
	ck_assert_int_eq(options.proxy_protocol, 0);
	ck_assert_int_eq(
	    read_line("-S x --auth ada:p:q --auth=bob:y --allow 192.0.2.0/24 "
		      "--deny ::1 --deny 192.0.2.7 --proxy-protocol 2 5000"),
	    OPTIONS_RUN);
	ck_assert_uint_eq(options.gate.auth.n, 2);
	ck_assert_str_eq(options.gate.auth.each[0], "ada:p:q");
	ck_assert_str_eq(options.gate.auth.each[1], "bob:y");
	ck_assert_uint_eq(options.gate.allow.n, 1);
	ck_assert_uint_eq(options.gate.deny.n, 2);
	ck_assert_str_eq(options.gate.deny.each[1], "192.0.2.7");
	ck_assert_int_eq(options.proxy_protocol, 2);
	/* A tunnel that is passed through has addresses too. */
	ck_assert_int_eq(read_line("-S x --deny ::1 --proxy-protocol 1 tls 22"),
	    OPTIONS_RUN);
	setenv("LT_AUTH", "ada:x\nbob", 1);
	ck_assert_int_eq(read_line("-S x 5000"), OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(error, "LT_AUTH: line 2"));
	setenv("LT_AUTH", "ada:x", 1);
	ck_assert_int_eq(read_line("-S x 5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.gate.auth.each[0], "ada:x");
	ck_assert_int_eq(read_line("-S x tls 5000"), OPTIONS_BAD);
	unsetenv("LT_AUTH");
}
END_TEST

START_TEST(server_of_the_environment)
{
	setenv("LT_SERVER", "http://other.example:81", 1);
	ck_assert_int_eq(read_line("5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.server.authority, "other.example:81");
	ck_assert_int_eq(read_line("--host example.com 5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.server.authority, "example.com");
	unsetenv("LT_SERVER");
}
END_TEST

START_TEST(no_server_names_all_ways)
{
	ck_assert_int_eq(read_line("5000"), OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(error, "--server"));
	ck_assert_ptr_nonnull(strstr(error, "LT_SERVER"));
	ck_assert_ptr_nonnull(strstr(error, "configuration file"));
	ck_assert_ptr_nonnull(
	    strstr(error, "~/.config/localtunnel/ltclient.conf"));
}
END_TEST

START_TEST(targets)
{
	ck_assert_int_eq(
	    read_line("-S x http unix:/run/app.sock"), OPTIONS_RUN);
	ck_assert_str_eq(options.target.path, "/run/app.sock");
	ck_assert_int_eq(read_line("-S x -l ::1 5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.target.host, "::1");
	ck_assert_int_eq(
	    read_line("-S x --host-header app.test 5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.host_header, "app.test");
	ck_assert_int_eq(read_line("5000 -S x"), OPTIONS_RUN);
}
END_TEST

START_TEST(servers_with_tls)
{
	ck_assert_int_eq(read_line("-S https://x 5000"), OPTIONS_RUN);
	ck_assert(options.server.is_tls && !options.insecure);
	ck_assert_str_eq(options.ca, "");
	ck_assert_int_eq(
	    read_line("-S https://x --ca ca.pem 5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.ca, "ca.pem");
	ck_assert_int_eq(
	    read_line("-S https://x --insecure 5000"), OPTIONS_RUN);
	ck_assert(options.insecure);
}
END_TEST

START_TEST(local_services_with_tls)
{
	ck_assert_int_eq(
	    read_line("-S x https://nas.lan --local-ca ca --local-cert c "
		      "--local-key k --host-header rewrite"),
	    OPTIONS_RUN);
	ck_assert(options.target.is_tls && !options.server.is_tls);
	ck_assert_uint_eq(options.target.port, 443);
	ck_assert_str_eq(options.local_ca, "ca");
	ck_assert_str_eq(options.local_cert, "c");
	ck_assert_str_eq(options.local_key, "k");
	ck_assert_str_eq(options.host_header, "nas.lan");
	ck_assert_int_eq(
	    read_line("-S x --local-https -l nas.lan 8443"), OPTIONS_RUN);
	ck_assert(options.target.is_tls && !options.allow_invalid_cert);
	ck_assert_str_eq(options.target.host, "nas.lan");
	ck_assert_int_eq(
	    read_line("-S x --local-https --allow-invalid-cert unix:/s"),
	    OPTIONS_RUN);
	ck_assert(options.target.is_tls && options.allow_invalid_cert);
	ck_assert_int_eq(read_line("-S x tls 8443"), OPTIONS_RUN);
	ck_assert(!options.target.is_tls);
}
END_TEST

static const struct {
	const char *line, *part;
} bad[] = {
	{ "-S x", "TARGET" },
	{ "-S x 5000 6000", "6000" },
	{ "-S x -p 5000 6000", "TARGET" },
	{ "-S x -p 5000 -p 6000", "twice" },
	{ "-S x -l nas.lan other:5000", "other:5000" },
	{ "-S x nonsense:x", "TARGET \"nonsense:x\": " },
	{ "http://localhost:8000 5000",
	    "only one TARGET; did you mean -S http://localhost:8000 5000?" },
	{ "start web", "start: not in this release" },
	{ "diagnose", "diagnose: not in this release" },
	{ "-S x tcp 22", "tcp: not in this release" },
	{ "-S x tls 22 --print-requests", "closed to us" },
	{ "-S x tls 22 --host-header rewrite", "closed to us" },
	{ "-S x tls 22 --auth a:b", "cannot be asked for a password" },
	{ "-S x 22 --auth sesame", "--auth: \"*\" is not USER:PASSWORD" },
	{ "-S x 22 --auth=a:", "--auth: \"*\" is not USER:PASSWORD" },
	{ "-S x 22 --allow 10.0.0.1/8", "--allow: \"10.0.0.1/8\" is not a" },
	{ "-S x 22 --deny here", "--deny: \"here\" is not an address" },
	{ "-S x 22 --proxy-protocol 3", "--proxy-protocol: \"3\" is no" },
	{ "-S x 22 --proxy-protocol v2", "say 1 or 2" },
	{ "-S x tls https://localhost:1", "a tls tunnel is closed" },
	{ "-S x tls 22 --local-https", "a tls tunnel is closed" },
	{ "-S x tls 22 --allow-invalid-cert", "a tls tunnel is closed" },
	{ "-S x --local-https http://a:1", "it is https://" },
	{ "-S x 22 --local-ca f", "need a TARGET with https://" },
	{ "-S x 22 --allow-invalid-cert", "need a TARGET with https://" },
	{ "-S x http://a:1 --local-cert f --local-key f",
	    "need a TARGET with https://" },
	{ "-S x https://a:1 --local-cert f", "need each other" },
	{ "-S x https://a:1 --local-key f", "need each other" },
	{ "-S x https://a:1 --local-ca f --allow-invalid-cert", "contradict" },
	{ "-S x --ca f 5000", "need a server with https://" },
	{ "-S http://x --insecure 5000", "need a server with https://" },
	{ "-S https://x --insecure --ca f 5000", "contradict" },
	{ "-S x -s -bad 5000", "-bad" },
	{ "-S x -s a_b 5000", "a_b" },
	{ "-S x --nonsense 5000", "--nonsense" },
	{ "-S x -Z 5000", "-Z" },
	{ "-S x --json=1 5000", "--json" },
	{ "5000 -S", "argument" },
	{ "5000 --server", "argument" },
	{ "-S x --host-header a\tb 5000", "--host-header" },
};

START_TEST(bad_ones)
{
	ck_assert_int_eq(read_line(bad[_i].line), OPTIONS_BAD);
	ck_assert_msg(
	    strstr(error, bad[_i].part) != NULL, "%s: %s", bad[_i].line, error);
}
END_TEST

START_TEST(empty_name)
{
	char *argv[] = { (char[]){ "ltclient" }, (char[]){ "-s" },
		(char[]){ "" }, (char[]){ "5000" }, NULL };

	ck_assert_int_eq(options_read(&options, 4, argv, error), OPTIONS_BAD);
	ck_assert_str_eq(error, "the name is empty");
}
END_TEST

START_TEST(help_and_version)
{
	static const char *const words[] = { "--server", "--host", "--to",
		"--ca", "--insecure", "--local-https", "--local-ca",
		"--local-cert", "--local-key", "--allow-invalid-cert",
		"--subdomain", "--name", "--fallback", "--port", "--local-host",
		"--host-header", "--print-requests", "--json", "--no-reconnect",
		"--quiet", "--verbose", "--version", "--help", "TARGET",
		"LT_SERVER" };
	char *text = NULL;
	size_t len, i;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(read_line("-h"), OPTIONS_HELP);
	ck_assert_int_eq(read_line("--version"), OPTIONS_VERSION);
	options_help(out);
	fclose(out);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		ck_assert_msg(strstr(text, words[i]) != NULL, "%s", words[i]);
	free(text);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("options");
	TCase *tcase = tcase_create("options");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, least);
	tcase_add_test(tcase, everything);
	tcase_add_test(tcase, visitors);
	tcase_add_test(tcase, server_of_the_environment);
	tcase_add_test(tcase, no_server_names_all_ways);
	tcase_add_test(tcase, targets);
	tcase_add_test(tcase, servers_with_tls);
	tcase_add_test(tcase, local_services_with_tls);
	tcase_add_loop_test(tcase, bad_ones, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, empty_name);
	tcase_add_test(tcase, help_and_version);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
