/* SPDX-License-Identifier: ISC
 *
 * Who gets a name: the rules, in the master. It answers claims of workers
 * from the registry, holds names through their grace period, and tells the
 * workers which tunnels are up and which are gone. Its input comes from
 * workers, which may be hostile; it never sees a network byte.
 *
 * The rules for a name that is known:
 *   - the proof is the session's secret: resumed, live or not (also if only
 *     the name was given and not the session's label);
 *   - neither side knows ext, and client string and address are the same as
 *     before: resumed (LTP/0.2 has no secret);
 *   - anything else, another kind too: refused, until the grace period is
 *     over.
 */
#ifndef LT_SERVER_CLAIM_H
#define LT_SERVER_CLAIM_H

#include <stdint.h>

#include "server/channel.h"
#include "server/config.h"
#include "server/registry.h"

struct claim_book;
struct event_base;

/* How the book speaks to workers; the master provides it. */
struct claim_ops {
	void (*send)(void *arg, uint32_t worker, const struct channel_msg *);
	void (*send_all)(void *arg, const struct channel_msg *);
};

struct claim_book *claim_book_new(struct event_base *, struct registry *,
    const struct config *, const struct claim_ops *, void *arg);
void claim_book_free(struct claim_book *);

/* Answers a claim of `worker`: sends TAKEN to an old owner, CLAIMED to the
 * worker, UP to all, in this order. */
void claim_answer(struct claim_book *, uint32_t worker, uint32_t id,
    const struct channel_claim *);

/* A session of `worker` has ended. Ignored if it is not that worker's. */
void claim_down(struct claim_book *, uint32_t worker, struct registry_ref,
    enum channel_cause);

/* A worker is dead: all its sessions are lost. */
void claim_worker_gone(struct claim_book *, uint32_t worker);

#endif
