/* SPDX-License-Identifier: ISC
 *
 * Reads files into memory of their own and wipes it afterwards. What is in
 * them is not looked at here.
 */
#define _GNU_SOURCE

#include "server/pairs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/log.h"

/* A whole file, or NULL with why it cannot be read; `st` is filled in. */
static char *
read_all(int fd, struct stat *st, size_t *len, const char **why)
{
	char *text;
	ssize_t n = 0;

	*len = 0;
	*why = NULL;
	if (fstat(fd, st) == -1) {
		*why = strerror(errno);
		return NULL;
	}
	if (!S_ISREG(st->st_mode)) {
		*why = "not a regular file";
		return NULL;
	}
	text = log_must_alloc(1, CERTS_FILE_MAX + 1);
	while (*len <= CERTS_FILE_MAX &&
	       (n = read(fd, text + *len, CERTS_FILE_MAX + 1 - *len)) > 0)
		*len += (size_t)n;
	if (n == -1)
		*why = strerror(errno);
	else if (*len == 0)
		*why = "the file is empty";
	else if (*len > CERTS_FILE_MAX)
		*why = "the file is larger than 256 KiB";
	if (*why == NULL)
		return text;
	OPENSSL_clear_free(text, CERTS_FILE_MAX + 1);
	return NULL;
}

/* O_NONBLOCK: nobody waits at the other end of a fifo. */
static char *
read_file(int dir_fd, const char *path, struct stat *st, size_t *len,
    char why[TLS_WHY_MAX])
{
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *wrong = strerror(errno);
	char *text = NULL;

	if (fd != -1) {
		text = read_all(fd, st, len, &wrong);
		close(fd);
	}
	if (text == NULL)
		snprintf(why, TLS_WHY_MAX, "%s: %s", path, wrong);
	return text;
}

static bool
read_pair(struct tls_pair *p, int dir_fd, char why[TLS_WHY_MAX])
{
	struct stat st;

	p->cert = read_file(dir_fd, p->cert_name, &st, &p->cert_len, why);
	if (p->cert == NULL)
		return false;
	p->key = read_file(dir_fd, p->key_name, &st, &p->key_len, why);
	if (p->key == NULL)
		return false;
	if (st.st_mode & S_IROTH)
		log_warn("%s: everybody on this machine may read this key; "
			 "take that right away: chmod o-r",
		    p->key_name);
	return true;
}

bool
pairs_read(struct certs *c, const struct config *config, int dir_fd,
    char why[TLS_WHY_MAX])
{
	c->pairs_n = config->certificates.n;
	for (size_t i = 0; i < c->pairs_n; i++)
		c->pairs[i] = (struct tls_pair){
			.cert_name = config->certificates.each[i],
			.key_name = config->keys.each[i],
		};
	for (size_t i = 0; i < c->pairs_n; i++) {
		if (read_pair(&c->pairs[i], dir_fd, why))
			continue;
		pairs_free(c);
		return false;
	}
	return true;
}

void
pairs_free(struct certs *c)
{
	for (size_t i = 0; i < c->pairs_n; i++) {
		struct tls_pair *p = &c->pairs[i];

		free((char *)p->cert);
		if (p->key != NULL)
			OPENSSL_cleanse((char *)p->key, p->key_len);
		free((char *)p->key);
	}
	c->pairs_n = 0;
}
