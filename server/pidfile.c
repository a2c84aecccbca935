/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/rundir.h"

#define TRIES 10 /* to lock what another one is just removing */

struct pidfile {
	int fd;
	char path[];
};

/* Whatever is there, this neither follows links nor waits. */
static int
open_file(const char *path)
{
	int flags =
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = open(path, flags, 0644);

	if (fd != -1 || errno != ENOENT)
		return fd;
	rundir_make(path);
	return open(path, flags, 0644);
}

/* True if the path still leads to what is open. */
static bool
is_in_place(const char *path, const struct stat *open)
{
	struct stat now;

	return lstat(path, &now) == 0 && now.st_dev == open->st_dev &&
	       now.st_ino == open->st_ino;
}

static void
say_locked(const char *path, int fd, char *why, size_t size)
{
	char text[16] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	text[strspn(text, "0123456789")] = '\0';
	snprintf(why, size,
	    "%s: another server has it locked%s%s; stop that one, or set "
	    "pid-file",
	    path, text[0] == '\0' ? "" : ", process ", text);
}

/* Opens and locks it once: the descriptor; -1 with `why`; or -2 if somebody has
 * taken it away meanwhile. */
static int
try_lock(const char *path, char *why, size_t size)
{
	int fd = open_file(path);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(why, size, "%s: this is no regular file", path);
	} else if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		say_locked(path, fd, why, size);
	} else if (is_in_place(path, &st)) {
		return fd;
	} else {
		close(fd);
		return -2;
	}
	if (fd != -1)
		close(fd);
	return -1;
}

struct pidfile *
pidfile_open(const char *path, char *why, size_t size)
{
	struct pidfile *p;
	int fd = -2;

	snprintf(why, size, "%s: it cannot be kept", path);
	for (int i = 0; i < TRIES && fd == -2; i++)
		fd = try_lock(path, why, size);
	if (fd < 0)
		return NULL;
	p = pidfile_adopt(path, fd);
	if (p == NULL) {
		snprintf(why, size, "out of memory");
		close(fd);
	}
	return p;
}

struct pidfile *
pidfile_adopt(const char *path, int fd)
{
	struct pidfile *p = malloc(sizeof(*p) + strlen(path) + 1);

	if (p == NULL)
		return NULL;
	p->fd = fd;
	strcpy(p->path, path);
	return p;
}

int
pidfile_fd(const struct pidfile *p)
{
	return p->fd;
}

int
pidfile_write(struct pidfile *p)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	/* umask has no say in who may read it. */
	if (ftruncate(p->fd, 0) == -1 || fchmod(p->fd, 0644) == -1)
		return -1;
	return pwrite(p->fd, text, (size_t)len, 0) == len ? 0 : -1;
}

void
pidfile_forget(struct pidfile *p)
{
	if (p == NULL)
		return;
	close(p->fd);
	free(p);
}

/* While it is locked nobody else believes in it, so it can be removed by its
 * name, unless that leads elsewhere by now. */
void
pidfile_remove(struct pidfile *p)
{
	struct stat st;

	if (p == NULL)
		return;
	if (fstat(p->fd, &st) == 0 && is_in_place(p->path, &st))
		(void)unlink(p->path);
	pidfile_forget(p);
}
