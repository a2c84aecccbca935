/* SPDX-License-Identifier: ISC
 *
 * The pool of one session, in whichever process of the client it is.
 */
#ifndef LT_CLIENT_SUPPLY_H
#define LT_CLIENT_SUPPLY_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct pool_ops;
struct pool_session;
struct service;
struct supply;

/* See pool_new(). */
struct supply *supply_new(struct client *, struct service *,
    const struct pool_session *, int64_t concurrency, const struct pool_ops *,
    void *arg);

/* See pool_resize(), pool_is_proven() and pool_retire(). */
void supply_resize(struct supply *, int64_t concurrency);
bool supply_is_proven(const struct supply *);
void supply_retire(struct supply **);

#endif
