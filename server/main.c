/* SPDX-License-Identifier: ISC
 *
 * ltserver: the command line.
 */
#define _GNU_SOURCE

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
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
#include "server/config_pack.h"
#include "server/handoff.h"
#include "server/keyring.h"
#include "server/logs.h"
#include "server/master.h"
#include "server/sandbox.h"
#include "server/service.h"
#include "server/title.h"
#include "server/tokens.h"

#define MAIN_CONFIG "/etc/localtunnel/ltserver.conf"
#define MAIN_USAGE  2		 /* exit code: command line or configuration */
#define MAIN_UMASK  027		 /* of all that is made, others see nothing */
#define MAIN_MAPPED (128 * 1024) /* bytes that get a mapping of their own */
#define MAIN_KEPT   (8 * 1024 * 1024) /* free ones that are kept */

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

/* The command line, as it was given. */
struct args {
	int argc;
	char **argv;
	char *file; /* to be read, absolute */
	bool must_exist;
	bool test;
	bool foreground;
};

static bool
set(struct config *config, const char *key, const char *value, FILE *faults)
{
	char why[256];

	assert(key != NULL);
	if (config_set(config, key, value, why, sizeof(why)) == 0)
		return true;
	fprintf(faults, "%s\n", why);
	return false;
}

/* -o KEY=VALUE */
static bool
set_pair(struct config *config, const char *pair, FILE *faults)
{
	char *key, *value;
	bool is_good;

	assert(pair != NULL);
	key = log_must_strdup(pair);
	value = strchr(key, '=');
	if (value == NULL) {
		fprintf(faults, "-o wants KEY=VALUE\n");
		free(key);
		return false;
	}
	*value++ = '\0';
	is_good = set(config, key, value, faults);
	free(key);
	return is_good;
}

static const char *
key_of(int letter)
{
	for (size_t i = 0; i < OPTIONS_N; i++)
		if (options[i].letter == letter)
			return options[i].key;
	return NULL;
}

/* One option; false if it is wrong. The file was read before, since the command
 * line goes over it. */
static bool
take_option(struct config *config, int letter, char *value, FILE *faults)
{
	switch (letter) {
	case 'o':
		return set_pair(config, value, faults);
	case 'f':
		config->foreground = true;
		return true;
	case 'v':
		return set(config, "log-level", "debug", faults);
	case 'c':
	case 't':
		return true;
	default:
		return set(config, key_of(letter), value, faults);
	}
}

/* A path that stays the same when the daemon has left its directory. */
static char *
absolute(const char *path)
{
	char dir[PATH_MAX], *whole;

	if (path[0] == '/' || getcwd(dir, sizeof(dir)) == NULL)
		return log_must_strdup(path);
	if (asprintf(&whole, "%s/%s", dir, path) == -1)
		fatal("out of memory");
	return whole;
}

/* First round over the command line: what comes before all settings. */
static void
look_over(struct args *args)
{
	char letters[2 * OPTIONS_N + 2];
	struct option longs[OPTIONS_N + 1] = { { 0 } };
	const char *file = NULL;
	char **argv = args->argv;
	int letter;

	make_getopt(letters, longs);
	opterr = 0;
	while ((letter = getopt_long(args->argc, argv, letters, longs, NULL)) !=
	       -1) {
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
		case 't':
			args->test = true;
			break;
		case 'f':
			args->foreground = true;
			break;
		}
	}
	if (optind < args->argc)
		usage("%s: no arguments are expected, only options",
		    argv[optind]);
	args->must_exist = file != NULL;
	args->file = absolute(file != NULL ? file : MAIN_CONFIG);
}

/* The file, then the command line over it; each time that they are wanted. */
static struct config *
configure(void *arg, FILE *faults)
{
	char letters[2 * OPTIONS_N + 2], why[256];
	struct option longs[OPTIONS_N + 1] = { { 0 } };
	struct config *config = config_new();
	const struct args *args = arg;
	int letter, result;

	make_getopt(letters, longs);
	result = config_file_read(config, args->file, args->must_exist, faults);
	optind = 0;
	while (result == 0 && (letter = getopt_long(args->argc, args->argv,
				   letters, longs, NULL)) != -1)
		if (!take_option(config, letter, optarg, faults))
			result = -1;
	if (result == 0 && config_finish(config, why, sizeof(why)) == -1) {
		fprintf(faults, "%s\n", why);
		result = -1;
	}
	if (result == 0) {
		sandbox_preset(config);
		return config;
	}
	config_free(config);
	return NULL;
}

