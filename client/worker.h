/* SPDX-License-Identifier: ISC
 *
 * A worker of the client: a process that has pools of sessions and the
 * visitors who are joined there, and does what the main process says. It opens
 * nothing else, writes nothing itself, and ends when the main process does.
 */
#ifndef LT_CLIENT_WORKER_H
#define LT_CLIENT_WORKER_H

#include <signal.h>

struct client;
struct options;

/* The life of such a process, which was just forked with all signals blocked:
 * its number, its end of the channel, and the signals to be blocked from now
 * on. The client is that of the main process, and only looked at; the options,
 * in the memory that is a copy now, are changed. */
_Noreturn void worker_run(const struct client *, struct options *,
    unsigned process, int fd, const sigset_t *);

#endif
