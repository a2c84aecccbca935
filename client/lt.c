/* SPDX-License-Identifier: ISC
 *
 * Reads command lines as the npm command lt does, which leaves that to yargs:
 * what is not known is ignored, a variable of the environment is as good as an
 * option, --localHost is --local-host, and only "true" is true. Called by main
 * only. Pure.
 */
#include "client/lt.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_HOST "https://localtunnel.me"
#define NAME_MAX_LEN 32

enum lt_row {
	PORT,
	HOST,
	SUBDOMAIN,
	LOCAL_HOST,
	LOCAL_HTTPS,
	LOCAL_CERT,
	LOCAL_KEY,
	LOCAL_CA,
	ALLOW_INVALID_CERT,
	OPEN,
	PRINT_REQUESTS,
	HELP,
	VERSION,
	ROWS,
};

/* What may follow an option. */
enum lt_value {
	VALUE,	/* a value must */
	SWITCH, /* true or false */
	MAYBE,	/* anything, and it does not matter what */
};

static const struct row {
	char letter;
	enum lt_value takes;
	const char *name;
	const char *help;
} rows[ROWS] = {
	[PORT] = { 'p', VALUE, "port", "Local port to expose (required)" },
	[HOST] = { 'h', VALUE, "host",
	    "Tunnel server (default: " DEFAULT_HOST ")" },
	[SUBDOMAIN] = { 's', VALUE, "subdomain", "Request this subdomain" },
	[LOCAL_HOST] = { 'l', VALUE, "local-host",
	    "Tunnel to this host instead of localhost,\n"
	    "                            and set the Host header to it" },
	[LOCAL_HTTPS] = { 0, SWITCH, "local-https",
	    "The local server speaks HTTPS" },
	[LOCAL_CERT] = { 0, VALUE, "local-cert",
	    "Certificate (PEM) to show to the local server" },
	[LOCAL_KEY] = { 0, VALUE, "local-key", "The key of that one" },
	[LOCAL_CA] = { 0, VALUE, "local-ca",
	    "Who may vouch for the local server" },
	[ALLOW_INVALID_CERT] = { 0, SWITCH, "allow-invalid-cert",
	    "Take any certificate of the local server\n"
	    "                            (ignores cert, key and ca)" },
	[OPEN] = { 'o', MAYBE, "open", "Open the URL in a browser" },
	[PRINT_REQUESTS] = { 0, SWITCH, "print-requests",
	    "Print each request" },
	[HELP] = { 0, SWITCH, "help", "Show this help and exit" },
	[VERSION] = { 0, SWITCH, "version", "Show the version and exit" },
};

/* What was said: NULL nothing, "" no value, else the value. */
struct said {
	const char *value[ROWS];
	bool is_given[ROWS]; /* on the command line, --no-... too */
	bool no_value[ROWS]; /* where one must be */
};

/* --- names -----------------------------------------------------------------
 */

bool
lt_is_called(const char *argv0)
{
	const char *slash = argv0 != NULL ? strrchr(argv0, '/') : NULL;

	return argv0 != NULL &&
	       strcmp(slash != NULL ? slash + 1 : argv0, "lt") == 0;
}

/* Writes localHost, local_host and LOCAL_HOST as local-host. */
static void
fold(char out[NAME_MAX_LEN], const char *name, size_t len)
{
	bool is_upper = true;
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		is_upper &= !islower((unsigned char)name[i]);
	for (i = 0; i < len && n + 2 < NAME_MAX_LEN; i++) {
		if (!is_upper && isupper((unsigned char)name[i]))
			out[n++] = '-';
		out[n++] =
		    (char)(name[i] == '_' ? '-'
					  : tolower((unsigned char)name[i]));
	}
	out[i < len ? 0 : n] = '\0';
}

static enum lt_row
find(const char *name, size_t len)
{
	char folded[NAME_MAX_LEN];
	int row;

	fold(folded, name, len);
	for (row = 0; row < ROWS; row++)
		if (strcmp(folded, rows[row].name) == 0)
			break;
	return (enum lt_row)row;
}

