/* SPDX-License-Identifier: ISC
 *
 * Reads the file of tokens line by line into rows, and finds them by hash. A
 * bucket is chosen by bytes of a hash of a hash, which nobody can choose; what
 * is in it is compared in constant time. It never logs.
 */
#define _GNU_SOURCE

#include "server/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "common/log.h"
#include "server/config_text.h"

#define BUCKETS (2 * TOKENS_MAX) /* a power of two */
#define LOOK_S	60		 /* the clock may be set meanwhile */

_Static_assert(TOKEN_HASH_LEN == REGISTRY_HASH_LEN, "both are SHA-256");

struct tokens {
	bool is_needed;
	struct tokens_row *rows; /* NULL: none */
	size_t n;
	uint16_t *buckets; /* number of a row and 1; 0 is free */
	struct event *look;
	tokens_expired_fn *expired;
	void *arg;
};

_Static_assert(TOKENS_MAX < UINT16_MAX, "what buckets hold");

/* --- the table -------------------------------------------------------------
 */

struct tokens *
tokens_new(void)
{
	return log_must_alloc(1, sizeof(struct tokens));
}

static void
drop_rows(struct tokens *t)
{
	free(t->rows);
	free(t->buckets);
}

void
tokens_free(struct tokens *t)
{
	if (t == NULL)
		return;
	if (t->look != NULL)
		event_free(t->look);
	drop_rows(t);
	free(t);
}

bool
tokens_are_needed(const struct tokens *t)
{
	return t->is_needed;
}

/* Where a hash is, or would be. */
static uint16_t *
bucket_of(struct tokens *t, const uint8_t kept[REGISTRY_HASH_LEN])
{
	uint32_t at;

	memcpy(&at, kept, sizeof(at));
	for (at %= BUCKETS; t->buckets[at] != 0; at = (at + 1) % BUCKETS)
		if (CRYPTO_memcmp(t->rows[t->buckets[at] - 1].kept, kept,
			REGISTRY_HASH_LEN) == 0)
			break;
	return &t->buckets[at];
}

struct tokens_row *
tokens_find(struct tokens *t, const uint8_t kept[REGISTRY_HASH_LEN])
{
	uint16_t found = t->n == 0 ? 0 : *bucket_of(t, kept);

	return found == 0 ? NULL : &t->rows[found - 1];
}

const struct tokens_row *
tokens_at(const struct tokens *t, size_t i)
{
	return i < t->n ? &t->rows[i] : NULL;
}

void
tokens_need(struct tokens *t)
{
	t->is_needed = true;
	if (t->rows != NULL)
		return;
	t->rows = log_must_alloc(TOKENS_MAX, sizeof(*t->rows));
	t->buckets = log_must_alloc(BUCKETS, sizeof(*t->buckets));
}

bool
tokens_put(struct tokens *t, const struct tokens_row *row)
{
	uint16_t *bucket = bucket_of(t, row->kept);

	if (t->n == TOKENS_MAX || *bucket != 0)
		return false;
	t->rows[t->n] = *row;
	*bucket = (uint16_t)++t->n;
	return true;
}

void
tokens_count_anew(struct tokens *t)
{
	for (size_t i = 0; i < t->n; i++)
		t->rows[i].tunnels = 0;
}

bool
tokens_is_expired(const struct tokens_row *row)
{
	return row->token.expires_s != 0 && row->token.expires_s <= time(NULL);
}

/* --- the file --------------------------------------------------------------
 */

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
keep_name(void *name)
{
	(void)name; /* it is the row's */
}

/* Adds one; NULL, or what is wrong. `names` is a tree of those so far. */
static const char *
add(struct tokens *t, struct token *token, void **names)
{
	struct tokens_row *row = &t->rows[t->n];
	uint16_t *bucket;

	if (t->n == TOKENS_MAX)
		return "there are too many tokens";
	if (tfind(token->name, names, compare) != NULL)
		return "a token of this name is there already";
	SHA256(token->hash, sizeof(token->hash), row->kept);
	OPENSSL_cleanse(token->hash, sizeof(token->hash));
	bucket = bucket_of(t, row->kept);
	if (*bucket != 0)
		return "this token is there already, under another name";
	row->token = *token;
	if (tsearch(row->token.name, names, compare) == NULL)
		return "out of memory";
	*bucket = (uint16_t)++t->n;
	return NULL;
}

