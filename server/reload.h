/* SPDX-License-Identifier: ISC
 *
 * The settings once more, while the server runs: reading them as the start did,
 * and keeping what cannot change under what is running. The master decides
 * when, and puts in force what comes out.
 */
#ifndef LT_SERVER_RELOAD_H
#define LT_SERVER_RELOAD_H

#include <stddef.h>
#include <stdio.h>

struct config;

/* Reads file and command line, as at the start; the result is the caller's.
 * NULL with what is wrong written to `faults`, a line each. */
typedef struct config *reload_read_fn(void *arg, FILE *faults);

/*
 * Settings that may take the place of `old`; the caller's. What is wrong with
 * them is logged, each fault with its file and line; then NULL, with the first
 * fault in `why`. What needs a restart stays as in `old`, and the log says
 * what that is.
 */
struct config *reload_read(reload_read_fn *read, void *arg,
    const struct config *old, char *why, size_t size);

/* Keeps in `fresh` what needs a restart; for reload_read(), and an upgrade,
 * which can change less. */
void reload_keep(struct config *fresh, const struct config *old);

#endif
