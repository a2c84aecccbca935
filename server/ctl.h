/* SPDX-License-Identifier: ISC
 *
 * The operator's socket: ltctl connects, sends one command, reads the answer,
 * and is gone. Owned by the master, which must never wait for anybody: so
 * connections are few, each has a time within which all must be done, and when
 * there are too many the oldest is closed for the newest. Who may connect is
 * settled by the mode of the socket; what is sent is checked all the same.
 */
#ifndef LT_SERVER_CTL_H
#define LT_SERVER_CTL_H

#include <stdbool.h>

#include "server/report.h"

#define CTL_GROUP "localtunnel" /* who may connect, beside the owner */

struct ctl;
struct event_base;
struct handoff;

struct ctl_ops {
	/* REOPEN, DRAIN or STOP; said after the answer has gone out. */
	void (*act)(void *arg, enum command_kind);

	/* Now; false with `why`, and all is as it was. */
	bool (*reload)(void *arg, char why[COMMAND_WHY_MAX]);

	/* False with `why`; else ctl_upgraded() comes later. */
	bool (*upgrade)(void *arg, char why[COMMAND_WHY_MAX]);

	/* False if there is no tunnel of this name. */
	bool (*close)(void *arg, const char *name);
};

/* Binds the socket, if one is set; one that a dead server has left is
 * replaced. fatal() with a clear message. NULL if none is set. */
struct ctl *ctl_new(const struct config *);

/* For a program that takes the place of this one: the socket; and the same from
 * it. NULL if there is none. */
void ctl_save(const struct ctl *, struct handoff *);
struct ctl *ctl_adopt(struct handoff *, const struct config *);

/* Begins to answer; the source is copied, its `arg` goes to ops too. */
void ctl_start(struct ctl *, struct event_base *, const struct ctl_ops *,
    const struct report_source *);

/* Other settings to show from here on, borrowed as those before. */
void ctl_use(struct ctl *, const struct config *);

/* What has come of an upgrade, for all who wait: NULL if it happens. */
void ctl_upgraded(struct ctl *, const char *wrong);

/* In a child just forked: closes all and frees, removes nothing. NULL is
 * fine. */
void ctl_forget(struct ctl *);

/* Removes the socket too. NULL is fine. */
void ctl_free(struct ctl *);

#endif
