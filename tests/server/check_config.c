/* SPDX-License-Identifier: ISC
 *
 * Settings from text, from a file and from the machine; what is wrong is
 * named; and the documents have the same list of settings as the table.
 * Run from the top of the source tree, as make does.
 */
#define _GNU_SOURCE

#include "server/config.h"

#include <check.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config_file.h"
#include "server/config_listen.h"
#include "server/config_text.h"

static struct config *config;

static void
setup(void)
{
	config = config_new();
}

static void
teardown(void)
{
	config_free(config);
}

static void
good(const char *key, const char *value)
{
	char why[256] = "";

	ck_assert_msg(
	    config_set(config, key, value, why, sizeof(why)) == 0, "%s", why);
}

/* The value is refused, and the sentence has all of the words, up to NULL. */
static void
bad(const char *key, const char *value, ...)
{
	char why[256] = "";
	const char *word;
	va_list ap;

	ck_assert_msg(config_set(config, key, value, why, sizeof(why)) == -1,
	    "%s = %s was taken", key, value);
	va_start(ap, value);
	while ((word = va_arg(ap, const char *)) != NULL)
		ck_assert_msg(
		    strstr(why, word) != NULL, "no %s in: %s", word, why);
	va_end(ap);
}

/* A file that holds `text`, found under a name of its own. */
static int
file_of(const char *text, char path[64])
{
	int fd = memfd_create("ltserver.conf", MFD_CLOEXEC);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* Reads `text` as a file; what was said about it goes to `said`. */
static int
read_text(const char *text, char *said, size_t size)
{
	int result, fd, errors, saved;
	char path[64];
	ssize_t n;

	fd = file_of(text, path);
	errors = memfd_create("stderr", MFD_CLOEXEC);
	fflush(stderr);
	saved = dup(STDERR_FILENO);
	dup2(errors, STDERR_FILENO);
	result = config_file_read(config, path, true, stderr);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	n = pread(errors, said, size - 1, 0);
	said[n < 0 ? 0 : n] = '\0';
	close(saved);
	close(errors);
	close(fd);
	return result;
}

static void
finish(void)
{
	char why[256] = "";

	ck_assert_msg(config_finish(config, why, sizeof(why)) == 0, "%s", why);
}

static void
listens(size_t i, const char *addr, bool is_default)
{
	char text[NET_TEXT_MAX];

	ck_assert_uint_lt(i, config->listen_n);
	ck_assert_str_eq(net_addr_text(&config->listen[i].addr, text), addr);
	ck_assert_int_eq(config->listen[i].is_default, is_default);
}

START_TEST(defaults)
{
	finish();
	ck_assert_str_eq(config->domain, "localhost");
	ck_assert_uint_eq(config->listen_n, 2);
	listens(0, "127.0.0.1:8000", false);
	listens(1, "[::1]:8000", true);
	ck_assert_uint_eq(config->max_workers, 16);
	ck_assert_uint_eq(config->max_tunnels, 16384);
	ck_assert_uint_eq(config->pool_idle, 10);
	ck_assert_uint_eq(config->pool_idle_max, 64);
	ck_assert_uint_eq(config->pool_idle_old, 3);
	ck_assert_uint_eq(config->queue_limit, 2048);
	ck_assert_uint_eq(config->head_timeout, 10);
	ck_assert_uint_eq(config->queue_timeout, 5);
	ck_assert_uint_eq(config->grace, 30);
	ck_assert_uint_eq(config->grace_old, 10);
	ck_assert_uint_eq(config->heartbeat, 5);
	ck_assert_uint_eq(config->drain, 3600);
	ck_assert(config->forwarded);
	ck_assert(!config->backend_tls_required);
	ck_assert(!config->redirect_to_https);
	ck_assert_uint_eq(config->certificates.n, 0);
	ck_assert_uint_eq(config->handshake_timeout, 10);
	ck_assert_uint_eq(config->handshakes, 1024);
	ck_assert_uint_eq(config->handshakes_per_address, 256);
	ck_assert_uint_eq(config->ticket_rotation, 43200);
	ck_assert_int_eq(config->node_api, CONFIG_NODE_YES);
	ck_assert_uint_eq(config->node_ports.first, 20000);
	ck_assert_uint_eq(config->node_ports.last, 29999);
	ck_assert(!config->node_any_address);
	ck_assert_uint_eq(config->response_timeout, 60);
	ck_assert_int_eq(config->log_level, LOG_LEVEL_INFO);
}
END_TEST

START_TEST(numbers)
{
	good("pool-idle", "1");
	ck_assert_uint_eq(config->pool_idle, 1);
	good("pool-idle", "64");
	ck_assert_uint_eq(config->pool_idle, 64);
	bad("pool-idle", "65", "pool-idle", "65",
	    "is not a whole number from 1 to 64", NULL);
	bad("pool-idle", "0", "\"0\"", NULL);
	bad("pool-idle", "-1", NULL);
	bad("pool-idle", "", NULL);
	bad("pool-idle", "1x", NULL);
	bad("pool-idle", " 1", NULL);
	bad("pool-idle", "99999999999999999999999", NULL);
	bad("pool-idle", "4294967297", NULL);
	ck_assert_uint_eq(config->pool_idle, 64);
}
END_TEST

START_TEST(words)
{
	good("forwarded", "no");
	ck_assert(!config->forwarded);
	bad("forwarded", "maybe", "forwarded", "maybe", "yes or no", NULL);
	good("log-level", "error");
	ck_assert_int_eq(config->log_level, LOG_LEVEL_ERROR);
	good("log-level", "debug");
	ck_assert_int_eq(config->log_level, LOG_LEVEL_DEBUG);
	bad("log-level", "loud", "log-level", "loud", "warn", NULL);
}
END_TEST

START_TEST(port_ranges)
{
	good("node-ports", "1-65535");
	good("node-ports", "4000-4010");
	bad("node-ports", "4010-4000", "node-ports", "4010-4000", "FIRST-LAST",
	    NULL);
	bad("node-ports", "0-9", NULL);
	bad("node-ports", "many", NULL);
	ck_assert_uint_eq(config->node_ports.first, 4000);
	ck_assert_uint_eq(config->node_ports.last, 4010);
}
END_TEST

/* Only while nobody else can reach us. */
START_TEST(node_api)
{
	bad("node-api", "on", "node-api", "auto, yes or no", NULL);
	good("listen", "127.0.0.2:80");
	good("listen", "[::1]:80");
	finish();
	ck_assert_int_eq(config->node_api, CONFIG_NODE_YES);
	good("node-api", "no");
	finish();
	ck_assert_int_eq(config->node_api, CONFIG_NODE_NO);
	good("open", "yes");
	good("listen", "*:81");
	good("node-api", "auto");
	finish();
	ck_assert_int_eq(config->node_api, CONFIG_NODE_NO);
	good("node-api", "yes");
	finish();
	ck_assert_int_eq(config->node_api, CONFIG_NODE_YES);
}
END_TEST

START_TEST(guarded)
{
	char why[256] = "";

	/* Loopback needs no tokens. */
	good("listen", "127.0.0.2:80");
	good("listen", "[::1]:80");
	finish();
	ck_assert_str_eq(config->tokens, "none");
	/* Others can come in: both ways out are named. */
	good("listen", "*:81");
	ck_assert_int_eq(config_finish(config, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "0.0.0.0:81"));
	ck_assert_ptr_nonnull(strstr(why, "tokens"));
	ck_assert_ptr_nonnull(strstr(why, "open = yes"));
	good("tokens", "/etc/localtunnel/tokens");
	finish();
	good("tokens", "none");
	ck_assert_int_eq(config_finish(config, why, sizeof(why)), -1);
	good("open", "yes");
	finish();
	bad("tokens", "relative", "tokens", "relative", "begins with /", NULL);
	bad("open", "maybe", "open", "maybe", "yes or no", NULL);
}
END_TEST

START_TEST(reserved_names)
{
	ck_assert_ptr_nonnull(strstr(config->reserved_names, "admin"));
	good("reserved-names", "none");
	good("reserved-names", "www,mail-*");
	ck_assert_str_eq(config->reserved_names, "www,mail-*");
	bad("reserved-names", "", "reserved-names", NULL);
	bad("reserved-names", "www,", "reserved-names", "with commas", NULL);
	bad("reserved-names", "a b", NULL);
	bad("reserved-names", "Www", NULL);
	good("tunnels-per-minute", "0");
	good("failures-per-minute", "0");
}
END_TEST

START_TEST(limits)
{
	struct net_addr here, proxy, other;

	good("bandwidth-per-tunnel", "500k");
	ck_assert_uint_eq(config->bandwidth_per_tunnel, 500000);
	good("bandwidth-per-tunnel", "1000G");
	ck_assert_uint_eq(config->bandwidth_per_tunnel, 1000000000000);
	bad("bandwidth-per-tunnel", "2MB", "bandwidth-per-tunnel", "2MB",
	    "bytes per second", NULL);
	bad("bandwidth-per-tunnel", "-1", NULL);
	bad("bandwidth-per-tunnel", "", NULL);
	good("bandwidth-per-tunnel", "0");
	ck_assert_uint_eq(config->bandwidth_per_tunnel, 0);
	good("tunnels-per-address", "0");
	good("visitors-per-address", "0");
	good("connections-per-tunnel", "1048576");

	good("trusted-proxies", "192.0.2.0/24");
	ck_assert_int_eq(net_addr_from(&here, "::1", 1), 0);
	ck_assert_int_eq(net_addr_from(&proxy, "192.0.2.7", 1), 0);
	ck_assert_int_eq(net_addr_from(&other, "192.0.3.7", 1), 0);
	ck_assert(config_is_shared(config, &here));
	ck_assert(config_is_shared(config, &proxy));
	ck_assert(!config_is_shared(config, &other));
}
END_TEST

START_TEST(domains)
{
	char name[256] = "";

	good("domain", "Tunnel.Example.COM.");
	ck_assert_str_eq(config->domain, "tunnel.example.com");
	bad("domain", "203.0.113.7", "domain", "203.0.113.7", "DNS name", NULL);
	bad("domain", "::1", NULL);
	bad("domain", "[::1]", NULL);
	bad("domain", "", NULL);
	bad("domain", ".", NULL);
	bad("domain", "a..b", NULL);
	bad("domain", ".b", NULL);
	bad("domain", "-a.example", NULL);
	bad("domain", "a_b.example", NULL);
	bad("domain", "example.com:80", NULL);
	bad("domain", "http://example.com", NULL);
	bad("domain", "*.example.com", NULL);
	ck_assert_str_eq(config->domain, "tunnel.example.com");
	while (strlen(name) < 189)
		strcat(name, strlen(name) % 2 == 0 ? "a" : ".");
	good("domain", name);
	memcpy(name + 189, "b.", sizeof("b."));
	good("domain", name);
	ck_assert_uint_eq(strlen(config->domain), 190);
	memcpy(name + 189, "bb", sizeof("bb"));
	bad("domain", name, NULL);
}
END_TEST

START_TEST(listeners)
{
	good("open", "yes");
	good("listen", "203.0.113.7:80");
	good("listen", "[2001:db8::1]:80");
	good("listen", "9000");
	good("listen", "localhost:9001");
	good("listen", "*:80");
	good("listen", "0");
	finish();
	ck_assert_uint_eq(config->listen_n, 9);
	listens(0, "203.0.113.7:80", false);
	listens(1, "[2001:db8::1]:80", false);
	listens(2, "127.0.0.1:9000", false);
	listens(3, "[::1]:9000", true);
	listens(4, "127.0.0.1:9001", false);
	listens(5, "[::1]:9001", true);
	listens(6, "0.0.0.0:80", false);
	listens(7, "[::]:80", true);
	listens(8, "127.0.0.1:0", false);
	bad("listen", "example.com:80", "listen", "example.com:80", "HOST:PORT",
	    NULL);
	bad("listen", "65536", "\"65536\"", "a port is from 0 to 65535", NULL);
	bad("listen", "[::1]:80000", "a port is from 0 to 65535", NULL);
	bad("listen", ":80", "not HOST:PORT", NULL);
	bad("listen", "127.0.0.1", NULL);
	bad("listen", "", NULL);
	for (int i = 9; i < CONFIG_LISTEN_MAX; i++)
		good("listen", "127.0.0.1:0");
	bad("listen", "127.0.0.1:7001", "at most 16", NULL);
	ck_assert_uint_eq(config->listen_n, CONFIG_LISTEN_MAX);
}
END_TEST

START_TEST(texts)
{
	good("pid-file", "/run/x.pid");
	ck_assert_str_eq(config->pid_file, "/run/x.pid");
	good("pid-file", "none");
	ck_assert_str_eq(config->pid_file, "none");
	good("user", "www-data");
	ck_assert_str_eq(config->user, "www-data");
	bad("pid-file", "x.pid", "pid-file", "x.pid", "none", NULL);
	bad("pid-file", "", "pid-file", NULL);
	bad("pid-file", "/", "pid-file", NULL);
	bad("pid-file", "/run/", "pid-file", NULL);
	bad("pid-file", "/run/a\nb", "pid-file", NULL);
	bad("user", "", "user", NULL);
	bad("user", "-x", "user", NULL);
	bad("group", "a b", "group", "a b", NULL);
	ck_assert_str_eq(config->user, "www-data");
}
END_TEST

START_TEST(logs)
{
	char why[256];

	good("log", "syslog");
	good("log", "syslog:/run/log");
	good("log", "/var/log/x");
	good("access-log", "off");
	good("access-log", "/var/log/y");
	good("access-log-format", "json");
	bad("log", "syslo", "log", "syslo", "stderr", "syslog", NULL);
	bad("log", "syslog:", "log", NULL);
	bad("log", "off", "log", NULL);
	bad("access-log", "syslog", "access-log", "off", NULL);
	bad("access-log-format", "xml", "access-log-format", "json", NULL);
	good("metrics", "9180");
	good("metrics", "[::1]:9180");
	good("metrics", "off");
	bad("metrics", "on", "metrics", "on", "off", NULL);
	bad("metrics", "example.com:80", "metrics", NULL);
	good("log", "stderr");
	ck_assert_int_eq(config_finish(config, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "-f"));
	config->foreground = true;
	finish();
}
END_TEST

START_TEST(where_the_pid_goes)
{
	config->foreground = true;
	finish();
	ck_assert_str_eq(config->pid_file, "none");
	free(config->pid_file);
	free(config->log);
	config->pid_file = config->log = NULL;
	config->foreground = false;
	finish();
	ck_assert_str_eq(config->pid_file,
	    geteuid() == 0 ? "/run/localtunnel/ltserver.pid" : "none");
}
END_TEST

START_TEST(unknown_key)
{
	bad("max-tunels", "1", "max-tunels", "\"max-tunnels\"", NULL);
	bad("Domain", "x", "\"domain\"", NULL);
	bad("timeout_queue_that_is_longer_than_any_key_of_ours", "1",
	    "timeout_queue", NULL);
	bad("", "", NULL);
}
END_TEST

/* True if the sentence about this key proposes another. */
static bool
proposes(const char *key)
{
	char why[256];

	ck_assert_int_eq(config_set(config, key, "1", why, sizeof(why)), -1);
	return strstr(why, "do you mean") != NULL;
}

/* Only for a slip: anything else would send the reader the wrong way. */
START_TEST(far_key)
{
	ck_assert(proposes("wrkers"));
	ck_assert(proposes("max_tunel"));
	ck_assert(proposes("poolidlemax"));
	ck_assert(!proposes("xyz"));
	ck_assert(!proposes("include"));
	ck_assert(!proposes("proxy-protocol"));
}
END_TEST

START_TEST(workers)
{
	cpu_set_t set;
	unsigned cores;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	cores = (unsigned)CPU_COUNT(&set);
	finish();
	ck_assert_uint_eq(config->workers, cores < 16 ? cores : 16);
	good("max-workers", "1");
	good("workers", "0");
	finish();
	ck_assert_uint_eq(config->workers, 1);
}
END_TEST

START_TEST(contradictions)
{
	char why[256];

	good("workers", "5");
	good("max-workers", "4");
	ck_assert_int_eq(config_finish(config, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "workers (5)"));
	ck_assert_ptr_nonnull(strstr(why, "max-workers (4)"));
	good("workers", "4");
	good("pool-idle", "9");
	good("pool-idle-max", "8");
	ck_assert_int_eq(config_finish(config, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "pool-idle (9)"));
	good("pool-idle-max", "9");
	finish();
	ck_assert_uint_eq(config->workers, 4);
}
END_TEST

/* The second could not be bound, which -t has to find. */
START_TEST(listen_twice)
{
	good("listen", "0");
	good("listen", "0");
	good("listen", "8080");
	good("listen", "127.0.0.1:8081");
	good("listen", "127.0.0.2:8080");
	bad("listen", "[::1]:8080", "is there twice: [::1]:8080", NULL);
	bad("listen", "localhost:8081", "is there twice: 127.0.0.1:8081", NULL);
	good("listen", "[::1]:8082");
	bad("listen", "8082", "is there twice: [::1]:8082", NULL);
	ck_assert_uint_eq(config->listen_n, 7);
	finish();
}
END_TEST

/* The configuration as a whole is refused with these words. */
static void
contradicts(const char *words)
{
	char why[256] = "";

	ck_assert_int_eq(config_finish(config, why, sizeof(why)), -1);
	ck_assert_msg(strstr(why, words) != NULL, "no %s in: %s", words, why);
}

START_TEST(pairs)
{
	good("tls-certificate", "a.pem");
	good("tls-certificate", "/etc/b.pem");
	good("tls-key", "a.key");
	contradicts("tls-certificate (2) and tls-key (1)");
	good("tls-key", "b.key");
	finish();
	ck_assert_uint_eq(config->certificates.n, 2);
	ck_assert_str_eq(config->certificates.each[1], "/etc/b.pem");
	ck_assert_str_eq(config->keys.each[0], "a.key");
	bad("tls-key", "", "tls-key", "not the path of a file", NULL);
	for (int i = 2; i < CONFIG_PAIRS_MAX; i++)
		good("tls-certificate", "c.pem");
	bad("tls-certificate", "c.pem", "at most 64", NULL);
}
END_TEST

START_TEST(tls_without_certificate)
{
	good("redirect-to-https", "yes");
	contradicts("redirect-to-https = yes needs a certificate");
	good("redirect-to-https", "no");
	good("backend-tls", "required");
	contradicts("backend-tls = required needs a certificate");
	good("backend-tls", "optional");
	ck_assert(!config->backend_tls_required);
	finish();
	bad("backend-tls", "yes", "not optional or required", NULL);
}
END_TEST

/* libconfuse alone counts lines with comments more than once. */
START_TEST(lines_after_comments)
{
	char said[1024];

	ck_assert_int_eq(
	    read_text("# one\n/* two\n */\n// four\nworkers = 2 # five\n"
		      "workers = many\n",
		said, sizeof(said)),
	    -1);
	ck_assert_msg(strstr(said, ":6: workers") != NULL, "%s", said);
}
END_TEST

START_TEST(file)
{
	char said[1024];

	ck_assert_int_eq(read_text("# a comment\n"
				   "domain = \"tunnel.example.com\"\n"
				   "listen \"*:80\" { }\n"
				   "listen \"[::1]:81\" {\n"
				   "  kinds = { http, \"ltp\" }\n"
				   "}\n"
				   "workers=2 # more\n"
				   "forwarded = no\n"
				   "\n",
			     said, sizeof(said)),
	    0);
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(config->domain, "tunnel.example.com");
	ck_assert_uint_eq(config->workers, 2);
	ck_assert(!config->forwarded);
	ck_assert_uint_eq(config->listen_n, 3);
	listens(2, "[::1]:81", false);
	ck_assert_uint_eq(config->listen[0].kinds, CONFIG_KINDS);
	ck_assert_uint_eq(config->listen[2].kinds, CONFIG_HTTP | CONFIG_LTP);
	/* What the file does not name stays. */
	ck_assert_uint_eq(config->grace, 30);
	ck_assert_int_eq(
	    read_text("listen \"82\" { }\nworkers = 3", said, sizeof(said)), 0);
	ck_assert_str_eq(config->domain, "tunnel.example.com");
	ck_assert_uint_eq(config->workers, 3);
	ck_assert_uint_eq(config->listen_n, 2);
	listens(0, "127.0.0.1:82", false);
	/* The command line goes over the file, and adds to itself. */
	good("listen", "[::1]:83");
	good("listen", "[::1]:84");
	ck_assert_uint_eq(config->listen_n, 2);
	listens(0, "[::1]:83", false);
	listens(1, "[::1]:84", false);
	ck_assert_uint_eq(config->listen[0].kinds, CONFIG_KINDS);
	ck_assert_ptr_null(config->listen[0].public.scheme);
}
END_TEST

START_TEST(file_paths)
{
	char said[1024];

	ck_assert_int_eq(read_text("tls-certificate = { \"a\", \"b\" }\n"
				   "tls-key = { \"c\" }\n"
				   "tls-key += { \"d\" }\n",
			     said, sizeof(said)),
	    0);
	ck_assert_uint_eq(config->certificates.n, 2);
	ck_assert_uint_eq(config->keys.n, 2);
	ck_assert_str_eq(config->keys.each[1], "d");
	ck_assert_int_eq(
	    read_text("tls-certificate = \"e\"\n", said, sizeof(said)), 0);
	ck_assert_uint_eq(config->certificates.n, 1);
	ck_assert_uint_eq(config->keys.n, 2);
	good("tls-key", "f");
	good("tls-key", "g");
	ck_assert_uint_eq(config->keys.n, 2);
	ck_assert_str_eq(config->keys.each[0], "f");
}
END_TEST

/* Networks replace those of the file, and add up on the command line. */
START_TEST(networks)
{
	struct cidr_list *list = &config->trusted_proxies.list;
	struct net_addr addr;
	char said[1024];

	ck_assert_uint_eq(list->n, 0);
	bad("trusted-proxies", "10.0.0.1/8", "trusted-proxies", "10.0.0.1/8",
	    "must be 0", NULL);
	bad("trusted-proxies", "", "not an address", NULL);
	ck_assert_int_eq(read_text("trusted-proxies = { \"10.0.0.0/8\", "
				   "\"::1\" }",
			     said, sizeof(said)),
	    0);
	ck_assert_uint_eq(list->n, 2);
	good("trusted-proxies", "192.0.2.7");
	good("trusted-proxies", "192.0.2.8/32");
	ck_assert_uint_eq(list->n, 2);
	net_addr_from(&addr, "192.0.2.8", 0);
	ck_assert(cidr_list_has(list, &addr));
	net_addr_from(&addr, "10.0.0.1", 0);
	ck_assert(!cidr_list_has(list, &addr));
	while (list->n < CIDR_LIST_MAX)
		good("trusted-proxies", "192.0.2.9");
	bad("trusted-proxies", "192.0.2.9", "at most 32", NULL);
	ck_assert_int_eq(
	    read_text("trusted-proxies = {}", said, sizeof(said)), 0);
	ck_assert_uint_eq(list->n, 0);
}
END_TEST

/* True if a line begins with FILE:`line`: and has `words` in it. */
static bool
is_said(const char *said, int line, const char *words)
{
	char copy[2048], where[16], *text, *next = copy;

	snprintf(copy, sizeof(copy), "%s", said);
	snprintf(where, sizeof(where), ":%d: ", line);
	while ((text = strsep(&next, "\n")) != NULL)
		if (strncmp(text, "/proc/self/fd/", 14) == 0 &&
		    strstr(text, where) != NULL && strstr(text, words) != NULL)
			return true;
	return false;
}

/* Reads a section with this value of `public`. */
static int
read_public(const char *value, char *said, size_t size)
{
	char text[400];

	snprintf(
	    text, sizeof(text), "listen \"80\" {\n public = \"%s\"\n}", value);
	return read_text(text, said, size);
}

static void
is_public(
    const char *value, const char *scheme, const char *host, uint16_t port)
{
	char said[1024];

	ck_assert_msg(read_public(value, said, sizeof(said)) == 0, "%s", said);
	for (size_t i = 0; i < config->listen_n; i++) {
		const struct config_public *p = &config->listen[i].public;

		ck_assert_str_eq(p->scheme, scheme);
		ck_assert_str_eq(p->host, host);
		ck_assert_uint_eq(p->port, port);
	}
}

START_TEST(publics)
{
	char said[1024];

	/* The world is let in, if only by a proxy. */
	ck_assert_int_eq(read_public("https://", said, sizeof(said)), 0);
	finish();
	ck_assert_int_eq(config->node_api, CONFIG_NODE_NO);
	is_public("https://:443", "https", "", 443);
	is_public("https://:8443", "https", "", 8443);
	is_public("https://", "https", "", 443);
	is_public(
	    "http://tunnel.example.com", "http", "tunnel.example.com", 80);
	is_public("HTTPS://Tunnel.Example.com.:444/", "https",
	    "tunnel.example.com", 444);
	is_public("http://localhost:65535", "http", "localhost", 65535);
}
END_TEST

START_TEST(bad_publics)
{
	static const char *const values[] = { "", "example.com", "ftp://x",
		"https:/x", "https://x/y", "https://x:0", "https://x:65536",
		"https://x:", "https://x:y", "https://1.2.3.4", "https://[::1]",
		"https://a@b", "https://x y", "https://*.x", "https://x//",
		"https://:1:2", "http://https://x" };
	char said[2048];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		ck_assert_msg(read_public(values[i], said, sizeof(said)) == -1,
		    "%s", values[i]);
		ck_assert_msg(
		    is_said(said, 2, "listen: public: \""), "%s", said);
		ck_assert_msg(is_said(said, 2, "[HOST][:PORT]"), "%s", said);
	}
}
END_TEST

