/* SPDX-License-Identifier: ISC
 *
 * What a relay can reach at most on this machine: it accepts, connects to one
 * fixed address, and moves bytes; nothing is looked at, logged, limited or
 * timed. Two of them in a chain are the limit that a tunnel is measured
 * against. Used by bench/run.py only, and no part of the programs.
 *
 *	limit LISTEN_PORT TARGET_PORT [PROCESSES]
 *
 * All on 127.0.0.1. Small payloads go through read and write; a direction
 * whose read fills the buffer changes to splice through a pipe of 256 KiB
 * until it runs dry. Each descriptor is registered once, edge-triggered. The
 * processes share the listening socket, and of several that wait one is woken.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_SIZE  16384
#define PIPE_SIZE  (256 * 1024)
#define TURN_BYTES (1024 * 1024) /* of a direction, before others come */
#define PIPES_MAX  64		 /* that rest */

struct end {
	struct relay *relay;
	int fd;
	bool is_readable, is_writable;
	bool has_hung_up; /* a short read may not be the last one */
	bool is_shut;	  /* no more is written to it */
};

struct flow {
	char *rest; /* read and not yet written */
	size_t rest_len;
	int pipe[2]; /* -1: none */
	size_t piped;
	bool is_bulk, has_ended;
};

struct relay {
	struct relay *dead; /* the next one that has ended */
	bool is_dead;
	struct end end[2];
	struct flow flow[2]; /* [i] comes from end[i] */
};

static int epoll, listener;
static struct sockaddr_in target;
static struct relay *dead;
static int pipes[PIPES_MAX][2], pipes_n;
static char buf[READ_SIZE];

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
take_pipe(struct flow *f)
{
	if (pipes_n > 0) {
		pipes_n--;
		memcpy(f->pipe, pipes[pipes_n], sizeof(f->pipe));
	} else if (pipe2(f->pipe, O_NONBLOCK | O_CLOEXEC) == -1) {
		f->pipe[0] = f->pipe[1] = -1;
	} else {
		(void)fcntl(f->pipe[1], F_SETPIPE_SZ, PIPE_SIZE);
	}
}

static void
put_pipe(struct flow *f)
{
	if (f->pipe[0] == -1)
		return;
	if (f->piped == 0 && pipes_n < PIPES_MAX) {
		memcpy(pipes[pipes_n++], f->pipe, sizeof(f->pipe));
	} else {
		close(f->pipe[0]);
		close(f->pipe[1]);
	}
	f->pipe[0] = f->pipe[1] = -1;
}

/* Closes it; freed when no event of this turn can refer to it. */
static void
end_relay(struct relay *r)
{
	for (int i = 0; i < 2; i++) {
		close(r->end[i].fd);
		free(r->flow[i].rest);
		put_pipe(&r->flow[i]);
	}
	r->is_dead = true;
	r->dead = dead;
	dead = r;
}

/* Writes what waits; false if it still does. Errors count as written. */
static bool
deliver(struct flow *f, struct end *to)
{
	ssize_t n;

	while (f->rest_len > 0 || f->piped > 0) {
		if (!to->is_writable)
			return false;
		if (f->rest_len > 0)
			n = send(to->fd, f->rest, f->rest_len, MSG_NOSIGNAL);
		else
			n = splice(f->pipe[0], NULL, to->fd, NULL, f->piped,
			    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n == -1 && errno == EAGAIN) {
			to->is_writable = false;
		} else if (f->rest_len > 0) {
			if (n == -1)
				n = (ssize_t)f->rest_len;
			f->rest_len -= (size_t)n;
			memmove(f->rest, f->rest + n, f->rest_len);
		} else {
			f->piped -= n == -1 ? f->piped : (size_t)n;
		}
	}
	return true;
}

