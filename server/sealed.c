/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int
sealed_begin(const char *name)
{
	return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

/* Writes the whole, and goes on after a part. */
bool
sealed_put(int fd, const void *buf, size_t len)
{
	const char *at = buf;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

int
sealed_end(int fd, bool is_good)
{
	int saved_errno;

	if (is_good && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return -1;
}

size_t
sealed_size(int fd, const char **why)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals == -1 || (seals & SEALS) != SEALS)
		*why = "it is not sealed";
	else if (fstat(fd, &st) == -1)
		*why = strerror(errno);
	else if (st.st_size <= 0 || (uint64_t)st.st_size > SEALED_MAX)
		*why = "it has a size that cannot be";
	else
		return (size_t)st.st_size;
	return 0;
}

char *
sealed_read(int fd, size_t *len, const char **why)
{
	char *buf;

	if ((*len = sealed_size(fd, why)) == 0)
		return NULL;
	if ((buf = malloc(*len)) == NULL) {
		*why = "out of memory";
		return NULL;
	}
	for (size_t at = 0; at < *len;) {
		ssize_t n = pread(fd, buf + at, *len - at, (off_t)at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			*why =
			    n == 0 ? "it has an end too soon" : strerror(errno);
			free(buf);
			return NULL;
		}
		at += (size_t)n;
	}
	return buf;
}