START_TEST(file_sections)
{
	char said[2048];

	ck_assert_int_eq(read_text("listen \"nowhere\" {\n"
				   " kinds = { \"http\",\n"
				   "  \"tsl\" }\n"
				   " public = \"x\"\n"
				   "}\n"
				   "grace = x\n"
				   "listen \"80\" { }\n"
				   "listen \"[::1]:80\" { kinds = {} }\n"
				   "listen \"81\" {\n"
				   " kind = \"http\"\n"
				   "}\n"
				   "grace = y\n",
			     said, sizeof(said)),
	    -1);
	ck_assert_msg(is_said(said, 1, "\"nowhere\""), "%s", said);
	ck_assert_msg(is_said(said, 3, "not http, ltp or tls"), "%s", said);
	ck_assert_msg(is_said(said, 4, "public"), "%s", said);
	ck_assert_msg(is_said(said, 6, "grace"), "%s", said);
	ck_assert_msg(is_said(said, 8, "twice: [::1]:80"), "%s", said);
	ck_assert_msg(is_said(said, 8, "kinds is empty"), "%s", said);
	ck_assert_msg(is_said(said, 10, "\"kinds\""), "%s", said);
	ck_assert(strstr(said, ":4: ") < strstr(said, ":6: "));
	ck_assert(strstr(said, ":6: ") < strstr(said, ":8: "));
	ck_assert_ptr_null(strstr(said, ":12: "));
}
END_TEST

