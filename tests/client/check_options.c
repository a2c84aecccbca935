/* SPDX-License-Identifier: ISC
 *
 * The command line: what is understood, what is refused and how.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/options.h"
#include "client/processes.h"

#define WORDS_MAX 32

static struct options options;
static struct tunnel_options *tunnel; /* the first */
static char error[OPTIONS_ERROR_MAX];

/* Reads a command line given as one text, words divided by single blanks. */
static enum options_result
read_line(const char *line)
{
	static char text[512];
	char *argv[WORDS_MAX + 1] = { (char[]){ "ltclient" } };
	int argc = 1;
	enum options_result result;
	char *word;

	snprintf(text, sizeof(text), "%s", line);
	for (word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	error[0] = '\0';
	options_fini(&options);
	result = options_read(&options, argc, argv, error);
	tunnel = options.tunnels;
	return result;
}

/* The same, with a configuration file of that text. */
static enum options_result
read_file(const char *file, const char *line)
{
	char path[] = "/tmp/lt-check.XXXXXX", words[512];
	enum options_result result;
	int fd = mkstemp(path);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, file, strlen(file)), (ssize_t)strlen(file));
	close(fd);
	snprintf(words, sizeof(words), "-c %s %s", path, line);
	result = read_line(words);
	unlink(path);
	return result;
}

static void
setup(void)
{
	unsetenv("LT_SERVER");
	unsetenv("LT_AUTH");
	unsetenv("LT_TOKEN");
	setenv("XDG_CONFIG_HOME", "/nowhere", 1);
}

static void
teardown(void)
{
	options_fini(&options);
}

