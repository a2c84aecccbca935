/* SPDX-License-Identifier: ISC
 *
 * The master: it binds the listeners, makes the shared memory and the
 * inboxes, forks the workers and replaces those that die, and answers their
 * claims. It reads not one byte from the network.
 *
 * SIGHUP has the settings read again, and the certificates: what is good takes
 * the place of what was, under all that goes on; what is wrong changes nothing.
 * SIGTERM drains: listeners are closed, joined connections may end in their
 * time. A second SIGTERM, SIGINT and SIGQUIT end everything at once.
 */
#ifndef LT_SERVER_MASTER_H
#define LT_SERVER_MASTER_H

#include "server/reload.h"

struct master;
struct service;

/* Binds and allocates; says on the log what it listens on. fatal() with a
 * clear message if anything is missing. Takes the settings; the service is
 * borrowed. `read` with `arg` is how the settings are read again. */
struct master *master_new(
    struct config *, struct service *, reload_read_fn *read, void *arg);

/* Serves until it is told to stop; frees the master. Returns the exit
 * code. */
int master_run(struct master *);

#endif
