/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/tls.h"
#include "server/config.h"
#include "server/config_text.h"
#include "server/filter.h"

#define SANDBOX_USER "localtunnel"
#define SANDBOX_ELSE "nobody"

void
sandbox_preset(struct config *c)
{
	if (c->user != NULL || geteuid() != 0)
		return;
	c->user = log_must_strdup(
	    getpwnam(SANDBOX_USER) != NULL ? SANDBOX_USER : SANDBOX_ELSE);
}

static void
find_user(struct sandbox *s, const struct config *c)
{
	const struct passwd *user = getpwnam(c->user);
	const struct group *group;

	if (user == NULL)
		fatal("user: there is no user \"%s\" on this machine", c->user);
	s->uid = user->pw_uid;
	s->gid = user->pw_gid;
	if (c->group == NULL)
		return;
	if ((group = getgrnam(c->group)) == NULL)
		fatal("group: there is no group \"%s\" on this machine",
		    c->group);
	s->gid = group->gr_gid;
}

/* An empty directory that has no name any more: nobody, not even root, can put
 * anything into it, and nothing of it is left behind. */
static int
open_nowhere(void)
{
	char path[] = "/tmp/ltserver.XXXXXX";
	int fd;

	if (mkdtemp(path) == NULL)
		return -1;
	fd = chmod(path, 0555) == -1
		 ? -1
		 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rmdir(path) == 0 || fd == -1)
		return fd;
	close(fd);
	return -1;
}

void
sandbox_find(struct sandbox *s, const struct config *c)
{
	*s = (struct sandbox){
		.is_on = strcmp(c->sandbox, CONFIG_TEXT_NO) != 0,
		.is_trap = strcmp(c->sandbox, CONFIG_TEXT_TRAP) == 0,
		.is_root = geteuid() == 0,
		.root_fd = -1,
	};
	if (!s->is_root) {
		log_info("workers run as whoever started them, and see the "
			 "files of the machine: only root can change that");
		if (c->user != NULL)
			log_warn("user: only root can make workers user %s",
			    c->user);
	} else {
		find_user(s, c);
		log_info("workers run as user %s", c->user);
		if (s->is_on && (s->root_fd = open_nowhere()) == -1)
			fatal("cannot make an empty directory in /tmp for the "
			      "workers: %s",
			    strerror(errno));
	}
	/* Libraries open files when they are first used. */
	tls_init();
	json_object_seed(0);
	if (!s->is_on)
		log_warn("sandbox = no: workers may do whatever their user "
			 "may");
}

static int
failed(const char *what, char why[SANDBOX_WHY_MAX])
{
	snprintf(why, SANDBOX_WHY_MAX, "%s: %s", what, strerror(errno));
	return -1;
}

/* No file of the machine is to be found after this. */
static int
leave_files(const struct sandbox *s, char why[SANDBOX_WHY_MAX])
{
	if (s->root_fd == -1)
		return 0;
	if (fchdir(s->root_fd) == -1 || chroot(".") == -1)
		return failed("chroot", why);
	close(s->root_fd);
	return 0;
}

static int
leave_root(const struct sandbox *s, char why[SANDBOX_WHY_MAX])
{
	if (!s->is_root)
		return 0;
	if (setgroups(0, NULL) == -1)
		return failed("setgroups", why);
	if (setresgid(s->gid, s->gid, s->gid) == -1)
		return failed("setresgid", why);
	if (setresuid(s->uid, s->uid, s->uid) == -1)
		return failed("setresuid", why);
	if (s->uid != 0 && (setuid(0) != -1 || seteuid(0) != -1)) {
		snprintf(why, SANDBOX_WHY_MAX, "root is not given up");
		return -1;
	}
	return 0;
}

/* Those that a user may have been started with; root's go with the user. */
static int
drop_capabilities(char why[SANDBOX_WHY_MAX])
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capset, &header, none) == -1)
		return failed("capset", why);
	return 0;
}

/* No other process, now or later; what is in memory stays there: no core, and
 * nobody of the same user can look into it. */
static int
limit(bool is_trap, char why[SANDBOX_WHY_MAX])
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_NPROC, &none) == -1)
		return failed("no processes", why);
	if (is_trap)
		return 0;
	if (setrlimit(RLIMIT_CORE, &none) == -1)
		return failed("no core", why);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return failed("not dumpable", why);
	return 0;
}

int
sandbox_enter(const struct sandbox *s, char why[SANDBOX_WHY_MAX])
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return failed("no_new_privs", why);
	if (leave_files(s, why) == -1 || leave_root(s, why) == -1)
		return -1;
	if (!s->is_on)
		return 0;
	if (drop_capabilities(why) == -1 || limit(s->is_trap, why) == -1)
		return -1;
	if (filter_load(s->is_trap) == -1)
		return failed("seccomp (sandbox = no does without)", why);
	return 0;
}
