/* SPDX-License-Identifier: ISC
 *
 * Memfds that are written once and sealed: how the master hands something to
 * another process that nobody can change any more. Who opens one checks that
 * it is sealed before looking at a byte, since it may come from a process that
 * was taken over.
 */
#ifndef LT_SERVER_SEALED_H
#define LT_SERVER_SEALED_H

#include <stdbool.h>
#include <stddef.h>

#define SEALED_MAX ((size_t)64 * 1024 * 1024)

/* Begins one; -1 with errno. */
int sealed_begin(const char *name);

/* Appends; false with errno. */
bool sealed_put(int fd, const void *buf, size_t len);

/* Seals what was put and returns `fd`; if that fails, or `is_good` says that
 * something has failed before, closes it: -1 with errno. */
int sealed_end(int fd, bool is_good);

/* How long it is; 0 if it is empty, too long, or not sealed: *why says what is
 * wrong, static text. */
size_t sealed_size(int fd, const char **why);

/* All of it, in memory that the caller frees; NULL likewise. */
char *sealed_read(int fd, size_t *len, const char **why);

#endif
