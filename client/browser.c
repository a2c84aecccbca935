/* SPDX-License-Identifier: ISC
 *
 * Starts the browser. Called by tunnel. The URL comes from a server: nothing is
 * started but for http and https, and no shell reads it.
 */
#define _GNU_SOURCE
#include "client/browser.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client/display.h"

#define OPENER "xdg-open"

/* Nobody waits for it: it is to leave no zombie. */
static void
forget_children(void)
{
	struct sigaction action = { .sa_flags = SA_NOCLDWAIT };

	action.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &action, NULL);
}

/* In a session of its own, so that what ends us does not end it; with nothing
 * of ours but the environment, not our policy (batch.h) either. Returns an
 * errno. */
static int
spawn(const char *url)
{
	char *argv[] = { OPENER, (char *)(uintptr_t)url, NULL };
	const struct sched_param param = { 0 };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID;
	sigset_t defaults;
	int error, fd;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	for (fd = 0; fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(
		    &files, fd, "/dev/null", O_RDWR, 0);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setschedpolicy(&attr, SCHED_OTHER);
	posix_spawnattr_setschedparam(&attr, &param);
	if (sched_getscheduler(0) == SCHED_BATCH)
		flags |= POSIX_SPAWN_SETSCHEDULER;
	posix_spawnattr_setflags(&attr, flags);
	error = posix_spawnp(&pid, OPENER, &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return error;
}

void
browser_open(const struct display *display, const char *url)
{
	int error;

	if (strncasecmp(url, "http://", 7) != 0 &&
	    strncasecmp(url, "https://", 8) != 0) {
		display_note(display, "%s is nothing for a browser", url);
		return;
	}
	forget_children();
	error = spawn(url);
	if (error != 0)
		display_note(display,
		    "no browser can be opened: " OPENER ": %s (it is in the "
		    "package xdg-utils)",
		    strerror(error));
}
