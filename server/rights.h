/* SPDX-License-Identifier: ISC
 *
 * What a claim may have: by the names that nobody gets, by the rights of its
 * token, by the secret that it proves. Pure; the master's book of claims asks,
 * and workers what they need not ask the master.
 */
#ifndef LT_SERVER_RIGHTS_H
#define LT_SERVER_RIGHTS_H

#include "server/channel.h"
#include "server/tokens.h"

struct config;

/* CHANNEL_GRANTED if a tunnel of this name, kind, custom domain and port (0:
 * none, or any) may be had with this token (NULL: none is needed); else the
 * verdict that says what may not. */
enum channel_verdict rights_check(const struct config *,
    const struct tokens_row *, const struct registry_tunnel *, uint16_t port);

/* What is in the way of a claim that brings no token, or brings one, where one
 * is needed; CHANNEL_GRANTED, and *row is that of the token, or NULL where
 * none is needed. */
enum channel_verdict rights_admit(
    struct tokens *, const struct channel_claim *, struct tokens_row **row);

/* True if `proof` is what `kept` was made from. Every worker can read the
 * registry, so what stands there must not be a proof itself: it is the hash of
 * what a claim has to bring. */
bool rights_is_proof(
    const uint8_t proof[REGISTRY_HASH_LEN], const uint8_t *kept);

/* True if the claim brings the secret of that session. */
bool rights_has_secret(
    const struct registry_session *, const struct channel_claim *);

/* True if a tunnel was opened with this token; NULL, where none is needed, is
 * as good as any. */
bool rights_is_of(const struct registry_tunnel *, const struct tokens_row *);

#endif
