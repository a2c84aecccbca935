/* SPDX-License-Identifier: ISC
 *
 * Lines of the file of tokens. A table has the rights, each with the function
 * that reads its value. It opens nothing, and what it says of a line that is
 * wrong never has a hash in it.
 */
#define _GNU_SOURCE

#include "common/token.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "common/nearest.h"

#define BLANKS "\t "
#define DAY_S  86400

bool
token_list_is_good(const char *list)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-.*";

	for (;;) {
		size_t len = strspn(list, letters);

		if (len == 0 || (list[len] != '\0' && list[len] != ','))
			return false;
		if (list[len] == '\0')
			return true;
		list += len + 1;
	}
}

bool
token_matches(const char *list, const char *word)
{
	char item[TOKEN_LIST_MAX + 1];
	size_t len;

	for (; *list != '\0'; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		if (len >= sizeof(item))
			continue;
		memcpy(item, list, len);
		item[len] = '\0';
		if (fnmatch(item, word, FNM_NOESCAPE) == 0)
			return true;
	}
	return false;
}

/* --- values ----------------------------------------------------------------
 */

static bool
take_list(char out[TOKEN_LIST_MAX + 1], const char *value)
{
	if (strlen(value) > TOKEN_LIST_MAX || !token_list_is_good(value))
		return false;
	strcpy(out, value);
	return true;
}

static bool
take_names(struct token *t, char *value)
{
	return take_list(t->names, value);
}

static bool
take_domains(struct token *t, char *value)
{
	return take_list(t->domains, value);
}

static bool
take_kinds(struct token *t, char *value)
{
	static const char *const words[] = { "http", "tls", "tcp" };
	char *word;
	size_t i;

	t->kinds = 0;
	while ((word = strsep(&value, ",")) != NULL) {
		for (i = 0; i < 3 && strcmp(words[i], word) != 0; i++)
			continue;
		if (i == 3)
			return false;
		t->kinds |= 1u << i;
	}
	return true;
}

/* A number of at least 1; what follows it goes to *end. */
static bool
read_number(const char *text, unsigned long long max, unsigned long long *n,
    const char **end)
{
	char *stop;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*n = strtoull(text, &stop, 10);
	*end = stop;
	return errno == 0 && *n >= 1 && *n <= max;
}

static bool
take_range(struct token_range *range, const char *text)
{
	unsigned long long first, last;
	const char *end;

	if (!read_number(text, UINT16_MAX, &first, &end))
		return false;
	last = first;
	if (*end == '-' && !read_number(end + 1, UINT16_MAX, &last, &end))
		return false;
	range->first = (uint16_t)first;
	range->last = (uint16_t)last;
	return *end == '\0' && first <= last;
}

static bool
take_ports(struct token *t, char *value)
{
	char *word;

	while ((word = strsep(&value, ",")) != NULL)
		if (t->ports_n == TOKEN_RANGES_MAX ||
		    !take_range(&t->ports[t->ports_n++], word))
			return false;
	return true;
}

static bool
take_unsigned(unsigned *out, const char *value)
{
	unsigned long long n;
	const char *end;

	if (!read_number(value, 1000000000, &n, &end) || *end != '\0')
		return false;
	*out = (unsigned)n;
	return true;
}

static bool
take_tunnels(struct token *t, char *value)
{
	return take_unsigned(&t->tunnels, value);
}

static bool
take_connections(struct token *t, char *value)
{
	return take_unsigned(&t->connections, value);
}

bool
token_rate(const char *text, uint64_t *rate)
{
	unsigned long long n, unit = 1;
	const char *end;

	if (!read_number(text, 1000000000000, &n, &end))
		return false;
	if (*end != '\0' && end[1] == '\0')
		unit = *end == 'k'   ? 1000
		       : *end == 'M' ? 1000000
		       : *end == 'G' ? 1000000000
				     : 0;
	else if (*end != '\0')
		return false;
	*rate = n * unit;
	return unit != 0 && n <= 1000000000000 / unit;
}

static bool
take_bandwidth(struct token *t, char *value)
{
	return token_rate(value, &t->bandwidth);
}

