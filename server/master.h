/* SPDX-License-Identifier: ISC
 *
 * The master: it binds the listeners, makes the shared memory and the
 * inboxes, forks the workers and replaces those that die, and answers their
 * claims. It reads not one byte from the network.
 *
 * SIGHUP has the settings read again, and the certificates: what is good takes
 * the place of what was, under all that goes on; what is wrong changes nothing.
 * SIGUSR2 has another program take the place of this one, if it can.
 * SIGTERM drains: listeners are closed, joined connections may end in their
 * time. A second SIGTERM, SIGINT and SIGQUIT end everything at once.
 */
#ifndef LT_SERVER_MASTER_H
#define LT_SERVER_MASTER_H

#include "server/reload.h"

struct handoff;
struct master;
struct service;

/* How this program was started. All is borrowed. */
struct master_setup {
	reload_read_fn *read; /* reads the settings again, */
	void *arg;	      /* with this */
	char **argv;
};

/*
 * Binds and allocates, or takes what another program has handed over, the
 * settings too; says on the log what it listens on. fatal() with a clear
 * message if anything is missing. Takes the settings and the handoff (NULL:
 * there is none); the service is borrowed.
 */
struct master *master_new(struct config *, struct service *,
    const struct master_setup *, struct handoff *);

/* Serves until it is told to stop; frees the master. Returns the exit
 * code. */
int master_run(struct master *);

#endif
