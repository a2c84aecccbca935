/* SPDX-License-Identifier: ISC
 *
 * The files with certificates and keys. Read by the master, before it gives up
 * its rights; nobody else opens them.
 */
#ifndef LT_SERVER_PAIRS_H
#define LT_SERVER_PAIRS_H

#include <stdbool.h>

#include "server/certs.h"

/* Reads all pairs of the settings; relative paths start at `dir_fd`. False with
 * `why`, which names the file, and nothing is held then. A key that everybody
 * may read is warned of on the log. */
bool pairs_read(
    struct certs *, const struct config *, int dir_fd, char why[TLS_WHY_MAX]);

/* Wipes and frees what was read. */
void pairs_free(struct certs *);

#endif
