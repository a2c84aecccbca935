/* SPDX-License-Identifier: ISC
 *
 * The local service for uploads: takes requests with a Content-Length, throws
 * the body away without copying it, and answers 200. nginx would write it to
 * a file and be slower than what is measured. Used by bench/run.py only.
 *
 *	sink LISTEN_PORT
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* Reads one head, its NUL added; the length of the body, -1 at the end. What
 * of the body was read with it is taken off. */
static long
read_head(int fd)
{
	static char buf[65536];
	size_t len = 0;
	char *end = NULL, *at;
	ssize_t n;

	while (end == NULL) {
		n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0);
		if (n <= 0)
			return -1;
		len += (size_t)n;
		buf[len] = '\0';
		end = strstr(buf, "\r\n\r\n");
	}
	at = strcasestr(buf, "\r\nContent-Length:");
	if (at == NULL || at > end)
		return 0;
	return atol(at + strlen("\r\nContent-Length:")) -
	       (long)(len - (size_t)(end + 4 - buf));
}

static void
serve(int fd)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\n"
				     "Content-Length: 0\r\n\r\n";
	long left;
	ssize_t n;

	while ((left = read_head(fd)) != -1) {
		for (; left > 0; left -= n) {
			n = recv(fd, NULL, (size_t)left, MSG_TRUNC);
			if (n <= 0)
				return;
		}
		if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == -1)
			return;
	}
}

int
main(int argc, char **argv)
{
	const int on = 1;
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    listen(listener, 64) == -1)
		die("listen");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		if ((fd = accept(listener, NULL, NULL)) == -1)
			continue;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(fd);
			_exit(0);
		}
		close(fd);
	}
}
