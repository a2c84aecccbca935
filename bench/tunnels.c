/* SPDX-License-Identifier: ISC
 *
 * Many tunnels that nobody visits: each a control connection of LTP/0.2 that
 * answers pings. They are what a server has to carry while one tunnel is
 * measured. Used by bench/run.py only.
 *
 *	tunnels SERVER_PORT N
 *
 * Says "up" once all are there. Connections come from 127.0.0.2, so that the
 * visitors of 127.0.0.1 have all local ports for themselves.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER	"LTP/0.2"
#define AT_ONCE 64 /* that wait for their first reply */

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
send_frame(int fd, const char *header, const char *json)
{
	char buf[512];
	uint32_t len = htonl((uint32_t)strlen(json));
	size_t n = strlen(header);

	memcpy(buf, header, n);
	memcpy(buf + n, &len, sizeof(len));
	strcpy(buf + n + sizeof(len), json);
	n += sizeof(len) + strlen(json);
	if (send(fd, buf, n, MSG_NOSIGNAL) != (ssize_t)n)
		die("send");
}

static void
open_tunnel(int epoll, uint16_t port, int i)
{
	const int on = 1;
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event ev = { .events = EPOLLIN };
	char json[128];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ev.data.fd = fd;
	if (fd == -1 ||
	    bind(fd, (struct sockaddr *)&from, sizeof(from)) == -1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	snprintf(json, sizeof(json),
	    "{\"control\": {\"name\": \"quiet-%d\", "
	    "\"client\": \"bench@host;Linux\"}}",
	    i);
	send_frame(fd, HEADER, json);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
		die("epoll_ctl");
}

/* One frame; true if it is the first reply. Frames are far shorter than what
 * one segment takes, and the server sends one at a time. */
static bool
take(int fd)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

	if (n <= 4) {
		fputs("the server has closed a tunnel\n", stderr);
		exit(1);
	}
	buf[n] = '\0';
	if (strstr(buf + 4, "\"ping\"") == NULL) {
		if (strstr(buf + 4, "\"host\"") != NULL)
			return true;
		fprintf(stderr, "refused: %s\n", buf + 4);
		exit(1);
	}
	send_frame(fd, "", "{\"control\": \"pong\"}");
	return false;
}

int
main(int argc, char **argv)
{
	struct rlimit limit;
	struct epoll_event events[256];
	int epoll = epoll_create1(0), asked = 0, up = 0, n, total;
	uint16_t port;

	if (argc != 3) {
		fputs("usage: tunnels SERVER_PORT N\n", stderr);
		return 2;
	}
	port = (uint16_t)atoi(argv[1]);
	total = atoi(argv[2]);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (;;) {
		while (asked < total && asked - up < AT_ONCE)
			open_tunnel(epoll, port, asked++);
		n = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < n; i++) {
			if (!take(events[i].data.fd) || ++up < total)
				continue;
			puts("up");
			fflush(stdout);
		}
	}
}
