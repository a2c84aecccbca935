/* SPDX-License-Identifier: ISC
 *
 * Reads the whole file, checks each line as the server would, and puts another
 * file in its place: whoever reads it meanwhile has the one or the other. Two
 * who change it at once wait for each other at its directory.
 */
#define _GNU_SOURCE

#include "ctl/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "common/token.h"
#include "ctl/ask.h"
#include "ctl/show.h"

#define USUAL_FILE "/etc/localtunnel/tokens"
#define NEW_MODE   0600
#define HASH_TEXT  (2 * TOKEN_HASH_LEN)

static const struct show_column columns[] = {
	{ "name", "NAME", .is_left = true },
	{ "rights", "RIGHTS", .is_left = true },
	{ NULL, NULL, .is_left = false },
};

struct file {
	char path[PATH_MAX];
	int dir_fd; /* locked; -1 */
	struct stat st;
	bool is_new;
	json_t *rows; /* name, rights, line */
};

static int
fail(const char *path, const char *why)
{
	fprintf(stderr, "ltctl: %s: %s\n", path, why);
	return -1;
}

/* --- reading ---------------------------------------------------------------
 */

/* Keeps a line that is good; comments have no name. */
static void
keep(struct file *f, const char *line, const struct token *token)
{
	const char *rights = strstr(line, token->name);

	if (token->name[0] == '\0') {
		json_array_append_new(
		    f->rows, json_pack("{s:s}", "line", line));
		return;
	}
	rights += strlen(token->name);
	rights += strspn(rights, " \t") + HASH_TEXT;
	rights += strspn(rights, " \t");
	json_array_append_new(
	    f->rows, json_pack("{s:s, s:s, s:s}", "line", line, "name",
			 token->name, "rights", rights));
}

static int
read_lines(struct file *f, FILE *in)
{
	char *line = NULL, why[TOKEN_WHY_MAX];
	char where[PATH_MAX + 16];
	struct token token;
	size_t size = 0;
	ssize_t len;
	int n = 0, result = 0;

	while (result == 0 && (len = getline(&line, &size, in)) != -1) {
		n++;
		if (len > 0 && line[len - 1] == '\n')
			line[--len] = '\0';
		if (token_parse(&token, line, (size_t)len, why) != TOKEN_BAD) {
			keep(f, line, &token);
			continue;
		}
		snprintf(where, sizeof(where), "%s:%d", f->path, n);
		result = fail(where, why);
	}
	free(line);
	return result;
}

/* Locks and reads it. One that is not there is empty, if it may be. */
static int
open_file(struct file *f, bool may_be_new)
{
	char dir[PATH_MAX];
	FILE *in;
	int result;

	snprintf(dir, sizeof(dir), "%s", f->path);
	f->rows = json_array();
	f->dir_fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd == -1 || flock(f->dir_fd, LOCK_EX) == -1)
		return fail(f->path, strerror(errno));
	in = fopen(f->path, "re");
	if (in == NULL && errno == ENOENT && may_be_new) {
		f->is_new = true;
		return 0;
	}
	if (in == NULL || fstat(fileno(in), &f->st) == -1)
		result = fail(f->path, strerror(errno));
	else if (!S_ISREG(f->st.st_mode))
		result = fail(f->path, "not a regular file");
	else
		result = read_lines(f, in);
	if (in != NULL)
		fclose(in);
	return result;
}

static void
close_file(struct file *f)
{
	if (f->dir_fd != -1)
		close(f->dir_fd);
	json_decref(f->rows);
}

/* The place of a token in the rows; -1 if there is none of that name. */
static int
find(const struct file *f, const char *name)
{
	for (size_t i = 0; i < json_array_size(f->rows); i++) {
		const char *other = json_string_value(
		    json_object_get(json_array_get(f->rows, i), "name"));

		if (other != NULL && strcmp(other, name) == 0)
			return (int)i;
	}
	return -1;
}

/* --- writing ---------------------------------------------------------------
 */

static bool
put_lines(const struct file *f, int fd)
{
	FILE *out = fdopen(fd, "w");
	json_t *row;
	bool is_good;
	size_t i;

	if (out == NULL)
		return false;
	json_array_foreach(f->rows, i, row)
	{
		fprintf(out, "%s\n",
		    json_string_value(json_object_get(row, "line")));
	}
	is_good = fflush(out) == 0 && !ferror(out) && fsync(fd) == 0;
	fclose(out);
	return is_good;
}

/* Puts a file with these rows in the place of the old one, with its owner and
 * mode. */
static int
write_file(struct file *f)
{
	char path[PATH_MAX + 8];
	int fd, saved_errno;

	snprintf(path, sizeof(path), "%s.XXXXXX", f->path);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd == -1)
		return fail(f->path, strerror(errno));
	if (fchmod(fd, f->is_new ? NEW_MODE : f->st.st_mode & 0777) == 0 &&
	    (f->is_new || fchown(fd, f->st.st_uid, f->st.st_gid) == 0) &&
	    put_lines(f, fd) && rename(path, f->path) == 0) {
		(void)fsync(f->dir_fd);
		return 0;
	}
	saved_errno = errno;
	(void)unlink(path);
	return fail(f->path, strerror(saved_errno));
}

