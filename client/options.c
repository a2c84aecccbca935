/* SPDX-License-Identifier: ISC
 *
 * The one table of options, from which getopt_long(3), --help and what is given
 * are fed. Called by main only. Says nothing itself and never exits.
 */
#include "client/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "client/config.h"
#include "client/lt.h"
#include "client/options_server.h"
#include "client/options_tunnel.h"
#include "client/processes.h"

/* What the command line says, before it is understood as a whole. */
struct given {
	const char *config;
	const char *server;
	const char *ca;
	const char *token;
	const char *processes;
	char *proxy; /* wiped, if there is a password in it */
	bool insecure;
	bool json;
	bool no_reconnect;
	bool all;
	bool open;
	bool as_lt; /* see lt.h */
	bool quiet;
	bool verbose;
	bool version;
	bool help;
	struct options_given of; /* what is of one tunnel */
};

#define AT(member) offsetof(struct given, member)

struct row {
	int letter; /* 0: none */
	const char *names[4];
	const char *arg; /* its name in --help; NULL: takes none */
	size_t at;	 /* of a text, or without arg of a bool, in given */
	const char *help;
	const char *key; /* in the section of a tunnel; NULL: not there */
};

static const struct row rows[] = {
	{ 'S', { "server", "host", "to" }, "URL", AT(server),
	    "tunnel server (else LT_SERVER, else the file)", NULL },
	{ 0, { "ca" }, "FILE", AT(ca),
	    "who may vouch for the server (else the system's)", NULL },
	{ 0, { "insecure" }, NULL, AT(insecure),
	    "take any certificate of the server", NULL },
	{ 0, { "proxy" }, "URL", AT(proxy),
	    "HTTP proxy to the server (else https_proxy, ...)", NULL },
	{ 't', { "token" }, "TOKEN", AT(token),
	    "what the server wants to see (else LT_TOKEN, else the file)",
	    NULL },
	{ 's', { "subdomain" }, "NAME", AT(of.name), "ask for this name",
	    NULL },
	{ 'n', { "name" }, "NAME", AT(of.name), "the same", "name" },
	{ 0, { "fallback" }, NULL, AT(of.fallback),
	    "take another name if that one is taken", "fallback" },
	{ 0, { "group" }, "KEY", AT(of.group),
	    "share the name with all clients that say the same", "group" },
	{ 0, { "domain" }, "HOST", AT(of.domain),
	    "a custom host name, which leads to the server", "domain" },
	{ 'r', { "remote-port" }, "PORT", AT(of.remote_port),
	    "tcp: ask for this public port", "remote-port" },
	{ 'p', { "port" }, "PORT", AT(of.target), "the same as TARGET",
	    "target" },
	{ 'l', { "local-host" }, "HOST", AT(of.local_host),
	    "connect to this host instead of localhost", "local-host" },
	{ 0, { "local-https" }, NULL, AT(of.local_https),
	    "the local service speaks TLS, as with https://", "local-https" },
	{ 0, { "local-ca" }, "FILE", AT(of.local_ca),
	    "who may vouch for the local service", "local-ca" },
	{ 0, { "local-cert" }, "FILE", AT(of.local_cert),
	    "shown to the local service, with --local-key", "local-cert" },
	{ 0, { "local-key" }, "FILE", AT(of.local_key), "the key of that one",
	    "local-key" },
	{ 0, { "allow-invalid-cert" }, NULL, AT(of.allow_invalid_cert),
	    "take any certificate of the local service", "allow-invalid-cert" },
	{ 0, { "proxy-protocol" }, "1|2", AT(of.proxy_protocol),
	    "tell the local service who calls, by a PROXY header",
	    "proxy-protocol" },
	{ 0, { "auth" }, "USER:PASS", AT(of.auth),
	    "ask visitors for this (else LT_AUTH); may be repeated", "auth" },
	{ 0, { "allow" }, "NETWORK", AT(of.allow),
	    "let in visitors from there only; may be repeated", "allow" },
	{ 0, { "deny" }, "NETWORK", AT(of.deny),
	    "let in no visitors from there; may be repeated", "deny" },
	{ 0, { "host-header" }, "VALUE", AT(of.host_header),
	    "what Host becomes: rewrite (the host of TARGET) or a value",
	    "host-header" },
	{ 'o', { "open" }, NULL, AT(open), "open the URL in a browser", NULL },
	{ 0, { "print-requests" }, NULL, AT(of.print_requests),
	    "show each request and its answer", "print-requests" },
	{ 0, { NULL }, "KIND", AT(of.kind), NULL, "kind" },
	{ 0, { "all" }, NULL, AT(all), "start: all tunnels of the file", NULL },
	{ 0, { "json" }, NULL, AT(json), "one JSON object for each event",
	    NULL },
	{ 0, { "no-reconnect" }, NULL, AT(no_reconnect),
	    "exit when the server is lost", NULL },
	{ 0, { "processes" }, "N", AT(processes),
	    "use so many cores at most (else all)", NULL },
	{ 'c', { "config" }, "FILE", AT(config),
	    "read this configuration file too", NULL },
	{ 'q', { "quiet" }, NULL, AT(quiet),
	    "say nothing but the URL and errors", NULL },
	{ 'v', { "verbose" }, NULL, AT(verbose), "say more", NULL },
	{ 'V', { "version" }, NULL, AT(version), "print the version", NULL },
	{ 'h', { "help" }, NULL, AT(help), "print this", NULL },
};