static bool
read_lines(
    struct tokens *t, FILE *file, const char *path, char why[TOKENS_WHY_MAX])
{
	char *line = NULL, words[TOKEN_WHY_MAX];
	const char *wrong = NULL;
	void *names = NULL;
	struct token token;
	size_t size = 0;
	ssize_t len;
	int n = 0;

	while (wrong == NULL && (len = getline(&line, &size, file)) != -1) {
		n++;
		if (len > 0 && line[len - 1] == '\n')
			len--;
		switch (token_parse(&token, line, (size_t)len, words)) {
		case TOKEN_NONE:
			break;
		case TOKEN_OK:
			wrong = add(t, &token, &names);
			break;
		case TOKEN_BAD:
			wrong = words;
			break;
		}
	}
	tdestroy(names, keep_name);
	if (wrong != NULL)
		snprintf(why, TOKENS_WHY_MAX, "%.1000s:%d: %s", path, n, wrong);
	else if (ferror(file))
		snprintf(why, TOKENS_WHY_MAX, "tokens: %.1000s: %s", path,
		    strerror(errno));
	if (line != NULL)
		OPENSSL_cleanse(line, size);
	free(line);
	return wrong == NULL && !ferror(file);
}

/* What may be read; NULL with what is wrong. O_NONBLOCK: nobody waits at the
 * other end of a fifo. */
static FILE *
open_file(const char *path, const char **wrong)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	*wrong = NULL;
	if (fd == -1 || fstat(fd, &st) == -1)
		*wrong = errno == ENOENT
			     ? "there is no such file; ltctl token add makes it"
			     : strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*wrong = "not a regular file";
	else if (st.st_size > TOKENS_FILE_MAX)
		*wrong = "the file is larger than 16 MiB";
	else if (st.st_mode & S_IWOTH)
		*wrong = "everybody on this machine may write it; take that "
			 "right away: chmod o-w";
	if (*wrong == NULL)
		return fdopen(fd, "r");
	if (fd != -1)
		close(fd);
	return NULL;
}

/* Looks when the next one expires, but soon enough if the clock is set. */
static void
arm(struct tokens *t)
{
	struct timeval tv = { .tv_sec = LOOK_S };
	int64_t now = time(NULL);
	bool is_due = false;

	for (size_t i = 0; i < t->n; i++) {
		int64_t left = t->rows[i].token.expires_s - now;

		if (t->rows[i].token.expires_s == 0 ||
		    (left <= 0 && t->rows[i].tunnels == 0))
			continue;
		is_due = true;
		if (left < tv.tv_sec)
			tv.tv_sec = left < 1 ? 1 : left;
	}
	if (is_due)
		evtimer_add(t->look, &tv);
	else
		evtimer_del(t->look);
}

/* Rows that are good take the place of what was there. */
static void
replace(struct tokens *t, const struct tokens *fresh)
{
	drop_rows(t);
	t->is_needed = fresh->is_needed;
	t->rows = fresh->rows;
	t->buckets = fresh->buckets;
	t->n = fresh->n;
	if (t->look != NULL)
		arm(t);
}

void
tokens_use(struct tokens *t, struct tokens *fresh)
{
	replace(t, fresh);
	free(fresh);
}

bool
tokens_read(struct tokens *t, const char *path, char why[TOKENS_WHY_MAX])
{
	struct tokens fresh = { 0 };
	bool is_good = true;
	const char *wrong;
	FILE *file;

	if (path != NULL && strcmp(path, CONFIG_TEXT_NONE) != 0) {
		if ((file = open_file(path, &wrong)) == NULL) {
			snprintf(why, TOKENS_WHY_MAX, "tokens: %.1000s: %s",
			    path, wrong);
			return false;
		}
		tokens_need(&fresh);
		is_good = read_lines(&fresh, file, path, why);
		fclose(file);
	}
	if (!is_good) {
		drop_rows(&fresh);
		return false;
	}
	replace(t, &fresh);
	return true;
}

/* --- expiry ----------------------------------------------------------------
 */

static void
look_cb(evutil_socket_t fd, short what, void *arg)
{
	struct tokens *t = arg;
	bool is_due = false;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < t->n && !is_due; i++)
		is_due =
		    t->rows[i].tunnels > 0 && tokens_is_expired(&t->rows[i]);
	if (is_due)
		t->expired(t->arg);
	arm(t);
}

void
tokens_start(struct tokens *t, struct event_base *base,
    tokens_expired_fn *expired, void *arg)
{
	t->expired = expired;
	t->arg = arg;
	t->look = evtimer_new(base, look_cb, t);
	if (t->look == NULL)
		fatal("out of memory");
	arm(t);
}
