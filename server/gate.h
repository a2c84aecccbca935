/* SPDX-License-Identifier: ISC
 *
 * Who may visit a tunnel: by address (`allow`, `deny`) and by password
 * (`auth`, and what LTP/0.2 calls `protect`). A gate is made from the request
 * for a session and belongs to that; joins keep a reference, since they may
 * outlive it. No password is kept: only hashes, which are compared in constant
 * time.
 *
 * NULL is a gate that is open to all. About 2.5 KB each.
 */
#ifndef LT_SERVER_GATE_H
#define LT_SERVER_GATE_H

#include <stdbool.h>

#include "common/http.h"
#include "common/net.h"
#include "server/registry.h"

struct gate;
struct ltp_message;
struct rate;

#define GATE_WHY_MAX 256

/* What a visitor is told whose address is not let in. */
#define GATE_FORBIDDEN "this tunnel is not open to your address"

/*
 * Makes the gate that a control request asks for. NULL, and *gate is one, or
 * NULL if it asks for none; else what is wrong with the request, in `why` or
 * static. Passwords are wrong for a tunnel whose requests we do not read.
 * Wrong ones are counted in `failures` (NULL: not), which is borrowed.
 */
const char *gate_new(struct gate **gate, const struct ltp_message *,
    enum registry_kind, struct rate *failures, char why[GATE_WHY_MAX]);

/* One more who holds it; returns it. */
struct gate *gate_ref(struct gate *);

/* One fewer. */
void gate_free(struct gate *);

/* True if visitors from this address may come in: it is not denied, and
 * allowed if anything is. */
bool gate_admits(const struct gate *, const struct net_addr *);

/*
 * Why a request from there may not come in, and which status says so: 403, or
 * 401 for want of a password that is right in its only Authorization header, or
 * 429 after too many wrong ones, which is not even looked at then.
 * NULL if it may. The head was found good.
 */
const char *gate_refuses(const struct gate *, const struct net_addr *from,
    const struct http_head *, const char *buf, int *status);

/* Takes "Basic" and the blanks behind it off the value of such a header; false
 * if it is not there. */
bool gate_strip_basic(struct http_text *value);

/* True if requests need a password. */
bool gate_has_auth(const struct gate *);

#endif
