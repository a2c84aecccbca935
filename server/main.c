/* SPDX-License-Identifier: ISC
 *
 * ltserver: the command line.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/log.h"
#include "common/stdfds.h"
#include "common/tls.h"
#include "server/config.h"
#include "server/config_file.h"
#include "server/keyring.h"
#include "server/logs.h"
#include "server/master.h"
#include "server/sandbox.h"
#include "server/service.h"
#include "server/title.h"

#define MAIN_CONFIG "/etc/localtunnel/ltserver.conf"
#define MAIN_USAGE  2	/* exit code: command line or configuration */
#define MAIN_UMASK  027 /* of all that is made, others see nothing */

struct main_option {
	const char *name;
	const char *argument; /* NULL: none */
	const char *key;      /* the setting that it is short for, or NULL */
	const char *help;
	char letter;
};

static const struct main_option options[] = {
	{ "config", "FILE", NULL, "read FILE instead of " MAIN_CONFIG, 'c' },
	{ "domain", "DOMAIN", "domain",
	    "base domain; tunnels are NAME.DOMAIN (default localhost)", 'd' },
	{ "listen", "[HOST:]PORT", "listen",
	    "where to listen, may be repeated; PORT alone is loopback;\n"
	    "0 picks a free port (default 8000 on 127.0.0.1 and [::1])",
	    'l' },
	{ "workers", "N", "workers", "worker processes (default: one per core)",
	    'w' },
	{ "option", "KEY=VALUE", NULL, "any setting of ltserver.conf(5)", 'o' },
	{ "foreground", NULL, NULL,
	    "stay in the foreground, log to standard error", 'f' },
	{ "test", NULL, NULL,
	    "check the configuration and certificates, and exit", 't' },
	{ "verbose", NULL, NULL, "log more (log-level = debug)", 'v' },
	{ "version", NULL, NULL, "print the version and exit", 'V' },
	{ "help", NULL, NULL, "print this and exit", 'h' },
};

#define OPTIONS_N (sizeof(options) / sizeof(options[0]))

static void
print_help(void)
{
	printf("usage: ltserver [-ftvVh] [-c FILE] [-d DOMAIN] "
	       "[-l [HOST:]PORT]...\n"
	       "                [-w WORKERS] [-o KEY=VALUE]...\n\n"
	       "The server of localtunnel: visitors of NAME.DOMAIN reach the "
	       "local\nservice of whoever runs `ltclient -s NAME`.\n\n");
	for (size_t i = 0; i < OPTIONS_N; i++) {
		const struct main_option *o = &options[i];
		const char *line = o->help, *end;
		char left[40];

		snprintf(left, sizeof(left), "-%c, --%s %s", o->letter, o->name,
		    o->argument == NULL ? "" : o->argument);
		for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
			printf("  %-26s %.*s\n", left, (int)(end - line), line);
			left[0] = '\0';
		}
		printf("  %-26s %s\n", left, line);
	}
	printf("\nTry it: ltserver -f, then in another terminal\n"
	       "  ltclient -S http://localhost:8000 5000\n"
	       "See ltserver(8) and ltserver.conf(5).\n");
}

/* What getopt_long needs, from the table. */
static void
make_getopt(char *letters, struct option *longs)
{
	*letters++ = ':'; /* tell a missing argument from an unknown option */
	for (size_t i = 0; i < OPTIONS_N; i++) {
		const struct main_option *o = &options[i];

		*letters++ = o->letter;
		if (o->argument != NULL)
			*letters++ = ':';
		longs[i] = (struct option){ o->name, o->argument != NULL, NULL,
			o->letter };
	}
	*letters = '\0';
}

__attribute__((format(printf, 1, 2))) static _Noreturn void
usage(const char *fmt, ...)
{
	va_list ap;

	fputs("ltserver: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\nTry: ltserver --help\n", stderr);
	exit(MAIN_USAGE);
}

static void
set(struct config *config, const char *key, const char *value)
{
	char why[256];

	assert(key != NULL);
	if (config_set(config, key, value, why, sizeof(why)) == -1)
		usage("%s", why);
}

/* -o KEY=VALUE */
static void
set_pair(struct config *config, char *pair)
{
	char *value;

	assert(pair != NULL);
	value = strchr(pair, '=');
	if (value == NULL)
		usage("-o wants KEY=VALUE");
	*value++ = '\0';
	set(config, pair, value);
}