static enum lt_row
find_letter(char letter)
{
	int row;

	for (row = 0; row < ROWS; row++)
		if (letter != '\0' && rows[row].letter == letter)
			break;
	return (enum lt_row)row;
}

/* --- the command line ------------------------------------------------------
 */

/* True if the word is a value: -5 is one too. */
static bool
is_value(const char *word)
{
	return word != NULL &&
	       (word[0] != '-' || isdigit((unsigned char)word[1]));
}

static bool
is_bool(const char *word)
{
	return word != NULL &&
	       (strcmp(word, "true") == 0 || strcmp(word, "false") == 0);
}

static void
set(struct said *said, enum lt_row row, const char *value)
{
	said->value[row] = value;
	said->is_given[row] = true;
	said->no_value[row] = false;
}

/* An option without a value of its own; returns how many words behind it
 * belong to it. */
static int
set_from(struct said *said, enum lt_row row, const char *next)
{
	bool takes_next =
	    rows[row].takes == SWITCH ? is_bool(next) : is_value(next);

	set(said, row, takes_next ? next : "true");
	said->no_value[row] = rows[row].takes == VALUE && !takes_next;
	return takes_next;
}

static int
take_long(struct said *said, const char *word, const char *next)
{
	size_t len = strcspn(word, "=");
	enum lt_row row = find(word, len);

	if (row != ROWS && word[len] == '=')
		set(said, row, word + len + 1);
	else if (row != ROWS)
		return set_from(said, row, next);
	else if (strncmp(word, "no-", 3) == 0 && word[len] == '\0' &&
		 (row = find(word + 3, len - 3)) != ROWS)
		set(said, row, rows[row].takes == VALUE ? "" : "false");
	return 0;
}

/* Letters in one word: the value of one may stand behind it at once. */
static int
take_letters(struct said *said, const char *word, const char *next)
{
	for (; *word != '\0'; word++) {
		enum lt_row row = find_letter(*word);

		if (row == ROWS)
			continue;
		if (word[1] == '\0')
			return set_from(said, row, next);
		if (word[1] == '=' || rows[row].takes == VALUE) {
			set(said, row, word + 1 + (word[1] == '='));
			return 0;
		}
		set(said, row, "true");
	}
	return 0;
}

static void
read_words(struct said *said, char **argv)
{
	for (argv++; *argv != NULL && strcmp(*argv, "--") != 0; argv++) {
		if (strncmp(*argv, "--", 2) == 0)
			argv += take_long(said, *argv + 2, argv[1]);
		else if ((*argv)[0] == '-')
			argv += take_letters(said, *argv + 1, argv[1]);
	}
}

/* What the command line does not say. */
static void
read_environment(struct said *said, char **environment)
{
	enum lt_row row;
	size_t len;

	for (; *environment != NULL; environment++) {
		len = strcspn(*environment, "=");
		row = len == 1 ? find_letter((char)tolower(
				     (unsigned char)(*environment)[0]))
			       : find(*environment, len);
		if (row >= HELP || (*environment)[len] == '\0' ||
		    said->is_given[row])
			continue;
		said->value[row] = *environment + len + 1;
	}
}

/* --- what it means ---------------------------------------------------------
 */

__attribute__((format(printf, 2, 3))) static enum lt_result
bad(char error[LT_ERROR_MAX], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(error, LT_ERROR_MAX, fmt, args);
	va_end(args);
	return LT_BAD;
}