#define ROWS   (sizeof(rows) / sizeof(rows[0]))
#define LONGS  (ROWS * 4 + 1)
#define SHORTS (ROWS * 2 + 2)

/* What getopt_long(3) says instead of a letter: this and the row's number. */
#define NO_LETTER 256

static void
make_getopt(struct option longs[LONGS], char shorts[SHORTS])
{
	const struct row *row;
	int i;

	*shorts++ = ':'; /* tell a missing argument from an unknown option */
	for (row = rows; row < rows + ROWS; row++) {
		if (row->letter != 0) {
			*shorts++ = (char)row->letter;
			if (row->arg != NULL)
				*shorts++ = ':';
		}
		for (i = 0; i < 4 && row->names[i] != NULL; i++) {
			longs->name = row->names[i];
			longs->has_arg = row->arg != NULL;
			longs->flag = NULL;
			longs->val = row->letter != 0
					 ? row->letter
					 : NO_LETTER + (int)(row - rows);
			longs++;
		}
	}
	*shorts = '\0';
	memset(longs, 0, sizeof(*longs));
}

void
options_help(FILE *out)
{
	const struct row *row;
	char left[64];
	int i, n;

	fputs("usage: ltclient [options] [http | tls | tcp] TARGET\n"
	      "       ltclient [options] start NAME... | start --all\n"
	      "       ltclient [options] diagnose\n"
	      "Gives a local service a public URL; start does it for tunnels "
	      "of the\nconfiguration file, and diagnose looks for what is in "
	      "the way to the server.\n\n"
	      "  TARGET                   PORT, HOST:PORT, http://HOST:PORT,\n"
	      "                           https://HOST:PORT or unix:/PATH\n",
	    out);
	for (row = rows; row < rows + ROWS; row++) {
		if (row->help == NULL)
			continue;
		n = row->letter != 0
			? snprintf(left, sizeof(left), "-%c", row->letter)
			: snprintf(left, sizeof(left), "   ");
		for (i = 0; i < 4 && row->names[i] != NULL; i++)
			n += snprintf(left + n, sizeof(left) - (size_t)n,
			    n > 3 || n == 2 ? ", --%s" : " --%s",
			    row->names[i]);
		if (row->arg != NULL)
			snprintf(left + n, sizeof(left) - (size_t)n, " %s",
			    row->arg);
		fprintf(out,
		    strlen(left) > 24 ? "  %s\n  %24s %s\n" : "  %-24s%s %s\n",
		    left, "", row->help);
	}
	fputs("\nExit codes: 0 ended by request, 1 failure, 2 usage, 3 name "
	      "refused or taken,\n4 not authorised, 5 server unreachable "
	      "(with --no-reconnect). See ltclient(1).\n",
	    out);
}

__attribute__((format(printf, 2, 3))) static enum options_result
bad(char error[OPTIONS_ERROR_MAX], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(error, OPTIONS_ERROR_MAX, fmt, args);
	va_end(args);
	return OPTIONS_BAD;
}

