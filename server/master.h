/* SPDX-License-Identifier: ISC
 *
 * The master: it binds the listeners, makes the shared memory and the
 * inboxes, forks the workers and replaces those that die, and answers their
 * claims. It reads not one byte from the network.
 *
 * SIGHUP has the certificates read again.
 * SIGTERM drains: listeners are closed, joined connections may end in their
 * time. A second SIGTERM, SIGINT and SIGQUIT end everything at once.
 */
#ifndef LT_SERVER_MASTER_H
#define LT_SERVER_MASTER_H

struct config;
struct master;
struct service;

/* Binds and allocates; says on the log what it listens on. fatal() with a
 * clear message if anything is missing. Both are borrowed. */
struct master *master_new(const struct config *, struct service *);

/* Serves until it is told to stop; frees the master. Returns the exit
 * code. */
int master_run(struct master *);

#endif