/* The same at the start: what is wrong goes to the terminal. */
static struct config *
configure_first(struct args *args)
{
	char *text = NULL, *rest, *line;
	size_t len;
	FILE *faults = open_memstream(&text, &len);
	struct config *config;
	bool is_usage = false;

	if (faults == NULL)
		fatal("out of memory");
	config = configure(args, faults);
	fclose(faults);
	rest = text;
	while (config == NULL && (line = strsep(&rest, "\n")) != NULL) {
		if (line[0] == '\0')
			continue;
		is_usage = strncmp(line, args->file, strlen(args->file)) != 0;
		fprintf(stderr, "%s%s\n", is_usage ? "ltserver: " : "", line);
	}
	if (is_usage)
		fputs("Try: ltserver --help\n", stderr);
	free(text);
	return config;
}

/* The rest of -t: certificates and tokens are looked at, nothing is kept.
 * Returns the exit code. */
static int
check(const struct config *config, const char *file)
{
	char why[TOKENS_WHY_MAX];
	struct keyring *keyring = keyring_new(config, why);
	struct tokens *tokens = tokens_new();
	bool is_good =
	    keyring != NULL && tokens_read(tokens, config->tokens, why);

	tokens_free(tokens);
	keyring_free(keyring);
	if (!is_good) {
		fprintf(stderr, "ltserver: %s\n", why);
		return EXIT_FAILURE;
	}
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
serve(struct config *config, struct args *args)
{
	struct master_setup setup = { configure, args, args->argv };
	struct service *service;
	struct master *master;
	int code;

	/* What is wrong with pid file or listeners is said on the terminal. */
	log_open("ltserver", config->log_level);
	event_set_log_callback(event_log);
	service = service_new(config);
	master = master_new(config, service, &setup, NULL);
	logs_open(config);
	service_detach(service, config);
	code = master_run(master);
	service_free(service);
	return code;
}

/* The same in the place of another program, which has handed over all that it
 * had, and its settings. */
static int
go_on(struct handoff *handoff, struct args *args)
{
	struct master_setup setup = { configure, args, args->argv };
	struct config *config;
	struct service *service;
	struct master *master;
	char why[256];
	int code;

	config =
	    config_unpack(json_object_get(handoff_root(handoff), "settings"),
		why, sizeof(why));
	if (config == NULL)
		fatal("the settings handed over: %s", why);
	config->foreground = args->foreground;
	log_open("ltserver", config->log_level);
	log_role("master");
	logs_adopt(handoff, config);
	event_set_log_callback(event_log);
	service = service_adopt(handoff, config);
	master = master_new(config, service, &setup, handoff);
	if (!args->foreground && chdir("/") == -1)
		log_warn("cannot leave the directory: %s", strerror(errno));
	code = master_run(master);
	service_free(service);
	return code;
}

static int
run(struct args *args)
{
	char why[HANDOFF_WHY_MAX];
	struct handoff *handoff = handoff_take(why);
	struct config *config = NULL;
	int code = MAIN_USAGE;

	if (why[0] != '\0')
		fatal("%s", why);
	if (handoff != NULL && !args->test)
		return go_on(handoff, args);
	config = configure_first(args);
	if (config != NULL && !args->test)
		return serve(config, args);
	if (config != NULL)
		code = check(config, args->file);
	if (code == EXIT_SUCCESS && handoff != NULL)
		printf(HANDOFF_GOOD);
	handoff_free(handoff);
	config_free(config);
	return code;
}

int
main(int argc, char **argv)
{
	struct args args = { .argc = argc };
	int code;

	if (stdfds_open() == -1)
		return EXIT_FAILURE;
	/* Tables with a row for every tunnel there might be are mapped, and
	 * take no more than what is touched. Left to itself malloc stops that
	 * once a worker has freed those of the master. */
	mallopt(M_MMAP_THRESHOLD, MAIN_MAPPED);
	mallopt(M_TRIM_THRESHOLD, MAIN_KEPT);
	args.argv = title_init(argc, argv);
	umask(MAIN_UMASK);
	look_over(&args);
	code = run(&args);
	free(args.file);
	return code;
}
