/* SPDX-License-Identifier: ISC
 *
 * Messages of fixed length with at most one descriptor. Inbox and channel use
 * it; it owns nothing but the descriptors of a message that it drops, and it
 * must never leave one of those open: whoever can send them could fill our
 * table of descriptors.
 */
#define _GNU_SOURCE

#include "common/fdpass.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Aligned for the header of the control data. The padding behind one
 * descriptor is room for a second one, so a message that carries two is seen
 * as what it is. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

enum fdpass_result
fdpass_send(int sock, const void *msg, size_t len, int fd)
{
	struct iovec iov = { .iov_base = (void *)msg, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	struct cmsghdr *cm;

	if (fd != -1) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = control.bytes;
		mh.msg_controllen = sizeof(control.bytes);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	}
	if (sendmsg(sock, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
		return FDPASS_OK;
	switch (errno) {
	case EAGAIN:
	case ETOOMANYREFS:
		return FDPASS_AGAIN;
	case EPIPE:
	case ECONNRESET:
		return FDPASS_EOF;
	default:
		return FDPASS_ERROR;
	}
}

/*
 * Takes the descriptors out of the control data: the first goes to *fd,
 * further ones are closed. Returns how many there were; *is_odd says that
 * something else was there too.
 */
static size_t
take_fds(struct msghdr *mh, int *fd, bool *is_odd)
{
	struct cmsghdr *cm;
	size_t i, n, count = 0;
	int one;

	for (cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET ||
		    cm->cmsg_type != SCM_RIGHTS) {
			*is_odd = true;
			continue;
		}
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(
			    &one, CMSG_DATA(cm) + i * sizeof(int), sizeof(one));
			if (count++ == 0)
				*fd = one;
			else
				close(one);
		}
	}
	return count;
}

/* An empty message looks like the end of the stream, but only that comes with
 * a hang-up. Nobody may end our receiving by sending nothing. */
static enum fdpass_result
judge_empty(int sock)
{
	struct pollfd pfd = { .fd = sock, .events = POLLRDHUP };

	if (poll(&pfd, 1, 0) == -1)
		return FDPASS_ERROR;
	return (pfd.revents & (POLLRDHUP | POLLHUP)) != 0 ? FDPASS_EOF
							  : FDPASS_BAD;
}

static enum fdpass_result
judge_error(void)
{
	switch (errno) {
	case EAGAIN:
		return FDPASS_AGAIN;
	case ECONNRESET:
		return FDPASS_EOF;
	default:
		return FDPASS_ERROR;
	}
}

enum fdpass_result
fdpass_recv(int sock, void *msg, size_t len, int *fd)
{
	struct iovec iov = { .iov_base = msg, .iov_len = len };
	union control control;
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	bool is_odd = false;
	size_t count;
	ssize_t n;

	*fd = -1;
	n = recvmsg(sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n == -1)
		return judge_error();
	count = take_fds(&mh, fd, &is_odd);
	if (n == 0 && count == 0 && !is_odd)
		return judge_empty(sock);
	if ((size_t)n == len && (mh.msg_flags & MSG_TRUNC) == 0 && !is_odd) {
		if ((mh.msg_flags & MSG_CTRUNC) == 0 && count <= 1)
			return FDPASS_OK;
		if (count == 0)
			return FDPASS_LOST;
	}
	if (*fd != -1)
		close(*fd);
	*fd = -1;
	return FDPASS_BAD;
}
