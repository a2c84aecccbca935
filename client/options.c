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
#include <strings.h>

#include "client/config.h"

/* What the command line says, before it is understood as a whole. */
struct given {
	const char *config;
	const char *server;
	const char *name;
	const char *target;
	const char *local_host;
	const char *host_header;
	const char *ca;
	const char *local_ca;
	const char *local_cert;
	const char *local_key;
	const char *proxy_protocol;
	const char *auth; /* the last of those; all are in the gate, */
	const char *allow;
	const char *deny;
	struct gate *gate; /* which is that of the options */
	bool insecure;
	bool local_https;
	bool allow_invalid_cert;
	bool fallback;
	bool print_requests;
	bool json;
	bool no_reconnect;
	bool quiet;
	bool verbose;
	bool version;
	bool help;
};

#define AT(member) offsetof(struct given, member)

struct row {
	int letter; /* 0: none */
	const char *names[4];
	const char *arg; /* its name in --help; NULL: takes none */
	size_t at;	 /* of a text, or without arg of a bool, in given */
	const char *help;
};

static const struct row rows[] = {
	{ 'S', { "server", "host", "to" }, "URL", AT(server),
	    "tunnel server (else LT_SERVER, else the file)" },
	{ 0, { "ca" }, "FILE", AT(ca),
	    "who may vouch for the server (else the system's)" },
	{ 0, { "insecure" }, NULL, AT(insecure),
	    "take any certificate of the server" },
	{ 's', { "subdomain" }, "NAME", AT(name), "ask for this name" },
	{ 'n', { "name" }, "NAME", AT(name), "the same" },
	{ 0, { "fallback" }, NULL, AT(fallback),
	    "take another name if that one is taken" },
	{ 'p', { "port" }, "PORT", AT(target), "the same as TARGET" },
	{ 'l', { "local-host" }, "HOST", AT(local_host),
	    "connect to this host instead of localhost" },
	{ 0, { "local-https" }, NULL, AT(local_https),
	    "the local service speaks TLS, as with https://" },
	{ 0, { "local-ca" }, "FILE", AT(local_ca),
	    "who may vouch for the local service" },
	{ 0, { "local-cert" }, "FILE", AT(local_cert),
	    "shown to the local service, with --local-key" },
	{ 0, { "local-key" }, "FILE", AT(local_key), "the key of that one" },
	{ 0, { "allow-invalid-cert" }, NULL, AT(allow_invalid_cert),
	    "take any certificate of the local service" },
	{ 0, { "proxy-protocol" }, "1|2", AT(proxy_protocol),
	    "tell the local service who calls, by a PROXY header" },
	{ 0, { "auth" }, "USER:PASS", AT(auth),
	    "ask visitors for this (else LT_AUTH); may be repeated" },
	{ 0, { "allow" }, "NETWORK", AT(allow),
	    "let in visitors from there only; may be repeated" },
	{ 0, { "deny" }, "NETWORK", AT(deny),
	    "let in no visitors from there; may be repeated" },
	{ 0, { "host-header" }, "VALUE", AT(host_header),
	    "what Host becomes: rewrite (the host of TARGET) or a value" },
	{ 0, { "print-requests" }, NULL, AT(print_requests),
	    "show each request and its answer" },
	{ 0, { "json" }, NULL, AT(json), "one JSON object for each event" },
	{ 0, { "no-reconnect" }, NULL, AT(no_reconnect),
	    "exit when the server is lost" },
	{ 'c', { "config" }, "FILE", AT(config),
	    "read this configuration file too" },
	{ 'q', { "quiet" }, NULL, AT(quiet),
	    "say nothing but the URL and errors" },
	{ 'v', { "verbose" }, NULL, AT(verbose), "say more" },
	{ 'V', { "version" }, NULL, AT(version), "print the version" },
	{ 'h', { "help" }, NULL, AT(help), "print this" },
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

	fputs("usage: ltclient [options] [http | tls] TARGET\n"
	      "Gives a local service a public URL.\n\n"
	      "  TARGET                   PORT, HOST:PORT, http://HOST:PORT,\n"
	      "                           https://HOST:PORT or unix:/PATH\n",
	    out);
	for (row = rows; row < rows + ROWS; row++) {
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
		{ AT(auth), gate_add_auth },
		{ AT(allow), gate_add_allow },
		{ AT(deny), gate_add_deny },
	};

	for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]); i++)
		if (repeated[i].at == row->at)
			return repeated[i].add;
	return NULL;
}

