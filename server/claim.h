/* SPDX-License-Identifier: ISC
 *
 * Who gets a name: the rules, in the master. It answers claims of workers
 * from the registry, holds names through their grace period, and tells the
 * workers which tunnels are up and which are gone. Its input comes from
 * workers, which may be hostile; it never sees a network byte.
 *
 * The rules for a name that is known:
 *   - the proof is a session's secret, and its label was given: resumed, live
 *     or not;
 *   - the proof is the secret, which all sessions of a client share: one that
 *     was lost is resumed; else it gets one more, up to `sessions`; else the
 *     first one is resumed;
 *   - the group key is the tunnel's: another client shares the name;
 *   - neither side knows ext, and client string and address are the same as
 *     before: resumed (LTP/0.2 has no secret);
 *   - both are node clients (which have no proof of anything) at the same
 *     address, and the session has no connection just now: resumed;
 *   - anything else, another kind too: refused, until the grace period is
 *     over.
 *
 * Where tokens are needed, a claim without a good one is refused before
 * anything else; a new tunnel has to be among the rights of its token, and one
 * that is there belongs to whoever opened it with the same one. A token of
 * which the file does not know any more, or whose time is over, loses its
 * tunnels.
 *
 * A node session has a port of its own. The book opens it with the grant,
 * keeps the listening descriptor and sends a duplicate to each owner; so
 * whoever connects while an owner is dead waits in the backlog. Its client
 * cannot ask again, so when the owner dies the book hands the session to
 * another worker by itself, at once or as soon as one is ready.
 */
#ifndef LT_SERVER_CLAIM_H
#define LT_SERVER_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "server/channel.h"
#include "server/config.h"
#include "server/registry.h"

struct claim_book;
struct event_base;
struct handoff;
struct tokens;

/* How the book speaks to workers and to the system; the master provides it. */
struct claim_ops {
	/* fd (-1: none) stays the book's. */
	void (*send)(
	    void *arg, uint32_t worker, const struct channel_msg *, int fd);
	void (*send_all)(void *arg, const struct channel_msg *);

	/* Listens on a port beside that listener, of those for kind tcp or for
	 * node sessions: on *port, if that is not 0, else on any that is free.
	 * -1 with errno: ERANGE if that is none of ours, EADDRINUSE if somebody
	 * has it. */
	int (*open_port)(
	    void *arg, bool is_tcp, uint16_t listener, uint16_t *port);

	/* Takes the descriptor and the port back. */
	void (*close_port)(void *arg, bool is_tcp, int fd, uint16_t port);

	/* A worker that is ready, not always the same one; else
	 * REGISTRY_NO_WORKER. */
	uint32_t (*pick)(void *arg);
};

/* Everything but the book itself stays its caller's. */
struct claim_book *claim_book_new(struct event_base *, struct registry *,
    const struct config *, struct tokens *, const struct claim_ops *,
    void *arg);

/* For a program that takes the place of this one: the ports of tunnels; and the
 * same from it, with the registry as it was left: who waits for its client goes
 * on waiting. `port` is called for each port. */
void claim_save(const struct claim_book *, struct handoff *);
void claim_adopt(struct claim_book *, struct handoff *,
    void (*port)(void *arg, bool is_tcp, uint16_t port));

/* Closes the ports too, without giving them back. NULL is fine. */
void claim_book_free(struct claim_book *);

/* Other settings from here on, borrowed as those before. */
void claim_use(struct claim_book *, const struct config *);

/* Answers a claim of `worker`: sends TAKEN to an old owner, CLAIMED to the
 * worker, UP to all, in this order. */
void claim_answer(struct claim_book *, uint32_t worker, uint32_t id,
    const struct channel_claim *);

/* A session of `worker` has ended. If its client closed it, that ends what the
 * client has behind this name: no other session of his holds it any longer.
 * Ignored if it is not that worker's. */
void claim_down(struct claim_book *, uint32_t worker, struct registry_ref,
    enum channel_cause);

/* A node session of `worker` has no connection now, or has one again. Ignored
 * if it is not that worker's. */
void claim_empty(
    struct claim_book *, uint32_t worker, struct registry_ref, bool is_empty);

/* A worker is dead: its node sessions go to another one, all others are
 * lost. It must not be picked any more. */
void claim_worker_gone(struct claim_book *, uint32_t worker);

/* A worker that lives is to leave, and must not be picked any more: its node
 * sessions, whose clients cannot be told, go to others at once. */
void claim_worker_leaves(struct claim_book *, uint32_t worker);

/* A worker is ready: it gets the node sessions that found nobody. */
void claim_worker_ready(struct claim_book *, uint32_t worker);

/* The operator wants a tunnel gone: its owner ends the session, the name is
 * free. False if there is none of that name. */
bool claim_close(struct claim_book *, const char *name);

/* The tokens are other ones, or some have expired: tunnels that they do not
 * allow any more end. */
void claim_review(struct claim_book *);

#endif