static enum options_result
set_once(const char **where, const char *value, const char *what, char *error)
{
	if (*where != NULL)
		return bad(error, "%s was given twice", what);
	*where = value;
	return OPTIONS_RUN;
}

static const struct row *
find_row(int id)
{
	const struct row *row = rows;

	if (id >= NO_LETTER)
		return &rows[id - NO_LETTER];
	while (row->letter != id)
		row++;
	return row;
}

/* What takes one that may be repeated; NULL for all others. */
static gate_add_fn *
find_add(const struct row *row)
{
	static const struct {
		size_t at;
		gate_add_fn *add;
	} repeated[] = {
		{ AT(of.auth), gate_add_auth },
		{ AT(of.allow), gate_add_allow },
		{ AT(of.deny), gate_add_deny },
	};

	for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]); i++)
		if (repeated[i].at == row->at)
			return repeated[i].add;
	return NULL;
}

/* Takes a text that somebody calls `name`. */
static enum options_result
take_text(struct tunnel_options *tunnel, const char **where,
    const struct row *row, const char *name, char *text, char *error)
{
	gate_add_fn *add = find_add(row);
	const char *wrong;

	if (add != NULL && (wrong = add(&tunnel->gate, text)) != NULL)
		return bad(error, "%s: \"%s\" is %s", name, text, wrong);
	*where = text;
	return OPTIONS_RUN;
}

/* Takes one option of getopt. */
static enum options_result
take(struct options *options, struct given *given, int id, char *error)
{
	const struct row *row = find_row(id);
	char *where = (char *)given + row->at;
	char name[64];

	if (row->at == AT(of.target))
		return set_once(&given->of.target, optarg, "TARGET", error);
	snprintf(name, sizeof(name), "--%s", row->names[0]);
	if (row->arg != NULL &&
	    take_text(&options->tunnels[0], (const char **)where, row, name,
		optarg, error) == OPTIONS_BAD)
		return OPTIONS_BAD;
	if (row->arg == NULL)
		*(bool *)where = true;
	if (given->version)
		return OPTIONS_VERSION;
	return given->help ? OPTIONS_HELP : OPTIONS_RUN;
}

/* --- one tunnel, or more ---------------------------------------------------
 */

static bool
make_tunnels(struct options *options, size_t n, char *error)
{
	free(options->tunnels);
	options->tunnels_n = n;
	options->tunnels = calloc(n, sizeof(*options->tunnels));
	if (options->tunnels == NULL)
		bad(error, "out of memory");
	return options->tunnels != NULL;
}

/* Understands what was given of one tunnel, once all is there. */
static enum options_result
settle_tunnel(struct tunnel_options *tunnel, const struct options *options,
    const struct options_given *of, char *error)
{
	tunnel->display = options->display;
	return options_tunnel(tunnel, of, error) ? OPTIONS_RUN : OPTIONS_BAD;
}

static bool
is_kind(const char *word)
{
	return strcmp(word, "http") == 0 || strcmp(word, "tls") == 0 ||
	       strcmp(word, "tcp") == 0;
}

/* What is left over, without start: [http | tls | tcp] TARGET. */
static enum options_result
take_words(struct given *given, int argc, char **argv, char *error)
{
	if (given->all)
		return bad(error, "--all needs start before it");
	if (argc > 0 && is_kind(argv[0])) {
		given->of.kind = argv[0];
		argc--;
		argv++;
	}
	if (argc == 2 && given->server == NULL && strstr(argv[0], "://"))
		return bad(error,
		    "there can be only one TARGET; did you mean -S %s %s?",
		    argv[0], argv[1]);
	if (argc > 1)
		return bad(
		    error, "\"%s\": there can be only one TARGET", argv[1]);
	if (argc == 1)
		return set_once(&given->of.target, argv[0], "TARGET", error);
	return OPTIONS_RUN;
}

/* --- start -----------------------------------------------------------------
 */

/* Puts the place in the file before a text. In the file things are called
 * without the hyphens that they have on the command line. */