/* Takes one option of getopt. */
static enum options_result
take(struct given *given, int id, char *error)
{
	const struct row *row = find_row(id);
	char *where = (char *)given + row->at;
	gate_add_fn *add = find_add(row);
	const char *wrong;

	if (add != NULL && (wrong = add(given->gate, optarg)) != NULL)
		return bad(
		    error, "--%s: \"%s\" is %s", row->names[0], optarg, wrong);
	if (row->at == AT(target))
		return set_once(&given->target, optarg, "TARGET", error);
	if (row->arg != NULL)
		*(const char **)where = optarg;
	else
		*(bool *)where = true;
	if (given->version)
		return OPTIONS_VERSION;
	return given->help ? OPTIONS_HELP : OPTIONS_RUN;
}

/* Words of later releases, so that they are not taken for a TARGET. */
static bool
is_reserved(const char *word)
{
	static const char *const words[] = { "tcp", "start", "diagnose" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* What is left over: [http | tls] TARGET. */
static enum options_result
take_words(struct options *options, struct given *given, int argc, char **argv,
    char *error)
{
	bool is_tls = argc > 0 && strcmp(argv[0], "tls") == 0;

	if (argc > 0 && is_reserved(argv[0]))
		return bad(error, "%s: not in this release", argv[0]);
	if (is_tls)
		options->kind = "tls";
	if (is_tls || (argc > 0 && strcmp(argv[0], "http") == 0)) {
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
		return set_once(&given->target, argv[0], "TARGET", error);
	return OPTIONS_RUN;
}

static enum options_result
set_target(struct options *options, const struct given *given, char *error)
{
	struct target *target = &options->target;
	char text[TARGET_TEXT_MAX];
	const char *why;
	bool is_v6;

	if (given->target == NULL)
		return bad(error, "no TARGET: say which local port to expose");
	why = target_parse(target, given->target);
	if (why == NULL && given->local_host != NULL) {
		if (strpbrk(given->target, ":") != NULL)
			return bad(error,
			    "TARGET \"%s\": with --local-host it must "
			    "be a port",
			    given->target);
		is_v6 = strchr(given->local_host, ':') != NULL &&
			given->local_host[0] != '[';
		if (snprintf(text, sizeof(text), is_v6 ? "[%s]:%u" : "%s:%u",
			given->local_host,
			(unsigned)target->port) >= (int)sizeof(text))
			return bad(error, "--local-host is too long");
		why = target_parse(target, text);
	}
	if (why != NULL)
		return bad(error, "TARGET \"%s\": %s", given->target, why);
	return OPTIONS_RUN;
}

/* Which certificate of the local service will do, and what it is shown. */
static enum options_result
set_local_tls(struct options *options, const struct given *given, char *error)
{
	struct target *target = &options->target;
	bool is_asked = given->local_https || given->allow_invalid_cert ||
			given->local_ca != NULL || given->local_cert != NULL ||
			given->local_key != NULL;

	if (options->kind != NULL && (is_asked || target->is_tls))
		return bad(error,
		    "a tls tunnel is closed to us: the visitor and the local "
		    "service speak TLS with each other, so neither https:// "
		    "nor --local-... has a meaning with it");
	if (given->local_https && strncasecmp(given->target, "http:", 5) == 0)
		return bad(error,
		    "TARGET \"%s\": with --local-https it is https://",
		    given->target);
	target->is_tls |= given->local_https;
	if (is_asked && !target->is_tls)
		return bad(error, "--local-ca, --local-cert, --local-key and "
				  "--allow-invalid-cert need a TARGET with "
				  "https://, or --local-https");
	if ((given->local_cert == NULL) != (given->local_key == NULL))
		return bad(
		    error, "--local-cert and --local-key need each other");
	if (given->local_ca != NULL && given->allow_invalid_cert)
		return bad(error, "--local-ca and --allow-invalid-cert "
				  "contradict each other");
	options->local_ca = given->local_ca;
	options->local_cert = given->local_cert;
	options->local_key = given->local_key;
	options->allow_invalid_cert = given->allow_invalid_cert;
	return OPTIONS_RUN;
}

static enum options_result
set_host_header(struct options *options, const char *value, char *error)
{
	const unsigned char *c;

	if (value == NULL)
		return OPTIONS_RUN;
	if (strcmp(value, "rewrite") == 0) {
		target_host(&options->target, options->host_header);
		return OPTIONS_RUN;
	}
	if (value[0] == '\0' || strlen(value) >= sizeof(options->host_header))
		return bad(error, "--host-header: no value, or too long");
	for (c = (const unsigned char *)value; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return bad(error, "--host-header: no blank, control "
					  "or non-ASCII character can be in "
					  "it");
	strcpy(options->host_header, value);
	return OPTIONS_RUN;
}

/* The first that names one: the command line, LT_SERVER, the file. */
static const char *
choose_server(const struct given *given, const struct config *config)
{
	const char *all[] = { given->server, getenv("LT_SERVER"),
		config->server };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] != NULL && all[i][0] != '\0')
			return all[i];
	return NULL;
}

/* Which certificate of the server will do: what the command line says of that
 * wins over the file as a whole. */
static enum options_result
set_trust(struct options *options, const struct given *given,
    const struct config *config, char *error)
{
	bool is_given = given->ca != NULL || given->insecure;
	const char *ca = is_given ? given->ca : config->ca;
	bool insecure = is_given ? given->insecure : config->insecure;

	if (is_given && !options->server.is_tls)
		return bad(error, "--ca and --insecure need a server with "
				  "https://");
	if (ca != NULL && insecure)
		return bad(error, "%s contradict each other",
		    is_given ? "--ca and --insecure"
			     : "ca and insecure in the configuration file");
	if (!is_given && ca != NULL && ca[0] != '/')
		return bad(error,
		    "ca = \"%s\" in the configuration file: the path must "
		    "begin with /",
		    ca);
	if (ca != NULL && strlen(ca) >= sizeof(options->ca))
		return bad(error, "--ca: the path is too long");
	strcpy(options->ca, ca != NULL ? ca : "");
	options->insecure = insecure;
	return OPTIONS_RUN;
}

static enum options_result
set_server(struct options *options, const struct given *given, char *error)
{
	enum options_result result = OPTIONS_BAD;
	const char *text, *why;
	struct config config;

	if (config_read(&config, given->config, error, OPTIONS_ERROR_MAX) ==
	    0) {
		text = choose_server(given, &config);
		if (text == NULL)
			bad(error, "no server: name one with --server URL, in "
				   "LT_SERVER, or as server = \"URL\" in the "
				   "configuration file "
				   "~/.config/localtunnel/ltclient.conf");
		else if ((why = url_parse(&options->server, text)) != NULL)
			bad(error, "server \"%s\": %s", text, why);
		else
			result = set_trust(options, given, &config, error);
	}
	config_fini(&config);
	return result;
}

static void
set_flags(struct options *options, const struct given *given)
{
	options->fallback = given->fallback;
	options->no_reconnect = given->no_reconnect;
	options->print_requests = given->print_requests;
	options->display.json = given->json;
	options->display.quiet = given->quiet;
	options->display.verbose = given->verbose;
}

/* Who may visit, and what the local service is told of him. */
static enum options_result
set_visitors(struct options *options, const struct given *given, char *error)
{
	const char *wrong = gate_add_environment(&options->gate);
	const char *version = given->proxy_protocol;

	if (wrong != NULL)
		return bad(error, "LT_AUTH: line %zu is %s",
		    options->gate.auth.n + 1, wrong);
	if (options->kind != NULL && options->gate.auth.n > 0)
		return bad(error,
		    "--auth and LT_AUTH: visitors of a %s tunnel cannot be "
		    "asked for a password, since nobody but the local service "
		    "reads what they send",
		    options->kind);
	if (version == NULL)
		return OPTIONS_RUN;
	if (strcmp(version, "1") != 0 && strcmp(version, "2") != 0)
		return bad(error,
		    "--proxy-protocol: \"%s\" is no version of it: say 1 or 2",
		    version);
	options->proxy_protocol = version[0] - '0';
	return OPTIONS_RUN;
}

/* Understands what was given, once all is there. */
static enum options_result
settle(struct options *options, const struct given *given, char *error)
{
	set_flags(options, given);
	if (given->name != NULL && given->name[0] == '\0')
		return bad(error, "the name is empty");
	if (given->name != NULL && !ltp_name(given->name, options->name))
		return bad(error,
		    "\"%s\": a name has letters, digits and, inside "
		    "it, hyphens, %d at most",
		    given->name, LTP_NAME_MAX);
	if (set_server(options, given, error) == OPTIONS_BAD ||
	    set_target(options, given, error) == OPTIONS_BAD ||
	    set_local_tls(options, given, error) == OPTIONS_BAD ||
	    set_visitors(options, given, error) == OPTIONS_BAD)
		return OPTIONS_BAD;
	if (options->kind != NULL &&
	    (options->print_requests || given->host_header != NULL))
		return bad(error,
		    "--print-requests and --host-header need to read what "
		    "visitors send, and a tls tunnel is closed to us");
	return set_host_header(options, given->host_header, error);
}

enum options_result
options_read(struct options *options, int argc, char **argv,
    char error[OPTIONS_ERROR_MAX])
{
	struct option longs[LONGS];
	char shorts[SHORTS];
	struct given given = { .gate = &options->gate };
	enum options_result result;
	int id;

	memset(options, 0, sizeof(*options));
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
		result = take(&given, id, error);
		if (result != OPTIONS_RUN)
			return result;
	}
	result =
	    take_words(options, &given, argc - optind, argv + optind, error);
	if (result == OPTIONS_RUN)
		result = settle(options, &given, error);
	return result;
}