/* A value that is not empty; NULL else. */
static const char *
text_of(const struct said *said, enum lt_row row)
{
	const char *value = said->value[row];

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool
is_true(const struct said *said, enum lt_row row)
{
	const char *value = text_of(said, row);

	if (value == NULL)
		return false;
	if (rows[row].takes == SWITCH)
		return strcmp(value, "true") == 0;
	return strcmp(value, "0") != 0 &&
	       !(said->is_given[row] && strcmp(value, "false") == 0);
}

/* 3000, 3e3 and 0xbb8 are the same number. */
static bool
read_port(struct lt_words *words, const char *text)
{
	char *end;
	double number;

	if (!isdigit((unsigned char)text[0]) ||
	    (text[0] == '0' && isdigit((unsigned char)text[1])))
		return false;
	number = strtod(text, &end);
	if (*end != '\0' || !(number >= 1 && number <= 65535) ||
	    number != (double)(int)number)
		return false;
	snprintf(words->port, sizeof(words->port), "%d", (int)number);
	return true;
}

/* Puts an option of ltclient there, and its value unless that is NULL. */
static void
put(struct lt_words *words, const char *option, const char *value)
{
	words->argv[words->argc++] = (char *)(uintptr_t)option;
	if (value != NULL)
		words->argv[words->argc++] = (char *)(uintptr_t)value;
	words->argv[words->argc] = NULL;
}

static void
put_text(struct lt_words *words, const char *option, const struct said *said,
    enum lt_row row)
{
	if (text_of(said, row) != NULL)
		put(words, option, text_of(said, row));
}

static void
put_local(struct lt_words *words, const struct said *said)
{
	put_text(words, "--local-host", said, LOCAL_HOST);
	put_text(words, "--host-header", said, LOCAL_HOST);
	if (!is_true(said, LOCAL_HTTPS))
		return;
	put(words, "--local-https", NULL);
	if (is_true(said, ALLOW_INVALID_CERT)) {
		put(words, "--allow-invalid-cert", NULL);
		return;
	}
	put_text(words, "--local-cert", said, LOCAL_CERT);
	put_text(words, "--local-key", said, LOCAL_KEY);
	put_text(words, "--local-ca", said, LOCAL_CA);
}

static enum lt_result
translate(
    struct lt_words *words, const struct said *said, char error[LT_ERROR_MAX])
{
	const char *host = text_of(said, HOST);
	int row;

	if (said->value[PORT] == NULL)
		return bad(error, "Missing required argument: port");
	if (said->no_value[PORT] || !read_port(words, said->value[PORT]))
		return bad(error, "Invalid argument: `port` must be a number");
	for (row = 0; row < ROWS; row++)
		if (said->no_value[row])
			return bad(error,
			    "Invalid argument: `%s` needs a value",
			    rows[row].name);
	put(words, "--server", host != NULL ? host : DEFAULT_HOST);
	if (text_of(said, SUBDOMAIN) != NULL) {
		put_text(words, "--subdomain", said, SUBDOMAIN);
		put(words, "--fallback", NULL);
	}
	put_local(words, said);
	if (is_true(said, OPEN))
		put(words, "--open", NULL);
	if (is_true(said, PRINT_REQUESTS))
		put(words, "--print-requests", NULL);
	put(words, "--port", words->port);
	return LT_RUN;
}

enum lt_result
lt_read(struct lt_words *words, char **argv, char **environment,
    char error[LT_ERROR_MAX])
{
	struct said said = { 0 };

	memset(words, 0, sizeof(*words));
	read_words(&said, argv);
	if (is_true(&said, HELP))
		return LT_HELP;
	if (is_true(&said, VERSION))
		return LT_PRINT_VERSION;
	read_environment(&said, environment);
	put(words, "lt", NULL);
	return translate(words, &said, error);
}

void
lt_help(FILE *out)
{
	const struct row *row;

	fputs("Usage: lt --port [num] <options>\n\nOptions:\n", out);
	for (row = rows; row < rows + ROWS; row++)
		fprintf(out, "  %c%c%c --%-20s %s\n",
		    row->letter != 0 ? '-' : ' ',
		    row->letter != 0 ? row->letter : ' ',
		    row->letter != 0 ? ',' : ' ', row->name, row->help);
}
