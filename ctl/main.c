/* SPDX-License-Identifier: ISC
 *
 * ltctl: asks a running ltserver, and has it do things. The table of commands
 * is what --help, the checks of arguments and the form of answers come from.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ask.h"
#include "ctl/show.h"
#include "ctl/tokens.h"

#define MAIN_SOCKET "/run/localtunnel/ltserver.sock"
#define MAIN_USAGE  2 /* exit code: the command line */

struct main_command {
	const char *word;
	const char *argument; /* NULL: none */
	enum show_form form;
	const struct show_column *columns;
	const char *help;
};

static const struct main_command commands[] = {
	{ "status", NULL, SHOW_LIST, NULL, "how the server is" },
	{ "tunnels", NULL, SHOW_TABLE, show_tunnels, "all tunnels" },
	{ "workers", NULL, SHOW_TABLE, show_workers, "all worker processes" },
	{ "config", NULL, SHOW_CONFIG, NULL, "the settings in force" },
	{ "close", "NAME", SHOW_NOTHING, NULL,
	    "end a tunnel and what goes through it" },
	{ "reload", NULL, SHOW_NOTHING, NULL,
	    "as SIGHUP: read the settings again" },
	{ "upgrade", NULL, SHOW_NOTHING, NULL,
	    "as SIGUSR2: go on with the program that is installed now" },
	{ "reopen", NULL, SHOW_NOTHING, NULL, "as SIGUSR1: open logs again" },
	{ "drain", NULL, SHOW_NOTHING, NULL,
	    "as SIGTERM: end when nobody is served any more" },
	{ "stop", NULL, SHOW_NOTHING, NULL, "as SIGINT: end at once" },
};

#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

static const struct option longs[] = {
	{ "file", required_argument, NULL, 'f' },
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void
print_help(void)
{
	char left[32];

	printf("usage: ltctl [-jVh] [-s SOCKET] COMMAND [NAME]\n"
	       "       ltctl [-jVh] [-s SOCKET] [-f FILE] token ...\n\n"
	       "Asks a running ltserver, and has it do things.\n\n");
	for (size_t i = 0; i < COMMANDS_N; i++) {
		const struct main_command *c = &commands[i];

		snprintf(left, sizeof(left), "%s %s", c->word,
		    c->argument == NULL ? "" : c->argument);
		printf("  %-22s %s\n", left, c->help);
	}
	printf("\n"
	       "  token add NAME [RIGHT=VALUE]...\n"
	       "                         make a token, and show it once\n"
	       "  token list             all tokens and their rights\n"
	       "  token revoke NAME      end a token, and its tunnels\n");
	printf(
	    "\n"
	    "  -f, --file FILE        of tokens (default that of the server)\n"
	    "  -s, --socket SOCKET    of the server (default " MAIN_SOCKET ")\n"
	    "  -j, --json             answer in JSON\n"
	    "  -V, --version          print the version and exit\n"
	    "  -h, --help             print this and exit\n"
	    "\nSee ltctl(8).\n");
}

__attribute__((format(printf, 1, 2))) static _Noreturn void
usage(const char *fmt, ...)
{
	va_list ap;

	fputs("ltctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\nTry: ltctl --help\n", stderr);
	exit(MAIN_USAGE);
}

static const struct main_command *
find_command(const char *word)
{
	for (size_t i = 0; i < COMMANDS_N; i++)
		if (strcmp(commands[i].word, word) == 0)
			return &commands[i];
	return NULL;
}

static void
keep_row(void *arg, const json_t *row)
{
	json_array_append(arg, (json_t *)row);
}

/* Returns the exit code. */
static int
run(const struct main_command *c, const char *socket, const char *name,
    bool in_json)
{
	json_t *rows = json_array();
	char why[ASK_WHY_MAX];

	if (ask(socket, c->word, name, keep_row, rows, why) == -1) {
		fprintf(stderr, "ltctl: %s\n", why);
		json_decref(rows);
		return EXIT_FAILURE;
	}
	if (in_json)
		show_json(c->form, rows);
	else
		show_text(c->form, c->columns, rows);
	json_decref(rows);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* What stands behind the options. */
static const struct main_command *
take_command(int argc, char **argv, const char **name)
{
	const struct main_command *c;

	if (argc == 0)
		usage("what is it to do? A command is missing");
	c = find_command(argv[0]);
	if (c == NULL)
		usage("%s: there is no such command", argv[0]);
	if (c->argument != NULL && argc < 2)
		usage("%s needs the name of a tunnel", c->word);
	if (argc > (c->argument == NULL ? 1 : 2))
		usage("%s: too many arguments", c->word);
	*name = c->argument == NULL ? NULL : argv[1];
	return c;
}

int
main(int argc, char **argv)
{
	struct tokens_where where = { .socket = MAIN_SOCKET };
	const char *name, *wrong;
	const struct main_command *c;
	int letter;

	opterr = 0;
	while (
	    (letter = getopt_long(argc, argv, ":f:s:jVh", longs, NULL)) != -1)
		switch (letter) {
		case 'f':
			where.file = optarg;
			break;
		case 's':
			where.socket = optarg;
			break;
		case 'j':
			where.in_json = true;
			break;
		case 'V':
			printf("ltctl " LT_VERSION "\n");
			return EXIT_SUCCESS;
		case 'h':
			print_help();
			return EXIT_SUCCESS;
		case ':':
			usage("%s needs an argument", argv[optind - 1]);
		default:
			usage("unknown option %s", argv[optind - 1]);
		}
	argc -= optind;
	argv += optind;
	if (argc > 0 && strcmp(argv[0], "token") == 0) {
		if ((wrong = tokens_check(argc - 1, argv + 1)) != NULL)
			usage("%s", wrong);
		return tokens_run(&where, argc - 1, argv + 1);
	}
	if (where.file != NULL)
		usage("--file is of token only");
	c = take_command(argc, argv, &name);
	return run(c, where.socket, name, where.in_json);
}
