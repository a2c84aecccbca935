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
#define PATH_SIZE 4096

struct secrets {
	int fd;
};

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
make_dir(char path[PATH_SIZE])
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
		errno = ENOENT;
		return -1;
	}
	if (n >= PATH_SIZE) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) == -1 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return mkdir(path, 0700) == -1 && errno != EEXIST ? -1 : 0;
}

static int
open_file(const char *server, const char *name)
{
	char dir[PATH_SIZE], path[PATH_SIZE + 512];
	struct stat st;
	int fd;

	if (make_dir(dir) == -1)
		return -1;
	snprintf(path, sizeof(path), "%s/%s,%s", dir, server, name);
	fd = open(
	    path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd == -1)
		return -1;
	/* Somebody else's, or readable by others: no place for a secret. */
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || fchmod(fd, 0600) == -1) {
		close(fd);
		errno = EPERM;
		return -1;
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
    struct secret *secret)
{
	int fd = open_file(server, name);

	*secretsp = NULL;
	if (fd == -1)
		return SECRETS_NONE;
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		enum secrets_result result =
		    errno == EWOULDBLOCK ? SECRETS_BUSY : SECRETS_NONE;

		close(fd);
		return result;
	}
	*secretsp = malloc(sizeof(**secretsp));
	if (*secretsp == NULL) {
		close(fd);
		return SECRETS_NONE;
	}
	(*secretsp)->fd = fd;
	read_file(fd, secret);
	return SECRETS_OK;
}

int
secrets_save(struct secrets *secrets, const struct secret *secret)
{
	json_t *object = json_pack("{s:s, s:s, s:s}", "client", secret->client,
	    "session", secret->session, "secret", secret->secret);
	char text[FILE_MAX];
	size_t len;

	len = json_dumpb(object, text, sizeof(text), JSON_COMPACT);
	json_decref(object);
	if (len == 0 || len > sizeof(text)) {
		errno = EINVAL;
		return -1;
	}
	if (pwrite(secrets->fd, text, len, 0) != (ssize_t)len ||
	    ftruncate(secrets->fd, (off_t)len) == -1)
		return -1;
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
