/* SPDX-License-Identifier: ISC
 *
 * What a worker gives up before it meets the network: the user who started the
 * server, if that was root, supplementary groups, and the way back. Called by
 * main, which settles who the workers are; by the master, which looks them up
 * while it may read files; and by each worker, once, when it has all that it
 * needs root for. A worker that cannot give up what it should must not serve.
 */
#ifndef LT_SERVER_SANDBOX_H
#define LT_SERVER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SANDBOX_WHY_MAX 160

struct config;

struct sandbox {
	bool changes_user;
	uid_t uid;
	gid_t gid;
};

/* Fills in whom workers run as when nothing is said: if we are root, the user
 * "localtunnel", or "nobody" where there is no such user. */
void sandbox_preset(struct config *);

/* Looks up user and group, and says on the log whom workers run as. fatal() if
 * there are none of these names. */
void sandbox_find(struct sandbox *, const struct config *);

/* Gives it all up, for good. -1 with `why`. */
int sandbox_enter(const struct sandbox *, char why[SANDBOX_WHY_MAX]);

#endif
