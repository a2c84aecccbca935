/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/handoff.h"

#define SAID_MAX 2048  /* of what it says, the end */
#define CHECK_MS 30000 /* until it must have answered */

struct upgrade {
	char **argv;
	char *path;
	int dir_fd; /* where it was started */
	pid_t pid;  /* of the one that is asked; 0: none */
	int status;
	bool is_over; /* it has ended */
	int fd;	      /* what it says; -1: it will say no more */
	struct event *readable;
	struct event *limit;
	size_t len;
	char said[SAID_MAX + 1];
	upgrade_done_fn *done;
	void *arg;
};

/* The program, by the name that it was started with, so that a link that leads
 * elsewhere by then is followed. */
static char *
find_path(const char *name)
{
	char buf[PATH_MAX], *path;
	ssize_t n;

	if (name[0] == '/')
		return log_must_strdup(name);
	if (strchr(name, '/') != NULL && getcwd(buf, sizeof(buf)) != NULL) {
		if (asprintf(&path, "%s/%s", buf, name) == -1)
			fatal("out of memory");
		return path;
	}
	n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);
	buf[n < 0 ? 0 : n] = '\0';
	return log_must_strdup(buf);
}

struct upgrade *
upgrade_new(char **argv)
{
	struct upgrade *u = log_must_alloc(1, sizeof(*u));

	u->argv = argv;
	u->path = find_path(argv[0]);
	u->dir_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	u->fd = -1;
	return u;
}

void
upgrade_free(struct upgrade *u)
{
	if (u->fd != -1)
		close(u->fd);
	if (u->dir_fd != -1)
		close(u->dir_fd);
	if (u->readable != NULL)
		event_free(u->readable);
	if (u->limit != NULL)
		event_free(u->limit);
	free(u->path);
	free(u);
}

void
upgrade_stop(struct upgrade *u)
{
	if (u->pid != 0 && !u->is_over)
		kill(u->pid, SIGKILL);
}

static void
limit_cb(evutil_socket_t fd, short what, void *arg)
{
	struct upgrade *u = arg;

	(void)fd;
	(void)what;
	upgrade_stop(u);
}

void
upgrade_start(struct upgrade *u, struct event_base *base, upgrade_done_fn *done,
    void *arg)
{
	u->done = done;
	u->arg = arg;
	u->limit = evtimer_new(base, limit_cb, u);
	if (u->limit == NULL)
		fatal("out of memory");
}

/* What is wrong, in a line of its own; NULL if nothing is. */
static const char *
find_fault(struct upgrade *u, char line[256])
{
	size_t good = strlen(HANDOFF_GOOD);
	char *rest = u->said, *each;

	if (WIFEXITED(u->status) && WEXITSTATUS(u->status) == 0 &&
	    u->len >= good &&
	    strcmp(u->said + u->len - good, HANDOFF_GOOD) == 0)
		return NULL;
	snprintf(line, 256, "%s does not say that it can take over", u->path);
	while ((each = strsep(&rest, "\n")) != NULL) {
		if (each[0] == '\0')
			continue;
		log_error("upgrade: it says: %s", log_printable(each));
		snprintf(line, 256, "%s", each);
	}
	return line;
}

/* It has ended, and all that it said is here. */
static void
look(struct upgrade *u)
{
	char line[256];
	const char *wrong;

	if (!u->is_over || u->fd != -1)
		return;
	wrong = find_fault(u, line);
	event_del(u->limit);
	u->pid = 0;
	u->done(u->arg, wrong);
}

/* Keeps the end of what it says. */
static void
read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct upgrade *u = arg;
	ssize_t n;

	(void)what;
	if (u->len > SAID_MAX / 2) {
		memmove(u->said, u->said + u->len - SAID_MAX / 2, SAID_MAX / 2);
		u->len = SAID_MAX / 2;
	}
	n = read(fd, u->said + u->len, SAID_MAX - u->len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		u->len += (size_t)n;
		u->said[u->len] = '\0';
		return;
	}
	event_free(u->readable);
	u->readable = NULL;
	close(u->fd);
	u->fd = -1;
	look(u);
}

void
upgrade_reap(struct upgrade *u)
{
	if (u->pid == 0 || u->is_over ||
	    waitpid(u->pid, &u->status, WNOHANG) != u->pid)
		return;
	u->is_over = true;
	look(u);
}

bool
upgrade_is_busy(const struct upgrade *u)
{
	return u->pid != 0;
}

/* In the child: the program, that only checks. */
static _Noreturn void
ask(const struct upgrade *u, const struct handoff *h, int state, int out)
{
	size_t n = 0;
	char **argv;

	while (u->argv[n] != NULL)
		n++;
	argv = calloc(n + 2, sizeof(*argv));
	if (argv == NULL)
		_exit(EXIT_FAILURE);
	memcpy(argv, u->argv, n * sizeof(*argv));
	argv[n] = "-t";
	handoff_open_way(h, state);
	if (u->dir_fd != -1 && fchdir(u->dir_fd) == -1)
		_exit(EXIT_FAILURE);
	if (dup2(out, STDOUT_FILENO) != -1 && dup2(out, STDERR_FILENO) != -1)
		execv(u->path, argv);
	dprintf(out, "%s: %s\n", u->path, strerror(errno));
	_exit(EXIT_FAILURE);
}

/* Forks the one that is asked, with signals blocked as long as handlers of
 * this program could run in it. */
static pid_t
fork_it(const struct upgrade *u, const struct handoff *h, int state, int out)
{
	sigset_t all, mask;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask);
	pid = fork();
	if (pid == 0) {
		for (int i = 1; i < NSIG; i++)
			(void)signal(i, SIG_DFL);
		sigprocmask(SIG_SETMASK, &mask, NULL);
		ask(u, h, state, out);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return pid;
}

bool
upgrade_check(
    struct upgrade *u, const struct handoff *h, char *why, size_t size)
{
	struct timeval limit = clock_span(CHECK_MS);
	struct event_base *base = event_get_base(u->limit);
	int state = handoff_seal(h), fds[2] = { -1, -1 };

	if (state != -1 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0)
		u->readable =
		    event_new(base, fds[0], EV_READ | EV_PERSIST, read_cb, u);
	if (u->readable != NULL && event_add(u->readable, NULL) == 0)
		u->pid = fork_it(u, h, state, fds[1]);
	if (u->pid <= 0) {
		snprintf(
		    why, size, "cannot ask %s: %s", u->path, strerror(errno));
		u->pid = 0;
	}
	if (state != -1)
		close(state);
	if (fds[1] != -1)
		close(fds[1]);
	if (u->pid == 0) {
		if (u->readable != NULL)
			event_free(u->readable);
		u->readable = NULL;
		if (fds[0] != -1)
			close(fds[0]);
		return false;
	}
	u->fd = fds[0];
	u->is_over = false;
	u->len = 0;
	u->said[0] = '\0';
	evtimer_add(u->limit, &limit);
	return true;
}

void
upgrade_exec(struct upgrade *u, const struct handoff *h)
{
	int state = handoff_seal(h), saved_errno;
	sigset_t all, mask;
	int here;

	if (state == -1)
		return;
	here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask);
	handoff_open_way(h, state);
	if (u->dir_fd == -1 || fchdir(u->dir_fd) == 0)
		execv(u->path, u->argv);
	saved_errno = errno;
	if (here != -1 && fchdir(here) == -1)
		log_error("cannot go back to a directory: %s", strerror(errno));
	handoff_close_way(h, state);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(state);
	if (here != -1)
		close(here);
	errno = saved_errno;
}