static const char *
key_of(int letter)
{
	for (size_t i = 0; i < OPTIONS_N; i++)
		if (options[i].letter == letter)
			return options[i].key;
	return NULL;
}

/* One option; true if it asks to check only. The file was read before, since
 * the command line goes over it. */
static bool
take_option(struct config *config, int letter, char *value)
{
	switch (letter) {
	case 'o':
		set_pair(config, value);
		break;
	case 'f':
		config->foreground = true;
		break;
	case 't':
		return true;
	case 'v':
		set(config, "log-level", "debug");
		break;
	case 'c':
		break;
	default:
		set(config, key_of(letter), value);
	}
	return false;
}

/* First round over the command line: what comes before all settings. */
static const char *
find_file(
    int argc, char **argv, const char *letters, const struct option *longs)
{
	const char *file = NULL;
	int letter;

	opterr = 0;
	while ((letter = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		switch (letter) {
		case 'h':
			print_help();
			exit(0);
		case 'V':
			printf("ltserver " LT_VERSION "\n");
			exit(0);
		case ':':
			usage("%s needs an argument", argv[optind - 1]);
		case '?':
			if (optopt == 0)
				usage("unknown option %s", argv[optind - 1]);
			if (strchr(letters, optopt) != NULL)
				usage("-%c takes no argument", optopt);
			usage("unknown option -%c", optopt);
		case 'c':
			file = optarg;
			break;
		}
	}
	if (optind < argc)
		usage("%s: no arguments are expected, only options",
		    argv[optind]);
	return file;
}

/* The file, then the command line over it; true if only to be checked. The
 * file that was read, or was looked for, goes to *path. */
static bool
configure(struct config *config, int argc, char **argv, const char **path)
{
	char letters[2 * OPTIONS_N + 2], why[256];
	struct option longs[OPTIONS_N + 1] = { { 0 } };
	const char *file;
	bool test = false;
	int letter;

	make_getopt(letters, longs);
	file = find_file(argc, argv, letters, longs);
	*path = file == NULL ? MAIN_CONFIG : file;
	if (config_file_read(config, *path, file != NULL) == -1)
		exit(MAIN_USAGE);
	optind = 0;
	while ((letter = getopt_long(argc, argv, letters, longs, NULL)) != -1)
		test |= take_option(config, letter, optarg);
	if (config_finish(config, why, sizeof(why)) == -1)
		usage("%s", why);
	return test;
}

/* The rest of -t: certificates are looked at, nothing is kept. Returns the exit
 * code. */
static int
check(const struct config *config, const char *file)
{
	char why[TLS_WHY_MAX];
	struct keyring *keyring = keyring_new(config, why);

	if (keyring == NULL) {
		fprintf(stderr, "ltserver: %s\n", why);
		return EXIT_FAILURE;
	}
	keyring_free(keyring);
	if (access(file, F_OK) == -1 && errno == ENOENT)
		printf("%s: not there, defaults are used\n", file);
	else
		printf("%s: good\n", file);
	return EXIT_SUCCESS;
}

/* libevent speaks of what it cannot do, such as wait for more descriptors. */
static void
event_log(int severity, const char *text)
{
	static struct log_limit limit;

	(void)severity;
	log_limited(&limit, LOG_LEVEL_WARN, "libevent: %s", text);
}

/* The life of the server; returns the exit code. */
static int
serve(struct config *config)
{
	struct service *service;
	struct master *master;
	int code;

	/* What is wrong with pid file or listeners is said on the terminal. */
	log_open("ltserver", config->log_level);
	event_set_log_callback(event_log);
	sandbox_preset(config);
	service = service_new(config);
	master = master_new(config, service);
	logs_open(config);
	service_detach(service, config);
	code = master_run(master);
	service_free(service);
	return code;
}

int
main(int argc, char **argv)
{
	struct config *config;
	const char *file;
	int code;

	if (stdfds_open() == -1)
		return EXIT_FAILURE;
	argv = title_init(argc, argv);
	umask(MAIN_UMASK);
	config = config_new();
	if (configure(config, argc, argv, &file))
		code = check(config, file);
	else
		code = serve(config);
	config_free(config);
	return code;
}
