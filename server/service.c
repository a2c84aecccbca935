/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/service.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#ifdef LT_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "common/clock.h"
#include "common/log.h"
#include "server/config.h"
#include "server/config_text.h"
#include "server/handoff.h"
#include "server/pidfile.h"

struct service {
	struct pidfile *pidfile; /* NULL: none */
	int starter; /* a byte to it says that we are ready; or -1 */
	bool is_ready;
	struct event *watchdog; /* NULL: nobody watches */
};

#ifdef LT_SYSTEMD

static void
tell(const char *state)
{
	(void)sd_notify(0, state);
}

/* How often the watchdog wants to hear of us; 0: there is none. */
static uint64_t
watchdog_us(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}

#else

static void
tell(const char *state)
{
	(void)state;
}

static uint64_t
watchdog_us(void)
{
	return 0;
}

#endif

struct service *
service_new(const struct config *config)
{
	struct service *s = log_must_alloc(1, sizeof(*s));
	char why[1200];

	s->starter = -1;
	if (strcmp(config->pid_file, CONFIG_TEXT_NONE) == 0)
		return s;
	s->pidfile = pidfile_open(config->pid_file, why, sizeof(why));
	if (s->pidfile == NULL)
		fatal("%s", why);
	return s;
}

void
service_save(const struct service *s, struct handoff *h)
{
	json_t *part = json_object();

	handoff_put_fd(
	    h, part, "fd", s->pidfile == NULL ? -1 : pidfile_fd(s->pidfile));
	json_object_set_new(handoff_root(h), "pid-file", part);
}

struct service *
service_adopt(struct handoff *h, const struct config *config)
{
	const json_t *part = json_object_get(handoff_root(h), "pid-file");
	struct service *s = log_must_alloc(1, sizeof(*s));
	int fd = handoff_take_fd(part, "fd");

	s->starter = -1;
	if (fd != -1)
		s->pidfile = pidfile_adopt(config->pid_file, fd);
	return s;
}

/* What is left of the process that was started: it waits for word, or for the
 * end of who should give it. */
static _Noreturn void
wait_ready(int fd)
{
	ssize_t n;
	char byte;

	do
		n = read(fd, &byte, 1);
	while (n == -1 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	fprintf(stderr, "ltserver: it did not start; its log says why\n");
	_exit(EXIT_FAILURE);
}

static void
leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (setsid() == -1 || chdir("/") == -1 || null == -1)
		fatal("cannot go into the background: %s", strerror(errno));
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) == -1)
			fatal("cannot leave the terminal: %s", strerror(errno));
	if (null > STDERR_FILENO)
		close(null);
}

static void
go_background(struct service *s)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		fatal("cannot go into the background: %s", strerror(errno));
	if (pid != 0) {
		close(fds[1]);
		wait_ready(fds[0]);
	}
	close(fds[0]);
	s->starter = fds[1];
	leave_terminal();
}

void
service_detach(struct service *s, const struct config *config)
{
	if (!config->foreground)
		go_background(s);
	if (s->pidfile != NULL && pidfile_write(s->pidfile) == -1)
		fatal("%s: %s", config->pid_file, strerror(errno));
}

static void
watchdog_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	tell("WATCHDOG=1");
}

void
service_start(struct service *s, struct event_base *base)
{
	uint64_t us = watchdog_us() / 2;
	struct timeval tv = { .tv_sec = (time_t)(us / 1000000),
		.tv_usec = (suseconds_t)(us % 1000000) };

	if (us == 0)
		return;
	s->watchdog = event_new(base, -1, EV_PERSIST, watchdog_cb, s);
	if (s->watchdog == NULL || event_add(s->watchdog, &tv) == -1)
		fatal("cannot answer the watchdog");
}

void
service_ready(struct service *s)
{
	if (s->is_ready)
		return;
	s->is_ready = true;
	tell("READY=1");
	if (s->starter == -1)
		return;
	/* Whoever waited for it may be gone. */
	if (write(s->starter, "", 1) == -1)
		log_debug("nobody waits for readiness: %s", strerror(errno));
	close(s->starter);
	s->starter = -1;
}

void
service_reloading(void)
{
	char state[64];

	/* The time is that of the monotonic clock, as systemd wants it. */
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	    clock_ms() * 1000);
	tell(state);
}

void
service_reloaded(void)
{
	tell("READY=1");
}

void
service_stopping(void)
{
	tell("STOPPING=1");
}

/* What both ends have in common. */
static void
fini(struct service *s)
{
	if (s->starter != -1)
		close(s->starter);
	if (s->watchdog != NULL)
		event_free(s->watchdog);
	free(s);
}

void
service_forget(struct service *s)
{
	pidfile_forget(s->pidfile);
	fini(s);
}

void
service_free(struct service *s)
{
	pidfile_remove(s->pidfile);
	fini(s);
}