START_TEST(least)
{
	ck_assert_int_eq(
	    read_line("-S http://localhost:8000 5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.server.host, "localhost");
	ck_assert_uint_eq(options.server.port, 8000);
	ck_assert_str_eq(tunnel->target.host, "localhost");
	ck_assert_uint_eq(tunnel->target.port, 5000);
	ck_assert_str_eq(tunnel->name, "");
	ck_assert_str_eq(tunnel->host_header, "");
	ck_assert(!tunnel->fallback && !options.no_reconnect);
	ck_assert_uint_ge(options.processes, 1);
	ck_assert_uint_le(options.processes, PROCESSES_MAX);
	ck_assert(!tunnel->print_requests && !options.display.json);
}
END_TEST

START_TEST(everything)
{
	ck_assert_int_eq(
	    read_line("--to example.com -s Demo --fallback -p 5000 -l nas.lan "
		      "--host-header rewrite --print-requests --json -q -v "
		      "--no-reconnect --processes 3 http"),
	    OPTIONS_RUN);
	ck_assert_str_eq(options.server.authority, "example.com");
	ck_assert_str_eq(tunnel->name, "demo");
	ck_assert_str_eq(tunnel->target.host, "nas.lan");
	ck_assert_str_eq(tunnel->host_header, "nas.lan:5000");
	ck_assert(tunnel->fallback && options.no_reconnect);
	ck_assert(tunnel->print_requests && options.display.json);
	ck_assert(options.display.quiet && options.display.verbose);
	ck_assert_uint_eq(options.processes, 3);
}
END_TEST

START_TEST(visitors)
{
	ck_assert_int_eq(read_line("-S x 5000"), OPTIONS_RUN);
	ck_assert_uint_eq(tunnel->gate.auth.n, 0);
	ck_assert_int_eq(tunnel->proxy_protocol, 0);
	ck_assert_int_eq(
	    read_line("-S x --auth ada:p:q --auth=bob:y --allow 192.0.2.0/24 "
		      "--deny ::1 --deny 192.0.2.7 --proxy-protocol 2 5000"),
	    OPTIONS_RUN);
	ck_assert_uint_eq(tunnel->gate.auth.n, 2);
	ck_assert_str_eq(tunnel->gate.auth.each[0], "ada:p:q");
	ck_assert_str_eq(tunnel->gate.auth.each[1], "bob:y");
	ck_assert_uint_eq(tunnel->gate.allow.n, 1);
	ck_assert_uint_eq(tunnel->gate.deny.n, 2);
	ck_assert_str_eq(tunnel->gate.deny.each[1], "192.0.2.7");
	ck_assert_int_eq(tunnel->proxy_protocol, 2);
	/* A tunnel that is passed through has addresses too. */
	ck_assert_int_eq(read_line("-S x --deny ::1 --proxy-protocol 1 tls 22"),
	    OPTIONS_RUN);
	setenv("LT_AUTH", "ada:x\nbob", 1);
	ck_assert_int_eq(read_line("-S x 5000"), OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(error, "LT_AUTH: line 2"));
	setenv("LT_AUTH", "ada:x", 1);
	ck_assert_int_eq(read_line("-S x 5000"), OPTIONS_RUN);
	ck_assert_str_eq(tunnel->gate.auth.each[0], "ada:x");
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
	ck_assert_str_eq(tunnel->target.path, "/run/app.sock");
	ck_assert_int_eq(read_line("-S x -l ::1 5000"), OPTIONS_RUN);
	ck_assert_str_eq(tunnel->target.host, "::1");
	ck_assert_int_eq(
	    read_line("-S x --host-header app.test 5000"), OPTIONS_RUN);
	ck_assert_str_eq(tunnel->host_header, "app.test");
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
	ck_assert(tunnel->target.is_tls && !options.server.is_tls);
	ck_assert_uint_eq(tunnel->target.port, 443);
	ck_assert_str_eq(tunnel->local_ca, "ca");
	ck_assert_str_eq(tunnel->local_cert, "c");
	ck_assert_str_eq(tunnel->local_key, "k");
	ck_assert_str_eq(tunnel->host_header, "nas.lan");
	ck_assert_int_eq(
	    read_line("-S x --local-https -l nas.lan 8443"), OPTIONS_RUN);
	ck_assert(tunnel->target.is_tls && !tunnel->allow_invalid_cert);
	ck_assert_str_eq(tunnel->target.host, "nas.lan");
	ck_assert_int_eq(
	    read_line("-S x --local-https --allow-invalid-cert unix:/s"),
	    OPTIONS_RUN);
	ck_assert(tunnel->target.is_tls && tunnel->allow_invalid_cert);
	ck_assert_int_eq(read_line("-S x tls 8443"), OPTIONS_RUN);
	ck_assert(!tunnel->target.is_tls);
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
	{ "-S x start web", "no tunnel \"web\" in a configuration file, since "
			    "there is none" },
	{ "-S x start --all", "no tunnel in a configuration file" },
	{ "-S x start", "name some" },
	{ "-S x start web --all", "one or the other" },
	{ "-S x start web ssh web", "\"web\" is there twice" },
	{ "-S x start -s demo web", "--subdomain is of one tunnel" },
	{ "-S x start --fallback web", "--fallback is of one tunnel" },
	{ "-S x --all 5000", "--all needs start" },
	{ "-S x --group k 5000", "--group needs --name" },
	{ "-S x --group k -s demo --fallback 5000", "contradict" },
	{ "-S x diagnose 5000", "diagnose takes no TARGET" },
	{ "-S x --proxy https://p:1 5000", "--proxy: a proxy is spoken to" },
	{ "-S x --processes 0 5000", "from 1 to 16" },
	{ "-S x --processes 17 5000", "from 1 to 16" },
	{ "-S x --processes -1 5000", "from 1 to 16" },
	{ "-S x --processes 2x 5000", "from 1 to 16" },
	{ "-S x -r 30022 22", "only a tcp tunnel" },
	{ "-S x -r 0 tcp 22", "is not a port" },
	{ "-S x -r 65536 tcp 22", "is not a port" },
	{ "-S x -r a:1 tcp 22", "is not a port" },
	{ "-S x tcp 22 --print-requests", "closed to us" },
	{ "-S x tcp 22 --auth a:b", "cannot be asked for a password" },
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
	char *argv[] = { (char[]){ "ltclient" }, (char[]){ "-Sx" },
		(char[]){ "--name=" }, (char[]){ "5000" }, NULL };

	options_fini(&options);
	ck_assert_int_eq(options_read(&options, 4, argv, error), OPTIONS_BAD);
	ck_assert_str_eq(error, "the name is empty");
}
END_TEST

START_TEST(empty_group)
{
	char *argv[] = { (char[]){ "ltclient" }, (char[]){ "-Sx" },
		(char[]){ "-sdemo" }, (char[]){ "--group=" },
		(char[]){ "5000" }, NULL };

	options_fini(&options);
	ck_assert_int_eq(options_read(&options, 5, argv, error), OPTIONS_BAD);
	ck_assert_str_eq(error, "--group: the key is empty");
}
END_TEST

static const char file[] =
    "server = https://x\n"
    "token = secret\n"
    "tunnel \"web\" {\n"
    "	target = 5000\n"
    "	name = \"Demo\"\n"
    "	group = \"k\"\n"
    "	host-header = rewrite\n"
    "	print-requests = yes\n"
    "	allow = { \"10.0.0.0/8\", \"192.0.2.1\" }\n"
    "}\n"
    "tunnel \"safe\" { kind = tls  target = \"nas.lan:443\" }\n"
    "tunnel \"app\" {\n"
    "	target = \"https://localhost:1\"\n"
    "	allow-invalid-cert = on\n"
    "	auth = \"user:sesame\"\n"
    "}\n";

START_TEST(start_all)
{
	ck_assert_msg(
	    read_file(file, "-v start --all") == OPTIONS_RUN, "%s", error);
	ck_assert_str_eq(options.server.host, "x");
	ck_assert_str_eq(options.token, "secret");
	ck_assert_uint_eq(options.tunnels_n, 3);
	ck_assert_str_eq(tunnel->display.tunnel, "web");
	ck_assert(tunnel->display.is_one_of_many && tunnel->display.verbose);
	ck_assert_uint_eq(tunnel->target.port, 5000);
	ck_assert_str_eq(tunnel->name, "demo");
	ck_assert_str_eq(tunnel->group, "k");
	ck_assert_str_eq(tunnel->host_header, "localhost:5000");
	ck_assert(tunnel->print_requests);
	ck_assert_uint_eq(tunnel->gate.allow.n, 2);
	ck_assert_str_eq(tunnel->gate.allow.each[1], "192.0.2.1");
	ck_assert_str_eq(tunnel[1].kind, "tls");
	ck_assert_str_eq(tunnel[1].target.host, "nas.lan");
	ck_assert_str_eq(tunnel[1].name, "");
	ck_assert(tunnel[2].target.is_tls && tunnel[2].allow_invalid_cert);
	ck_assert(!tunnel[2].print_requests);
	ck_assert_str_eq(tunnel[2].gate.auth.each[0], "user:sesame");
}
END_TEST

START_TEST(start_some)
{
	ck_assert_int_eq(read_file(file, "start app web"), OPTIONS_RUN);
	ck_assert_uint_eq(options.tunnels_n, 2);
	ck_assert_str_eq(tunnel[0].display.tunnel, "app");
	ck_assert_str_eq(tunnel[1].display.tunnel, "web");
	ck_assert_int_eq(read_file(file, "-S y start safe"), OPTIONS_RUN);
	ck_assert_str_eq(options.server.host, "y");
	ck_assert(!tunnel->display.is_one_of_many);
	ck_assert_str_eq(tunnel->display.tunnel, "safe");
	/* Without start the tunnels of the file are left aside. */
	ck_assert_int_eq(read_file(file, "5000"), OPTIONS_RUN);
	ck_assert_uint_eq(options.tunnels_n, 1);
	ck_assert_ptr_null(tunnel->display.tunnel);
	ck_assert_str_eq(tunnel->name, "");
}
END_TEST

static const struct {
	const char *file, *part;
} bad_files[] = {
	{ "tunnel a {\n}", ":1: tunnel \"a\": no TARGET" },
	{ "\ntunnel a {\ntarget = 5000\nfallback = perhaps\n}",
	    ":4: tunnel \"a\": fallback = \"perhaps\": it is yes or no" },
	{ "\ntunnel a {\ntarget = x\n}", ":2: tunnel \"a\": TARGET \"x\"" },
	{ "tunnel a {\ntarget = 1\nkind = tpc\n}", "no such kind" },
	{ "tunnel a {\ntarget = 1\nname = a_b\n}", "a_b" },
	{ "tunnel a {\ntarget = 1\ngroup = k\n}",
	    ":1: tunnel \"a\": group needs name: " },
	{ "tunnel a {\ntarget = 1\nallow = { 10.0.0.1, here }\n}",
	    ":3: tunnel \"a\": allow: \"here\" is not" },
	{ "tunnel a {\ntarget = \"https://x\"\nlocal-ca = ca.pem\n}",
	    "\"ca.pem\": the path must begin with /" },
	{ "tunnel b { target = 1 }\ntunnel c { target = 2 }",
	    "; those that are there: b, c" },
};

START_TEST(start_bad)
{
	ck_assert_int_eq(
	    read_file(bad_files[_i].file, "-S x start a"), OPTIONS_BAD);
	ck_assert_msg(strstr(error, bad_files[_i].part) != NULL, "%s", error);
	ck_assert_msg(strstr(error, "/tmp/lt-check.") != NULL, "%s", error);
}
END_TEST

static const char token_file[] = "server = https://x\ntoken = filed\n";

/* The command line, the URL, LT_TOKEN, the file, in this order. */
START_TEST(tokens)
{
	ck_assert_int_eq(read_line("-S https://x 5000"), OPTIONS_RUN);
	ck_assert_ptr_null(options_token(&options));
	ck_assert_str_eq(options.login, "");
	ck_assert_int_eq(read_file(token_file, "5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.token, "filed");
	ck_assert_str_eq(options.login, "lt:filed");
	setenv("LT_TOKEN", "env", 1);
	ck_assert_int_eq(read_file(token_file, "5000"), OPTIONS_RUN);
	ck_assert_str_eq(options_token(&options), "env");
	ck_assert_int_eq(
	    read_file(token_file, "-S https://ann:u%25rl@x 5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.token, "u%rl");
	ck_assert_str_eq(options.login, "ann:u%rl");
	ck_assert_str_eq(options.server.authority, "x");
	ck_assert_int_eq(
	    read_file(token_file, "-t said -S https://ann:url@x 5000"),
	    OPTIONS_RUN);
	ck_assert_str_eq(options.token, "said");
	ck_assert_int_eq(read_line("--token=a -S https://x 5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.token, "a");
	ck_assert_int_eq(read_line("-S https://ann@x 5000"), OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(error, "USER:TOKEN"));
	ck_assert_int_eq(read_line("-S https://a:%zz@x 5000"), OPTIONS_BAD);
	ck_assert_ptr_null(strstr(error, "zz"));
}
END_TEST

/* Not in clear, not to another server, not on the command line. */
START_TEST(tokens_stay_private)
{
	char *argv[] = { (char[]){ "ltclient" }, (char[]){ "-t" },
		(char[]){ "secret" }, (char[]){ "-S" },
		(char[]){ "https://u:p@x" }, (char[]){ "1" }, NULL };

	ck_assert_int_eq(read_line("-t a -S http://x 5000"), OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(error, "https://x"));
	ck_assert_int_eq(read_line("-S http://u:p@10.0.0.1 5000"), OPTIONS_BAD);
	ck_assert_int_eq(read_line("-t a -S localhost.x 5000"), OPTIONS_BAD);
	ck_assert_int_eq(read_line("-t a -S localhost:1 5000"), OPTIONS_RUN);
	ck_assert_int_eq(
	    read_line("-t a -S http://a.localhost 5"), OPTIONS_RUN);
	ck_assert_int_eq(read_line("-t a -S 127.0.0.9:1 5000"), OPTIONS_RUN);
	ck_assert_int_eq(read_line("-t a -S http://[::1]:1 5000"), OPTIONS_RUN);
	ck_assert_int_eq(
	    read_file(token_file, "-S https://y 5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.token, "");
	ck_assert_int_eq(
	    read_file(token_file, "-S https://X:443/ 5000"), OPTIONS_RUN);
	ck_assert_str_eq(options.token, "filed");
	options_fini(&options);
	ck_assert_int_eq(options_read(&options, 6, argv, error), OPTIONS_RUN);
	ck_assert_str_eq(argv[2], "******");
	ck_assert_str_eq(argv[4], "https://***@x");
	ck_assert_str_eq(options.token, "secret");
}
END_TEST

START_TEST(domains)
{
	ck_assert_int_eq(
	    read_line("-S x --domain App.Example.ORG. 5000"), OPTIONS_RUN);
	ck_assert_str_eq(tunnel->domain, "app.example.org");
	ck_assert_int_eq(read_line("-S x --domain a.b tls 5000"), OPTIONS_RUN);
	ck_assert_int_eq(read_line("-S x --domain a.b tcp 5000"), OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(error, "port"));
	ck_assert_int_eq(read_line("-S x --domain app 5000"), OPTIONS_BAD);
	ck_assert_int_eq(read_line("-S x --domain a..b 5000"), OPTIONS_BAD);
	ck_assert_int_eq(read_line("-S x --domain a_/.b 5000"), OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(error, "--domain"));
}
END_TEST

START_TEST(help_and_version)
{
	static const char *const words[] = { "--server", "--host", "--to",
		"--ca", "--insecure", "--local-https", "--local-ca",
		"--local-cert", "--local-key", "--allow-invalid-cert",
		"--subdomain", "--name", "--fallback", "--group", "--all",
		"--port", "--local-host", "--host-header", "--print-requests",
		"--json", "--no-reconnect", "--processes", "--quiet",
		"--verbose", "--version", "--help", "TARGET", "LT_SERVER" };
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

	tcase_add_checked_fixture(tcase, setup, teardown);
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
	tcase_add_test(tcase, empty_group);
	tcase_add_test(tcase, start_all);
	tcase_add_test(tcase, start_some);
	tcase_add_loop_test(
	    tcase, start_bad, 0, sizeof(bad_files) / sizeof(bad_files[0]));
	tcase_add_test(tcase, help_and_version);
	tcase_add_test(tcase, tokens);
	tcase_add_test(tcase, tokens_stay_private);
	tcase_add_test(tcase, domains);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
