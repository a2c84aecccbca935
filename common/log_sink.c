/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "common/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

#define RETRY_MS 1000 /* between two looks for a syslog */

static bool
is_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags != -1 && (flags & O_NONBLOCK) == 0;
}

void
log_sink_init(struct log_sink *s, int fd, const char *path)
{
	struct stat st = { .st_mode = S_IFREG };

	if (fd != -1)
		(void)fstat(fd, &st);
	*s = (struct log_sink){
		.fd = fd,
		.path = path == NULL ? NULL : strdup(path),
		.is_socket = S_ISSOCK(st.st_mode),
		.may_block = !S_ISSOCK(st.st_mode) && !S_ISREG(st.st_mode) &&
			     is_blocking(fd),
	};
}

void
log_sink_fini(struct log_sink *s)
{
	if (s->fd > STDERR_FILENO)
		close(s->fd);
	s->fd = -1;
	log_sink_confine(s);
}

/* -1 with errno. */
static int
connect_to(int fd, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	return connect(fd, (struct sockaddr *)&addr, sizeof(addr));
}

/* Looks for a syslog that was not there, or is another one now. */
static bool
find_again(struct log_sink *s)
{
	uint64_t now = clock_ms();

	if (s->path == NULL || errno == EAGAIN || errno == ENOBUFS ||
	    (s->tried_ms != 0 && now - s->tried_ms < RETRY_MS))
		return false;
	s->tried_ms = now;
	return connect_to(s->fd, s->path) == 0;
}

static ssize_t
put(const struct log_sink *s, const char *text, size_t len)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };

	if (s->is_socket)
		return send(s->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* A pipe that can be written to takes a line as a whole. */
	if (s->may_block &&
	    (poll(&pfd, 1, 0) != 1 || (pfd.revents & POLLOUT) == 0)) {
		errno = EAGAIN;
		return -1;
	}
	return write(s->fd, text, len);
}

bool
log_sink_write(struct log_sink *s, const char *line, size_t len)
{
	ssize_t n;

	if (s->was_torn && put(s, "\n", 1) != 1)
		return false;
	s->was_torn = false;
	n = put(s, line, len);
	if (n == -1 && find_again(s))
		n = put(s, line, len);
	if (n == (ssize_t)len)
		return true;
	s->was_torn = n > 0;
	return false;
}

void
log_sink_confine(struct log_sink *s)
{
	free(s->path);
	s->path = NULL;
}

void
log_sink_tend(struct log_sink *s)
{
	struct sockaddr_un peer;
	socklen_t len = sizeof(peer);

	if (s->path != NULL &&
	    getpeername(s->fd, (struct sockaddr *)&peer, &len) == -1)
		(void)connect_to(s->fd, s->path);
}

int
log_sink_open_file(const char *path)
{
	int flags = O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = open(path, O_WRONLY | flags, 0640);

	/* A FIFO that nobody reads can be opened only for both. */
	if (fd == -1 && errno == ENXIO)
		fd = open(path, O_RDWR | flags, 0640);
	return fd;
}

int
log_sink_open_syslog(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd != -1 && connect_to(fd, path) == -1 && errno == ENAMETOOLONG) {
		close(fd);
		return -1;
	}
	return fd;
}

int
log_sink_open_stderr(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) == -1 ||
	    (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode)))
		return -1;
	return open(
	    "/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}