static void
ignore_row(void *arg, const json_t *row)
{
	(void)arg;
	(void)row;
}

/* The server reads it again, if it runs. */
static void
reload(const char *socket)
{
	char why[ASK_WHY_MAX];

	if (ask(socket, "reload", NULL, ignore_row, NULL, why) == -1)
		fprintf(stderr,
		    "ltctl: the file is written, but the server has not read "
		    "it: "
		    "%s\n",
		    why);
}

/* --- commands --------------------------------------------------------------
 */

static int
add(struct file *f, const struct tokens_where *where, int argc, char **argv)
{
	char line[TOKEN_LINE_MAX + 1], why[TOKEN_WHY_MAX];
	char secret[TOKEN_LEN + 1];
	uint8_t hash[TOKEN_HASH_LEN];
	struct token token;
	size_t n;

	if (!token_make(secret))
		return fail("token", "no random bytes");
	token_hash(secret, hash);
	n = (size_t)snprintf(line, sizeof(line), "%.100s ", argv[0]);
	for (size_t i = 0; i < sizeof(hash); i++)
		n += (size_t)snprintf(
		    line + n, sizeof(line) - n, "%02x", hash[i]);
	for (int i = 1; i < argc && n < sizeof(line); i++)
		n += (size_t)snprintf(
		    line + n, sizeof(line) - n, " %s", argv[i]);
	if (n >= sizeof(line))
		return fail("token", "the rights are too long");
	if (token_parse(&token, line, n, why) != TOKEN_OK)
		return fail("token", why);
	if (find(f, token.name) != -1)
		return fail(token.name, "there is a token of this name");
	keep(f, line, &token);
	if (write_file(f) == -1)
		return -1;
	if (where->in_json)
		printf("{\"name\": \"%s\", \"token\": \"%s\"}\n", token.name,
		    secret);
	else
		puts(secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	fprintf(stderr,
	    "ltctl: that is the token of %s; it is not shown again\n",
	    token.name);
	return fflush(stdout) == 0 ? 0 : -1;
}

static int
revoke_one(struct file *f, const char *name)
{
	int i = find(f, name);

	if (i == -1)
		return fail(name, "there is no token of this name");
	json_array_remove(f->rows, (size_t)i);
	return write_file(f);
}

static int
list(const struct file *f, bool in_json)
{
	json_t *rows = json_array(), *row;
	size_t i;

	json_array_foreach(f->rows, i, row)
	{
		if (json_object_get(row, "name") == NULL)
			continue;
		json_object_del(row, "line");
		json_array_append(rows, row);
	}
	if (in_json)
		show_json(SHOW_TABLE, rows);
	else
		show_text(SHOW_TABLE, columns, rows);
	json_decref(rows);
	return fflush(stdout) == 0 ? 0 : -1;
}

static void
take_setting(void *arg, const json_t *row)
{
	const char *key = json_string_value(json_object_get(row, "key"));
	const char *value = json_string_value(json_object_get(row, "value"));
	struct file *f = arg;

	if (key != NULL && value != NULL && strcmp(key, "tokens") == 0)
		snprintf(f->path, sizeof(f->path), "%s", value);
}

/* Which file it is. */
static int
find_file(struct file *f, const struct tokens_where *where)
{
	char why[ASK_WHY_MAX];

	snprintf(f->path, sizeof(f->path), "%s",
	    where->file == NULL ? USUAL_FILE : where->file);
	if (where->file != NULL ||
	    ask(where->socket, "config", NULL, take_setting, f, why) == -1 ||
	    strcmp(f->path, "none") != 0)
		return 0;
	return fail("token",
	    "the server has no file of tokens: set tokens = "
	    "\"" USUAL_FILE "\" in its configuration, and name the file with "
	    "--file until it has read that");
}

const char *
tokens_check(int argc, char **argv)
{
	if (argc == 0)
		return "token: add, list or revoke?";
	if (strcmp(argv[0], "list") == 0)
		return argc == 1 ? NULL : "token list: too many arguments";
	if (strcmp(argv[0], "add") == 0)
		return argc >= 2 ? NULL
				 : "token add needs the name of the token";
	if (strcmp(argv[0], "revoke") == 0)
		return argc == 2 ? NULL
				 : "token revoke needs the name of one token";
	return "token: there is only add, list and revoke";
}

int
tokens_run(const struct tokens_where *where, int argc, char **argv)
{
	struct file f = { .dir_fd = -1 };
	bool adds = strcmp(argv[0], "add") == 0;
	bool lists = strcmp(argv[0], "list") == 0;
	int result = find_file(&f, where);

	if (result == 0)
		result = open_file(&f, adds);
	if (result == 0)
		result = adds	 ? add(&f, where, argc - 1, argv + 1)
			 : lists ? list(&f, where->in_json)
				 : revoke_one(&f, argv[1]);
	close_file(&f);
	if (result == 0 && !lists)
		reload(where->socket);
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
