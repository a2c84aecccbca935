/* SPDX-License-Identifier: ISC
 *
 * The inside of the master, shared by master.c, which runs it, master_reload.c,
 * which gives it other settings, and master_upgrade.c, which gives it another
 * program; nobody else includes it.
 */
#ifndef LT_SERVER_MASTER_INSIDE_H
#define LT_SERVER_MASTER_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/master.h"
#include "server/sandbox.h"

#define MASTER_GENERATIONS 3 /* of workers that there can be at once */
#define MASTER_WHY_MAX	   256

enum {
	SIG_TERM,
	SIG_INT,
	SIG_QUIT,
	SIG_CHLD,
	SIG_HUP,
	SIG_USR1,
	SIG_USR2,
	SIG_N
};

struct master {
	struct config *config; /* owned */
	struct master_setup setup;
	struct handoff *handoff; /* what came from another program; or NULL */
	struct service *service;
	struct ctl *ctl;	/* NULL: no socket for it */
	struct sandbox sandbox; /* for the workers */
	struct event_base *base;
	struct event *signals[SIG_N];
	struct event *drain_limit;
	struct event *tick;
	struct event *reload; /* in a moment */
	struct event *exec;   /* the same, of another program */
	unsigned exec_tries;
	struct upgrade *upgrade;
	struct bound *bound;
	struct keyring *keyring;
	struct registry *registry;
	struct counters *counters;
	struct inbox *inbox;
	struct leftovers *leftovers;
	struct tokens *tokens;
	struct claim_book *claims;
	struct places *places; /* of the workers */
	uint64_t started_ms;
	bool stopping;
	int exit_code;
};

/* Sends the certificates to all workers, if there are any. */
void master_send_certs(struct master *);

/* Opens the logs anew and hands them to the workers. */
void master_reopen_logs(struct master *);

/* Reads the settings again. False with `why`, and all is as it was. */
bool master_reload(struct master *, char *why, size_t size);

/* The same on a signal, once for all who ask within a moment. */
void master_reload_soon(struct master *);
void master_reload_init(struct master *);

/* Asks whether another program can take over, and lets it if it can. False with
 * `why`; else the operator's callers hear what comes of it. */
bool master_upgrade(struct master *, char *why, size_t size);
void master_upgrade_init(struct master *);

/* What was handed over: the parts that need no event loop, and the rest, with
 * new workers. Both are fatal() if something is missing, which must not be. */
void master_take_parts(struct master *);
void master_take_workers(struct master *);

#endif