/* How it is written is said to whoever writes it in another way. */
START_TEST(file_no_section)
{
	char said[2048];

	ck_assert_int_eq(
	    read_text("\nlisten = { \"80\" }\n", said, sizeof(said)), -1);
	ck_assert_msg(is_said(said, 2, "listen \"ADDRESS\" { }"), "%s", said);
	ck_assert_int_eq(
	    read_text("listen \"80\"\ngrace = 1\n", said, sizeof(said)), -1);
	ck_assert_msg(strstr(said, "listen \"ADDRESS\" { }"), "%s", said);
	ck_assert_int_eq(read_text("listen \"80\" { }\nlisten \"80\" { }\n",
			     said, sizeof(said)),
	    -1);
	ck_assert_msg(is_said(said, 2, "\"80\" is there twice"), "%s", said);
}
END_TEST

START_TEST(proxy_protocol)
{
	char said[1024], why[256] = "";

	ck_assert_int_eq(read_text("listen \"80\" { proxy-protocol = yes }\n"
				   "listen \"81\" { proxy-protocol = no }\n"
				   "listen \"127.0.0.2:82\" { }\n",
			     said, sizeof(said)),
	    0);
	ck_assert_uint_eq(config->listen_n, 5);
	ck_assert(config->listen[0].proxy_protocol);
	ck_assert(config->listen[1].proxy_protocol);
	ck_assert(!config->listen[2].proxy_protocol);
	ck_assert(!config->listen[4].proxy_protocol);
	/* Nobody could say anything there. */
	ck_assert_int_eq(config_finish(config, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "trusted-proxies"));
	good("trusted-proxies", "10.0.0.0/8");
	ck_assert_int_eq(config_finish(config, why, sizeof(why)), 0);
	ck_assert_int_eq(read_text("listen \"80\" { proxy-protocol = 2 }", said,
			     sizeof(said)),
	    -1);
	ck_assert_msg(is_said(said, 1, "\"2\" is not yes or no"), "%s", said);
}
END_TEST

