/* SPDX-License-Identifier: ISC
 *
 * What a client shows to be let in: the token of a control request, or the
 * password of HTTP's Basic authorisation, which the Node.js client sends. A
 * worker puts its hash into the claim and forgets it; the master decides. What
 * one address may try is limited here, and new tunnels are refused where there
 * is no room for them. It never logs what it sees.
 */
#ifndef LT_SERVER_CREDENTIAL_H
#define LT_SERVER_CREDENTIAL_H

#include "common/http.h"
#include "server/channel.h"
#include "server/conn.h"

struct worker;

#define CREDENTIAL_MAX 256 /* bytes of user, colon and token */

/* Puts a token (NULL: none was shown) into the claim, whose proof is filled in.
 * CHANNEL_GRANTED if the claim may go to the master, else why it may not. */
enum channel_verdict credential_take(struct worker *, const struct conn *,
    const char *token, struct channel_claim *);

/* The same for a request over HTTP. */
enum channel_verdict credential_take_basic(struct worker *, const struct conn *,
    const struct http_head *, const char *buf, struct channel_claim *);

/* What the master has said to the claim. */
void credential_answered(
    struct worker *, const struct channel_claim *, enum channel_verdict);

#endif
