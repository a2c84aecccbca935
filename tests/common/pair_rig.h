/* SPDX-License-Identifier: ISC
 *
 * Two ends of one connection, both non-blocking, for tests that are the peer
 * themselves.
 */
#ifndef LT_TESTS_COMMON_PAIR_RIG_H
#define LT_TESTS_COMMON_PAIR_RIG_H

#include <sys/socket.h>

#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <unistd.h>

/* TCP, with buffers of `size` bytes; 0: as the kernel likes it. */
static inline void
tcp_pair(int size, int fd[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Small buffers are soon full; accept() inherits them. */
	if (size > 0) {
		setsockopt(l, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(c, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	}
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(l, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	ck_assert_int_eq(connect(c, (struct sockaddr *)&sin, len), 0);
	fd[0] = c;
	fd[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	ck_assert_int_ne(fd[1], -1);
	fcntl(c, F_SETFL, O_NONBLOCK);
	close(l);
}

/* Small ones, of TCP or Unix. */
static inline void
small_pair(bool is_tcp, int fd[2])
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

	if (is_tcp)
		tcp_pair(65536, fd);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, type, 0, fd), 0);
}

#endif