/* Somewhere clients must be able to come in. */
START_TEST(no_way_in)
{
	static const char tls_only[] = "listen \"80\" { kinds = \"tls\" }";
	char said[1024];

	ck_assert_int_eq(
	    read_text("listen \"80\" { kinds = \"http\" }", said, sizeof(said)),
	    0);
	contradicts("clients can come in nowhere");
	ck_assert_int_eq(read_text(tls_only, said, sizeof(said)), 0);
	contradicts("clients can come in nowhere");
	good("tls-certificate", "a");
	good("tls-key", "b");
	finish();
	good("redirect-to-https", "yes");
	good("backend-tls", "required");
	finish();
	ck_assert_int_eq(read_text("listen \"80\" { kinds = { http, ltp } }",
			     said, sizeof(said)),
	    0);
	contradicts("redirect-to-https = yes needs a listener");
	good("redirect-to-https", "no");
	contradicts("backend-tls = required needs a listener");
}
END_TEST

START_TEST(file_faults)
{
	char said[2048];

	ck_assert_int_eq(read_text("workers = 99\n"
				   "domain = \"10.0.0.1\"\n"
				   "\n"
				   "listen \"80\" { }\n"
				   "listen \"nowhere\" { }\n"
				   "drian = 4\n"
				   "grace = x\n",
			     said, sizeof(said)),
	    -1);
	ck_assert_msg(is_said(said, 1, "from 0 to 64"), "%s", said);
	ck_assert_msg(is_said(said, 2, "10.0.0.1"), "%s", said);
	ck_assert_msg(is_said(said, 5, "nowhere"), "%s", said);
	ck_assert_msg(is_said(said, 6, "drian"), "%s", said);
	ck_assert_msg(is_said(said, 6, "\"drain\""), "%s", said);
	/* In the order of the file, whatever the order of the table. */
	ck_assert(strstr(said, ":1: ") < strstr(said, ":2: "));
	ck_assert(strstr(said, ":2: ") < strstr(said, ":5: "));
	ck_assert(strstr(said, ":5: ") < strstr(said, ":6: "));
	ck_assert_ptr_null(strstr(said, ":7: "));
}
END_TEST

