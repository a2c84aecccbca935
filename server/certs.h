/* SPDX-License-Identifier: ISC
 *
 * Certificates, their keys and the keys for session tickets, on their way from
 * the master to the workers: packed into a sealed memfd, which nobody can
 * change any more, and unpacked as if whoever sent it were hostile.
 *
 * What is mapped stays out of core dumps, and nothing of it is ever logged but
 * the names of files.
 */
#ifndef LT_SERVER_CERTS_H
#define LT_SERVER_CERTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/tls.h"
#include "server/config.h"

#define CERTS_FILE_MAX ((size_t)256 * 1024) /* a file in PEM */

struct certs {
	struct tls_pair pairs[CONFIG_PAIRS_MAX]; /* what they point to is */
	size_t pairs_n;				 /* somebody else's */
	struct tls_ticket_key tickets[TLS_TICKET_KEYS]; /* the newest first */
	size_t tickets_n;
};

/* Packs them into a sealed memfd; -1 with errno. */
int certs_seal(const struct certs *);

/* Unpacks `len` bytes; the pairs point into them. Pure. NULL, or static text
 * that says what is wrong. */
const char *certs_parse(struct certs *, const void *buf, size_t len);

/* Maps and unpacks a sealed memfd, which may be closed then. NULL with
 * `why`. */
const struct certs *certs_open(int fd, char why[TLS_WHY_MAX]);
void certs_close(const struct certs *); /* NULL is fine */

/* What connections are made from. NULL with `why`, which names the file. Out
 * of date, a certificate is an error unless `any_date`. */
struct tls_context *certs_context(const struct certs *, const char *domain,
    bool any_date, char why[TLS_WHY_MAX]);

#endif