/* RFC 3339: a date, to the end of that day in UTC, or date and time. */
static bool
take_expires(struct token *t, char *value)
{
	struct tm tm = { 0 };
	bool is_day = strlen(value) == strlen("2026-12-31");
	const char *end =
	    strptime(value, is_day ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%S%z", &tm);
	long offset_s = tm.tm_gmtoff;
	int day = tm.tm_mday;

	if (end == NULL || *end != '\0' || strspn(value, "0123456789") != 4)
		return false;
	tm.tm_gmtoff = 0;
	t->expires_s = timegm(&tm) - offset_s + (is_day ? DAY_S : 0);
	return tm.tm_mday == day && t->expires_s > 0;
}

static const struct {
	const char *key;
	bool (*take)(struct token *, char *value);
	const char *words; /* what is wrong, after "is" */
} rights[] = {
	{ "names", take_names, "not a list of names, such as demo,team-*" },
	{ "kinds", take_kinds, "not a list of http, tls and tcp" },
	{ "ports", take_ports, "not a list of ports, such as 30000-30009" },
	{ "domains", take_domains,
	    "not a list of host names, such as app.example.org,*.example.net" },
	{ "tunnels", take_tunnels, "not a number from 1 up" },
	{ "connections", take_connections, "not a number from 1 up" },
	{ "bandwidth", take_bandwidth,
	    "not a number of bytes per second, such as 500000, 500k or 2M" },
	{ "expires", take_expires,
	    "not a date such as 2026-12-31 or 2026-12-31T18:00:00Z" },
};

#define RIGHTS_N (sizeof(rights) / sizeof(rights[0]))

/* --- lines -----------------------------------------------------------------
 */

static bool
say_unknown(const char *key, char why[TOKEN_WHY_MAX])
{
	struct nearest nearest;
	char hint[64];

	nearest_init(&nearest, key);
	for (size_t i = 0; i < RIGHTS_N; i++)
		nearest_try(&nearest, rights[i].key);
	snprintf(why, TOKEN_WHY_MAX, "there is no right \"%.32s\"%s", key,
	    nearest_text(&nearest, hint, sizeof(hint)));
	return false;
}

/* One key=value; `seen` has a bit for each that was there before. */
static bool
take_right(struct token *t, char *text, unsigned *seen, char why[TOKEN_WHY_MAX])
{
	char *value = strchr(text, '=');
	char shown[48];
	size_t i;

	if (value == NULL) {
		snprintf(why, TOKEN_WHY_MAX,
		    "\"%.32s\" is not a right, such as tunnels=3", text);
		return false;
	}
	*value++ = '\0';
	for (i = 0; i < RIGHTS_N && strcmp(rights[i].key, text) != 0; i++)
		continue;
	if (i == RIGHTS_N)
		return say_unknown(text, why);
	if (*seen & 1u << i) {
		snprintf(why, TOKEN_WHY_MAX, "%s is there twice", text);
		return false;
	}
	*seen |= 1u << i;
	snprintf(shown, sizeof(shown), "%s", value);
	if (rights[i].take(t, value))
		return true;
	snprintf(why, TOKEN_WHY_MAX, "%s: \"%s\" is %s", text, shown,
	    rights[i].words);
	return false;
}

static bool
take_name(struct token *t, const char *name, char why[TOKEN_WHY_MAX])
{
	size_t len = strlen(name);

	if (len <= TOKEN_NAME_MAX && name[0] != '-' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789._-") == len) {
		strcpy(t->name, name);
		return true;
	}
	snprintf(why, TOKEN_WHY_MAX,
	    "\"%.32s\" is not the name of a token: letters, digits and . _ -, "
	    "at most %d",
	    name, TOKEN_NAME_MAX);
	return false;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stands there in its place may be a token, and is not shown. */
static bool
take_hash(struct token *t, const char *text, char why[TOKEN_WHY_MAX])
{
	bool is_good = text != NULL && strlen(text) == 2 * TOKEN_HASH_LEN;

	for (size_t i = 0; i < TOKEN_HASH_LEN && is_good; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		is_good = high != -1 && low != -1;
		t->hash[i] = (uint8_t)(high * 16 + low);
	}
	if (!is_good)
		snprintf(why, TOKEN_WHY_MAX,
		    "token %s: after the name stands the SHA-256 of the token, "
		    "%d digits from 0 to f",
		    t->name, 2 * TOKEN_HASH_LEN);
	return is_good;
}

static bool
take_words(struct token *t, char *line, char why[TOKEN_WHY_MAX])
{
	char *rest = NULL, *word = strtok_r(line, BLANKS, &rest);
	unsigned seen = 0;

	if (!take_name(t, word, why) ||
	    !take_hash(t, strtok_r(NULL, BLANKS, &rest), why))
		return false;
	while ((word = strtok_r(NULL, BLANKS, &rest)) != NULL)
		if (!take_right(t, word, &seen, why))
			return false;
	return true;
}

/* No byte that would be shown as something else. */
static bool
is_printable(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((line[i] < ' ' || line[i] > '~') && line[i] != '\t')
			return false;
	return true;
}

enum token_result
token_parse(
    struct token *t, const char *line, size_t len, char why[TOKEN_WHY_MAX])
{
	char copy[TOKEN_LINE_MAX + 1];
	bool is_good;

	memset(t, 0, sizeof(*t));
	t->kinds = TOKEN_KINDS;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	if (len == 0 || *line == '#')
		return TOKEN_NONE;
	if (len > TOKEN_LINE_MAX || !is_printable(line, len)) {
		snprintf(why, TOKEN_WHY_MAX,
		    len > TOKEN_LINE_MAX
			? "the line is longer than 2048 bytes"
			: "there is a byte in the line that is no ASCII text");
		return TOKEN_BAD;
	}
	memcpy(copy, line, len);
	copy[len] = '\0';
	is_good = take_words(t, copy, why);
	OPENSSL_cleanse(copy, sizeof(copy));
	return is_good ? TOKEN_OK : TOKEN_BAD;
}

bool
token_has_port(const struct token *t, uint16_t port)
{
	for (size_t i = 0; i < t->ports_n; i++)
		if (port >= t->ports[i].first && port <= t->ports[i].last)
			return true;
	return t->ports_n == 0;
}

bool
token_make(char out[TOKEN_LEN + 1])
{
	uint8_t raw[TOKEN_HASH_LEN];
	char *at = stpcpy(out, TOKEN_PREFIX);

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		return false;
	for (size_t i = 0; i < sizeof(raw); i++)
		at += snprintf(at, 3, "%02x", raw[i]);
	OPENSSL_cleanse(raw, sizeof(raw));
	return true;
}

void
token_hash(const char *token, uint8_t out[TOKEN_HASH_LEN])
{
	SHA256((const uint8_t *)token, strlen(token), out);
}
