/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "server/config.h"

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

void
sandbox_find(struct sandbox *s, const struct config *c)
{
	const struct passwd *user;
	const struct group *group;

	memset(s, 0, sizeof(*s));
	if (c->user == NULL)
		return;
	if (geteuid() != 0) {
		log_warn("workers run as whoever started them: only root can "
			 "make them user %s",
		    c->user);
		return;
	}
	if ((user = getpwnam(c->user)) == NULL)
		fatal("user: there is no user \"%s\" on this machine", c->user);
	s->uid = user->pw_uid;
	s->gid = user->pw_gid;
	s->changes_user = s->uid != 0;
	log_info("workers run as user %s", c->user);
	if (c->group == NULL)
		return;
	if ((group = getgrnam(c->group)) == NULL)
		fatal("group: there is no group \"%s\" on this machine",
		    c->group);
	s->gid = group->gr_gid;
}

static int
failed(const char *what, char why[SANDBOX_WHY_MAX])
{
	snprintf(why, SANDBOX_WHY_MAX, "%s: %s", what, strerror(errno));
	return -1;
}

int
sandbox_enter(const struct sandbox *s, char why[SANDBOX_WHY_MAX])
{
	if (s->changes_user) {
		if (setgroups(0, NULL) == -1)
			return failed("setgroups", why);
		if (setresgid(s->gid, s->gid, s->gid) == -1)
			return failed("setresgid", why);
		if (setresuid(s->uid, s->uid, s->uid) == -1)
			return failed("setresuid", why);
		if (setuid(0) != -1 || seteuid(0) != -1) {
			snprintf(why, SANDBOX_WHY_MAX, "root is not given up");
			return -1;
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return failed("no_new_privs", why);
	return 0;
}