/* What libconfuse makes of a bare * would not be understood by anybody. */
START_TEST(file_star)
{
	char said[2048];

	ck_assert_int_eq(
	    read_text("\nlisten *:80 { }\n", said, sizeof(said)), -1);
	ck_assert_msg(is_said(said, 2, "quotes: \"*:80\""), "%s", said);
}
END_TEST

START_TEST(file_open_quote)
{
	char said[2048];

	ck_assert_int_eq(
	    read_text("grace = 4\ndomain = \"a.example\n", said, sizeof(said)),
	    -1);
	ck_assert_msg(is_said(said, 3, "a quote"), "%s", said);
}
END_TEST

START_TEST(file_syntax)
{
	static const char *const broken[] = { "domain",
		"domain =", "domain = {", "listen \"80\" { kinds = {", "= 4",
		"grace = \"4", "domain { }", "grace 4", "listen", "listen {",
		"listen \"80\"", "listen \"80\" { kinds", "tls-key = {",
		"listen \"80\" { listen \"81\" { } }", "\"\" = x",
		"listen \"80\" { \"\" = x }" };
	char said[2048];

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		ck_assert_int_eq(read_text(broken[i], said, sizeof(said)), -1);
		ck_assert_msg(is_said(said, 1, ""), "%s: %s", broken[i], said);
	}
}
END_TEST

