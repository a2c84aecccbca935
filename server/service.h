/* SPDX-License-Identifier: ISC
 *
 * The server as those see it who start and watch it: a shell that waits until
 * the daemon is ready, the pid file, and systemd with its messages of
 * readiness and its watchdog (sd_notify(3), if the build has libsystemd).
 * Called by main and master; in workers only forgotten. It knows nothing of
 * what the server does.
 */
#ifndef LT_SERVER_SERVICE_H
#define LT_SERVER_SERVICE_H

struct config;
struct event_base;
struct handoff;
struct service;

/* Locks the pid file, if one is set. fatal() with a clear message. */
struct service *service_new(const struct config *);

/* For a program that takes the place of this one, as the same process: the pid
 * file; and the service that goes on. */
void service_save(const struct service *, struct handoff *);
struct service *service_adopt(struct handoff *, const struct config *);

/* Goes into the background, unless the foreground was asked for, and writes
 * the pid file. The process that was started stays until the daemon is ready
 * or has ended: its exit code is 0 or 1. fatal() if that cannot be. */
void service_detach(struct service *, const struct config *);

/* Begins to answer the watchdog, if there is one. */
void service_start(struct service *, struct event_base *);

/* It serves, from now on; said once. */
void service_ready(struct service *);

/* It reads its settings again; and it has. */
void service_reloading(void);
void service_reloaded(void);

/* It is told to end. */
void service_stopping(void);

/* In a child just forked: frees, says nothing, removes nothing. */
void service_forget(struct service *);

/* At the end: removes the pid file and frees. */
void service_free(struct service *);

#endif
