/* SPDX-License-Identifier: ISC
 *
 * What a worker gives up before it meets the network: the user who started the
 * server, if that was root, with all groups and capabilities and the way back;
 * the files of the machine; other processes; and every system call that it
 * does not need. Called by main, which settles who the workers are; by the
 * master, which prepares it all while it may; and by each worker, once, when
 * it has all that it needs root for. A worker that cannot give up what it
 * should must not serve.
 */
#ifndef LT_SERVER_SANDBOX_H
#define LT_SERVER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SANDBOX_WHY_MAX 160

struct config;

struct sandbox {
	bool is_on;   /* else the user is changed, and nothing more */
	bool is_trap; /* for developers, see ltserver.conf(5) */
	bool is_root; /* we are, so workers can be somebody else */
	int root_fd;  /* what will be their root directory; -1: the old one */
	uid_t uid;
	gid_t gid;
};

/* Fills in whom workers run as when nothing is said: if we are root, the user
 * "localtunnel", or "nobody" where there is no such user. */
void sandbox_preset(struct config *);

/* Looks up user and group, makes the root directory, and says on the log what
 * workers will be and what could not be done. fatal() if there are none of
 * these names, or there can be no directory. */
void sandbox_find(struct sandbox *, const struct config *);

/* Gives it all up, for good. -1 with `why`. */
int sandbox_enter(const struct sandbox *, char why[SANDBOX_WHY_MAX]);

#endif
