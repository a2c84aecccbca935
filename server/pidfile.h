/* SPDX-License-Identifier: ISC
 *
 * The file with the process number of a daemon. What says that a server runs
 * is the lock on it, which the kernel takes off when the last process that
 * has it is gone, and never the number in it: a number that was left behind
 * can be anybody's. Called by service.
 */
#ifndef LT_SERVER_PIDFILE_H
#define LT_SERVER_PIDFILE_H

#include <stddef.h>

struct pidfile;

/* Opens, makes if need be, and locks; the directory is made too if only that
 * is missing. What stands in the file stays until pidfile_write(). NULL with
 * a sentence in `why`. The lock goes on in children. */
struct pidfile *pidfile_open(const char *path, char *why, size_t size);

/* For a program that takes the place of this one: the descriptor, with its
 * lock; and the same from it. NULL without memory. */
int pidfile_fd(const struct pidfile *);
struct pidfile *pidfile_adopt(const char *path, int fd);

/* Writes the number of the calling process. -1 with errno. */
int pidfile_write(struct pidfile *);

/* In a child that is not the daemon: forgets it, so that the lock ends with the
 * daemon. NULL is fine. */
void pidfile_forget(struct pidfile *);

/* Removes the file, and unlocks. NULL is fine. */
void pidfile_remove(struct pidfile *);

#endif