/* Whatever is there, nobody waits for it, and it comes to an end. */
START_TEST(no_file)
{
	char dir[] = "/tmp/check_config.XXXXXX", path[64];
	static char noise[1024 * 1024 + 1];
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(config_file_read(config, dir, true, stderr), -1);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(config_file_read(config, path, true, stderr), -1);
	unlink(path);
	ck_assert_int_eq(
	    config_file_read(config, "/dev/zero", true, stderr), -1);
	ck_assert_int_eq(
	    config_file_read(config, "/dev/null", true, stderr), 0);
	srandom(1);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)random();
	for (size_t more = 0; more < 2; more++) {
		file = fopen(path, "w");
		fwrite(noise, 1, sizeof(noise) - 1 + more, file);
		fclose(file);
		ck_assert_int_eq(
		    config_file_read(config, path, true, stderr), -1);
	}
	if (geteuid() != 0) {
		ck_assert_int_eq(chmod(path, 0), 0);
		ck_assert_int_eq(
		    config_file_read(config, path, true, stderr), -1);
	}
	unlink(path);
	/* What is wrong a thousand times is not said a thousand times. */
	file = fopen(path, "w");
	fprintf(file, "trusted-proxies = { ");
	for (int i = 0; i < 1000; i++)
		fprintf(file, "\"10.0.0.1\",\n");
	fprintf(file, "\"x\" }\n");
	fclose(file);
	file = tmpfile();
	ck_assert_int_eq(config_file_read(config, path, true, file), -1);
	ck_assert_int_lt(ftell(file), 20000);
	fclose(file);
	unlink(path);
	rmdir(dir);
}
END_TEST

