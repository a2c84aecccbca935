/* SPDX-License-Identifier: ISC
 *
 * What a claim may have: by the names that nobody gets, and by the rights of
 * its token. Pure; the master's book of claims asks.
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

/* True if a tunnel was opened with this token; NULL, where none is needed, is
 * as good as any. */
bool rights_is_of(const struct registry_tunnel *, const struct tokens_row *);

#endif