static enum options_result
bad_section(const struct config_tunnel *section, int line, char *error)
{
	char text[OPTIONS_ERROR_MAX], *out = text;
	const char *in;

	for (in = error; *in != '\0'; in++)
		if (in[0] == '-' && in[1] == '-')
			in++;
		else
			*out++ = *in;
	*out = '\0';
	return bad(error, "%s:%d: tunnel \"%s\": %s", section->file, line,
	    section->name, text);
}

/* Takes what stands behind one key. */
static enum options_result
take_key(struct tunnel_options *tunnel, struct given *given,
    const struct config_value *value, char *error)
{
	const struct row *row = rows;
	char *where;

	while (row->key == NULL || strcmp(row->key, value->key) != 0)
		row++;
	where = (char *)given + row->at;
	if (row->arg != NULL)
		return take_text(tunnel, (const char **)where, row, row->key,
		    value->text, error);
	if (!config_flag((bool *)where, value->text))
		return bad(error, "%s = \"%s\": it is yes or no", row->key,
		    value->text);
	return OPTIONS_RUN;
}

/* Relative paths would depend on where ltclient was started. */
static enum options_result
check_paths(const struct options_given *of, char *error)
{
	const char *paths[] = { of->local_ca, of->local_cert, of->local_key };

	for (size_t i = 0; i < 3; i++)
		if (paths[i] != NULL && paths[i][0] != '/')
			return bad(error, "\"%s\": the path must begin with /",
			    paths[i]);
	return OPTIONS_RUN;
}

/* Makes a tunnel from its section. */
static enum options_result
read_section(struct tunnel_options *tunnel, const struct options *options,
    const struct config_tunnel *section, char *error)
{
	struct given given = { 0 };
	size_t i;

	for (i = 0; i < section->values_n; i++)
		if (take_key(tunnel, &given, &section->values[i], error) ==
		    OPTIONS_BAD)
			return bad_section(
			    section, section->values[i].line, error);
	if (check_paths(&given.of, error) == OPTIONS_BAD ||
	    settle_tunnel(tunnel, options, &given.of, error) == OPTIONS_BAD)
		return bad_section(section, section->line, error);
	tunnel->display.tunnel = section->name;
	tunnel->display.is_one_of_many = options->tunnels_n > 1;
	return OPTIONS_RUN;
}

static enum options_result
no_tunnel(const struct config *config, const char *name, char *error)
{
	char names[OPTIONS_ERROR_MAX / 2] = "";
	size_t i, len = 0;

	for (i = 0; i < config->tunnels_n && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len,
		    "%s%s", i > 0 ? ", " : "", config->tunnels[i].name);
	if (config->tunnels_n == 0)
		snprintf(names, sizeof(names), "none");
	return bad(error, "no tunnel \"%s\" in %s; those that are there: %s",
	    name,
	    config->files != NULL ? config->files
				  : "a configuration file, since there is none",
	    names);
}

/* What is said of one tunnel on the command line has no place there. */
static enum options_result
check_start(const struct given *given, int argc, char **argv, char *error)
{
	const struct options_given none = { 0 };
	const struct row *row;
	int i, j;

	for (row = rows; row < rows + ROWS; row++)
		if (row->at >= AT(of) &&
		    memcmp((const char *)given + row->at,
			(const char *)&none + (row->at - AT(of)),
			row->arg != NULL ? sizeof(char *) : sizeof(bool)) != 0)
			return bad(error,
			    "--%s is of one tunnel: with start it stands in "
			    "the configuration file",
			    row->names[0]);
	if (given->all && argc > 0)
		return bad(
		    error, "\"%s\" and --all: one or the other", argv[0]);
	if (!given->all && argc == 0)
		return bad(error, "start which tunnels? name some of the "
				  "configuration file, or say --all");
	for (i = 1; i < argc; i++)
		for (j = 0; j < i; j++)
			if (strcmp(argv[i], argv[j]) == 0)
				return bad(
				    error, "\"%s\" is there twice", argv[i]);
	return OPTIONS_RUN;
}

