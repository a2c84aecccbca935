/* SPDX-License-Identifier: ISC
 *
 * The files that keep secrets. Called by tunnel. Owns the locked descriptor.
 * A file is written in place with one write, never replaced: the lock is on
 * the file itself. One that cannot be understood counts as empty.
 */
#include "client/secrets.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  4096
#define PATH_SIZE 4096 /* of a directory */
#define FILE_PATH (PATH_SIZE + 512)

struct secrets {
	int fd;
	char path[FILE_PATH];
};

/* Says why it went wrong with this file or directory. Returns -1. */
static int
fail(char why[SECRETS_WHY_MAX], const char *path, const char *text)
{
	snprintf(why, SECRETS_WHY_MAX, "%.400s: %s", path, text);
	return -1;
}

/* Fills `out` with 2 * `bytes` hex digits and a NUL. */
static int
random_hex(char *out, size_t bytes)
{
	unsigned char random[16];
	size_t i;

	if (getrandom(random, bytes, 0) != (ssize_t)bytes)
		return -1;
	for (i = 0; i < bytes; i++)
		sprintf(out + 2 * i, "%02x", random[i]);
	return 0;
}

int
secrets_new_name(char name[LTP_NAME_MAX + 1])
{
	return random_hex(name, 6);
}

/* Keeps what everybody reads the same way, at most 64 bytes. */
static void
copy_word(char out[65], const char *in)
{
	size_t i;

	for (i = 0; i < 64 && in[i] != '\0'; i++)
		out[i] = isascii((unsigned char)in[i]) &&
				 (isalnum((unsigned char)in[i]) ||
				     strchr("._-", in[i]) != NULL)
			     ? in[i]
			     : '_';
	out[i] = '\0';
}

int
secrets_new_client(struct secret *secret)
{
	const struct passwd *pw = getpwuid(geteuid());
	char hostname[256] = "";
	char user[65], host[65], hex[33];

	if (random_hex(hex, 16) == -1)
		return -1;
	copy_word(user, pw != NULL ? pw->pw_name : "user");
	gethostname(hostname, sizeof(hostname) - 1);
	copy_word(host, hostname);
	memset(secret, 0, sizeof(*secret));
	snprintf(secret->client, sizeof(secret->client), "%s@%s;Linux;%s", user,
	    host, hex);
	return 0;
}

/* The directory for all of them. */
static int
make_dir(char path[PATH_SIZE], char why[SECRETS_WHY_MAX])
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	char *slash;
	int n;

	if (state != NULL && state[0] == '/') {
		n = snprintf(path, PATH_SIZE, "%s/localtunnel", state);
	} else if (home != NULL && home[0] == '/') {
		n = snprintf(
		    path, PATH_SIZE, "%s/.local/state/localtunnel", home);
	} else {
		snprintf(why, SECRETS_WHY_MAX,
		    "neither XDG_STATE_HOME nor HOME is set");
		return -1;
	}
	if (n >= PATH_SIZE)
		return fail(why, path, strerror(ENAMETOOLONG));
	for (slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) == -1 && errno != EEXIST)
			return fail(why, path, strerror(errno));
		*slash = '/';
	}
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return fail(why, path, strerror(errno));
	return 0;
}

static int
open_file(char path[FILE_PATH], const char *server, const char *name,
    char why[SECRETS_WHY_MAX])
{
	char dir[PATH_SIZE];
	struct stat st;
	int fd;

	if (make_dir(dir, why) == -1)
		return -1;
	snprintf(path, FILE_PATH, "%s/%s,%s", dir, server, name);
	fd = open(
	    path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd == -1)
		return fail(why, path, strerror(errno));
	/* Somebody else's, or readable by others: no place for a secret. */
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || fchmod(fd, 0600) == -1) {
		close(fd);
		return fail(why, path, "it is not a file of this user");
	}
	return fd;
}

static void
copy_member(char *out, size_t size, const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (value != NULL && strlen(value) < size)
		strcpy(out, value);
}

static void
read_file(int fd, struct secret *secret)
{
	char text[FILE_MAX];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	struct secret found = { 0 };
	json_t *object;

	if (n <= 0)
		return;
	object = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	copy_member(found.client, sizeof(found.client), object, "client");
	copy_member(found.session, sizeof(found.session), object, "session");
	copy_member(found.secret, sizeof(found.secret), object, "secret");
	json_decref(object);
	if (found.client[0] != '\0')
		*secret = found;
}

enum secrets_result
secrets_open(struct secrets **secretsp, const char *server, const char *name,
    struct secret *secret, char why[SECRETS_WHY_MAX])
{
	struct secrets *secrets = calloc(1, sizeof(*secrets));
	enum secrets_result result = SECRETS_NONE;

	*secretsp = NULL;
	if (secrets == NULL) {
		snprintf(why, SECRETS_WHY_MAX, "out of memory");
		return SECRETS_NONE;
	}
	secrets->fd = open_file(secrets->path, server, name, why);
	if (secrets->fd == -1) {
		free(secrets);
		return SECRETS_NONE;
	}
	if (flock(secrets->fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EWOULDBLOCK)
			result = SECRETS_BUSY;
		else
			fail(why, secrets->path, strerror(errno));
		secrets_close(secrets);
		return result;
	}
	read_file(secrets->fd, secret);
	*secretsp = secrets;
	return SECRETS_OK;
}

int
secrets_save(struct secrets *secrets, const struct secret *secret,
    char why[SECRETS_WHY_MAX])
{
	json_t *object = json_pack("{s:s, s:s, s:s}", "client", secret->client,
	    "session", secret->session, "secret", secret->secret);
	char text[FILE_MAX];
	size_t len;

	len = json_dumpb(object, text, sizeof(text), JSON_COMPACT);
	json_decref(object);
	if (len == 0 || len > sizeof(text))
		return fail(why, secrets->path, strerror(EINVAL));
	errno = ENOSPC; /* if only a part of it was written */
	if (pwrite(secrets->fd, text, len, 0) != (ssize_t)len ||
	    ftruncate(secrets->fd, (off_t)len) == -1)
		return fail(why, secrets->path, strerror(errno));
	return 0;
}

void
secrets_close(struct secrets *secrets)
{
	if (secrets == NULL)
		return;
	close(secrets->fd);
	free(secrets);
}