START_TEST(file_absent)
{
	char path[] = "/tmp/check_config.XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(config_file_read(config, path, false, stderr), -1);
	rmdir(path);
	ck_assert_int_eq(config_file_read(config, path, false, stderr), 0);
	ck_assert_int_eq(config_file_read(config, path, true, stderr), -1);
}
END_TEST

/* The whole of a file of the source tree; the caller frees it. */
static char *
load(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	ck_assert_msg(in != NULL, "%s: not found", path);
	ck_assert_int_gt(getdelim(&text, &size, '\0', in), 0);
	fclose(in);
	return text;
}

/* What the manual gives as the default: up to the next setting. */
static void
manual_says(const char *manual, const struct config_option *o)
{
	char item[64], line[64];
	const char *at, *end, *found;

	snprintf(item, sizeof(item), "\n.It Cm %s No = ", o->key);
	at = strstr(manual, item);
	ck_assert_msg(at != NULL, "%s is not in the manual", o->key);
	end = strstr(at + 1, "\n.El");
	snprintf(line, sizeof(line), "\nDefault: %s.\n", o->preset);
	found = strstr(at, line);
	ck_assert_msg(
	    found != NULL && found < end &&
		memmem(at + 1, (size_t)(found - at), "\n.It ", 5) == NULL,
	    "the manual has another default for %s", o->key);
}