/* The tunnels of the configuration file: those names, or all. */
static enum options_result
take_start(struct options *options, const struct given *given, int argc,
    char **argv, char *error)
{
	const struct config *config = &options->config;
	size_t i, n = given->all ? config->tunnels_n : (size_t)argc;
	const struct config_tunnel *section;

	if (n == 0)
		return bad(error, "no tunnel in %s",
		    config->files != NULL ? config->files
					  : "a configuration file, since "
					    "there is none");
	if (!make_tunnels(options, n, error))
		return OPTIONS_BAD;
	for (i = 0; i < n; i++) {
		section = given->all ? &config->tunnels[i]
				     : config_find(config, argv[i]);
		if (section == NULL)
			return no_tunnel(config, argv[i], error);
		if (read_section(&options->tunnels[i], options, section,
			error) == OPTIONS_BAD)
			return OPTIONS_BAD;
	}
	return OPTIONS_RUN;
}

/* --- all of it -------------------------------------------------------------
 */

static enum options_result
read_config(struct options *options, const char *file, char *error)
{
	struct config_key keys[ROWS + 1] = { 0 };
	const struct row *row;
	size_t n = 0;

	for (row = rows; row < rows + ROWS; row++)
		if (row->key != NULL)
			keys[n++] = (struct config_key){ row->key,
				find_add(row) != NULL };
	return config_read(
		   &options->config, keys, file, error, OPTIONS_ERROR_MAX) == 0
		   ? OPTIONS_RUN
		   : OPTIONS_BAD;
}

static bool
is_word(int argc, char **argv, const char *word)
{
	return argc > 0 && strcmp(argv[0], word) == 0;
}

/* What is left over. */
static enum options_result
check_words(struct given *given, int argc, char **argv, char *error)
{
	if (is_word(argc, argv, "start"))
		return check_start(given, argc - 1, argv + 1, error);
	if (!is_word(argc, argv, "diagnose"))
		return take_words(given, argc, argv, error);
	return argc == 1 ? OPTIONS_RUN
			 : bad(error,
			       "\"%s\": diagnose takes no TARGET, but options "
			       "such as -S URL",
			       argv[1]);
}

/* Understands what was given, once all is there. */
static enum options_result
settle(struct options *options, struct given *given, int argc, char **argv,
    char *error)
{
	const struct options_server of = { given->server, given->ca,
		given->insecure, given->token, given->proxy };

	options->processes = processes_default();
	if (given->processes != NULL &&
	    !processes_read(&options->processes, given->processes))
		return bad(error, "--processes: it is a number from 1 to %d",
		    PROCESSES_MAX);
	options->no_reconnect = given->no_reconnect;
	options->open = given->open;
	options->display.as_lt = given->as_lt;
	options->display.json = given->json;
	options->display.quiet = given->quiet;
	options->display.verbose = given->verbose;
	if (check_words(given, argc, argv, error) == OPTIONS_BAD ||
	    (!given->as_lt &&
		read_config(options, given->config, error) == OPTIONS_BAD) ||
	    !options_server(options, &of, error))
		return OPTIONS_BAD;
	if (is_word(argc, argv, "diagnose"))
		return OPTIONS_DIAGNOSE;
	if (is_word(argc, argv, "start"))
		return take_start(options, given, argc - 1, argv + 1, error);
	return settle_tunnel(&options->tunnels[0], options, &given->of, error);
}

enum options_result
options_read(struct options *options, int argc, char **argv,
    char error[OPTIONS_ERROR_MAX])
{
	struct option longs[LONGS];
	char shorts[SHORTS];
	struct given given = { .as_lt = lt_is_called(argv[0]) };
	enum options_result result;
	int id;

	memset(options, 0, sizeof(*options));
	if (!make_tunnels(options, 1, error))
		return OPTIONS_BAD;
	make_getopt(longs, shorts);
	opterr = 0;
	optind = 0;
	while ((id = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (id == ':')
			return bad(
			    error, "%s needs an argument", argv[optind - 1]);
		if (id == '?')
			return optopt != 0 && optopt < 256
				   ? bad(error, "unknown option -%c", optopt)
				   : bad(error, "unknown option %s",
					 argv[optind - 1]);
		result = take(options, &given, id, error);
		if (result != OPTIONS_RUN)
			return result;
	}
	return settle(options, &given, argc - optind, argv + optind, error);
}

void
options_fini(struct options *options)
{
	free(options->tunnels);
	options->tunnels = NULL;
	config_fini(&options->config);
}