/* One piece; false if the source has no more now. */
static bool
move_small(struct flow *f, struct end *from, struct end *to)
{
	ssize_t sent, n = recv(from->fd, buf, sizeof(buf), 0);

	if (n <= 0) {
		from->is_readable = false;
		f->has_ended = n == 0 || errno != EAGAIN;
		return false;
	}
	f->is_bulk = n == sizeof(buf);
	if (!f->is_bulk && !from->has_hung_up)
		from->is_readable = false;
	sent = send(to->fd, buf, (size_t)n, MSG_NOSIGNAL);
	if (sent == n || (sent == -1 && errno != EAGAIN))
		return from->is_readable;
	if (sent == -1)
		sent = 0;
	to->is_writable = false;
	f->rest_len = (size_t)(n - sent);
	if ((f->rest = realloc(f->rest, f->rest_len)) == NULL)
		die("realloc");
	memcpy(f->rest, buf + sent, f->rest_len);
	return from->is_readable;
}

static bool
move_bulk(struct flow *f, struct end *from)
{
	ssize_t n = splice(from->fd, NULL, f->pipe[1], NULL, PIPE_SIZE,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n > 0) {
		f->piped = (size_t)n;
		return true;
	}
	f->is_bulk = false;
	if (n == 0 || errno != EAGAIN)
		return true; /* read tells what it is */
	from->is_readable = false;
	return false;
}

static void
pump(struct flow *f, struct end *from, struct end *to)
{
	size_t moved = 0;

	while (deliver(f, to) && from->is_readable && !f->has_ended) {
		if (moved > TURN_BYTES) {
			/* The others first: the event comes again. */
			struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT |
							    EPOLLRDHUP |
							    EPOLLET,
				.data.ptr = from };

			epoll_ctl(epoll, EPOLL_CTL_MOD, from->fd, &ev);
			return;
		}
		if (f->is_bulk && f->pipe[0] == -1)
			take_pipe(f);
		if (f->is_bulk && f->pipe[0] != -1) {
			if (!move_bulk(f, from))
				break;
			moved += f->piped;
		} else if (!move_small(f, from, to)) {
			break;
		}
	}
	if (!deliver(f, to))
		return;
	put_pipe(f);
	if (f->has_ended && !to->is_shut) {
		shutdown(to->fd, SHUT_WR);
		to->is_shut = true;
	}
}

static void
turn(struct end *e, unsigned events)
{
	struct relay *r = e->relay;

	if (r->is_dead)
		return;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		e->is_readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		e->has_hung_up = true;
	if (events & EPOLLOUT)
		e->is_writable = true;
	pump(&r->flow[0], &r->end[0], &r->end[1]);
	pump(&r->flow[1], &r->end[1], &r->end[0]);
	if ((r->end[0].is_shut && r->end[1].is_shut) || (events & EPOLLERR))
		end_relay(r);
}

static void
watch(struct relay *r, int i, int fd)
{
	struct epoll_event ev = { .events =
				      EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = &r->end[i] };

	r->end[i] = (struct end){ .relay = r, .fd = fd };
	r->flow[i].pipe[0] = r->flow[i].pipe[1] = -1;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
		die("epoll_ctl");
}

static void
accept_one(void)
{
	const int on = 1;
	struct relay *r;
	int other,
	    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd == -1)
		return;
	other = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	r = calloc(1, sizeof(*r));
	if (other == -1 || r == NULL)
		die("no room");
	setsockopt(other, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(other, (struct sockaddr *)&target, sizeof(target)) == -1 &&
	    errno != EINPROGRESS)
		die("connect");
	watch(r, 0, fd);
	watch(r, 1, other);
}

static void
serve(void)
{
	struct epoll_event events[256],
	    ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	struct relay *r;
	int n;

	if ((epoll = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev) == -1)
		die("epoll");
	for (;;) {
		n = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_one();
			else
				turn(events[i].data.ptr, events[i].events);
		}
		while ((r = dead) != NULL) {
			dead = r->dead;
			free(r);
		}
	}
}

static int
listen_on(int port)
{
	const int on = 1;
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    listen(fd, 4096) == -1)
		die("listen");
	return fd;
}

int
main(int argc, char **argv)
{
	int n = argc > 3 ? atoi(argv[3]) : 1;

	if (argc < 3) {
		fputs("usage: limit LISTEN_PORT TARGET_PORT [PROCESSES]\n",
		    stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	target = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(argv[2])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	listener = listen_on(atoi(argv[1]));
	for (; n > 1; n--) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			break;
		}
	}
	serve();
}