/* True if the manual says the default in words. */
static bool
is_in_words(const struct config_option *o)
{
	return o->preset == NULL || o->type == CONFIG_STRING ||
	       o->type == CONFIG_PATTERNS || strcmp(o->key, "workers") == 0;
}

/* A line of the example and an item of the manual begin with these. */
static void
documented(
    const char *example, const char *line, const char *manual, const char *item)
{
	ck_assert_msg(
	    strstr(example, line) != NULL, "not in the example: %s", line);
	ck_assert_msg(
	    strstr(manual, item) != NULL, "not in the manual: %s", item);
}

START_TEST(documents)
{
	char *example = load("etc/ltserver.conf");
	char *manual = load("man/ltserver.conf.5");
	char line[64], item[64], said[1024];

	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *o = &config_options[i];
		bool is_section = o->type == CONFIG_LISTEN;

		snprintf(line, sizeof(line), "\n#%s %c", o->key,
		    is_section ? '"' : '=');
		snprintf(item, sizeof(item), "\n.It Cm %s %s", o->key,
		    is_section ? "Qo Ar address" : "No = ");
		documented(example, line, manual, item);
		if (!is_in_words(o))
			manual_says(manual, o);
	}
	for (size_t i = 0; i < config_listen_keys_n; i++) {
		const char *key = config_listen_keys[i].key;

		snprintf(line, sizeof(line), "%s = ", key);
		snprintf(item, sizeof(item), "\n.It Cm %s No = ", key);
		documented(example, line, manual, item);
	}
	ck_assert_int_eq(read_text(example, said, sizeof(said)), 0);
	free(example);
	free(manual);
}
END_TEST

/* Takes the "#" away from each line "#key = value", and from those of a
 * section. */
static void
uncomment(char *text)
{
	char *at = text;

	while ((at = strstr(at, "\n#")) != NULL) {
		at++;
		if ((at[1] >= 'a' && at[1] <= 'z') || at[1] == '\t' ||
		    at[1] == '}')
			*at = ' ';
	}
}

/* Compares the texts that have a default of their own; takes all of them out
 * of both. */
static void
same_texts(struct config *a, struct config *b)
{
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *o = &config_options[i];
		char **in_a = (char **)((char *)a + o->offset);
		char **in_b = (char **)((char *)b + o->offset);

		if (!config_text_is(o->type))
			continue;
		if (o->preset != NULL)
			ck_assert_str_eq(*in_a, *in_b);
		free(*in_a);
		free(*in_b);
		*in_a = *in_b = NULL;
	}
}

START_TEST(example_has_the_defaults)
{
	struct config *plain = config_new();
	char *example = load("etc/ltserver.conf");
	char said[1024], why[256];

	uncomment(example);
	ck_assert_msg(read_text(example, said, sizeof(said)) == 0, "%s", said);
	finish();
	ck_assert_int_eq(config_finish(plain, why, sizeof(why)), 0);
	ck_assert_str_eq(config->domain, plain->domain);
	ck_assert_uint_eq(config->listen_n, plain->listen_n);
	ck_assert(config->listen_is_from_file);
	config->listen_is_from_file = false;
	config->certificates.is_from_file = false;
	config->keys.is_from_file = false;
	config->trusted_proxies.is_from_file = false;
	same_texts(config, plain);
	free(config->domain);
	config->domain = plain->domain;
	ck_assert_mem_eq(config, plain, sizeof(*plain));
	config->domain = NULL;
	config_free(plain);
	free(example);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config");
	TCase *tcase = tcase_create("config");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, defaults);
	tcase_add_test(tcase, numbers);
	tcase_add_test(tcase, words);
	tcase_add_test(tcase, domains);
	tcase_add_test(tcase, port_ranges);
	tcase_add_test(tcase, node_api);
	tcase_add_test(tcase, guarded);
	tcase_add_test(tcase, reserved_names);
	tcase_add_test(tcase, limits);
	tcase_add_test(tcase, listeners);
	tcase_add_test(tcase, texts);
	tcase_add_test(tcase, logs);
	tcase_add_test(tcase, where_the_pid_goes);
	tcase_add_test(tcase, unknown_key);
	tcase_add_test(tcase, far_key);
	tcase_add_test(tcase, listen_twice);
	tcase_add_test(tcase, workers);
	tcase_add_test(tcase, contradictions);
	tcase_add_test(tcase, pairs);
	tcase_add_test(tcase, tls_without_certificate);
	tcase_add_test(tcase, networks);
	tcase_add_test(tcase, proxy_protocol);
	tcase_add_test(tcase, no_way_in);
	tcase_add_test(tcase, file);
	tcase_add_test(tcase, lines_after_comments);
	tcase_add_test(tcase, file_paths);
	tcase_add_test(tcase, file_sections);
	tcase_add_test(tcase, file_no_section);
	tcase_add_test(tcase, publics);
	tcase_add_test(tcase, bad_publics);
	tcase_add_test(tcase, file_faults);
	tcase_add_test(tcase, file_star);
	tcase_add_test(tcase, file_open_quote);
	tcase_add_test(tcase, file_syntax);
	tcase_add_test(tcase, no_file);
	tcase_add_test(tcase, file_absent);
	tcase_add_test(tcase, documents);
	tcase_add_test(tcase, example_has_the_defaults);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
