/* SPDX-License-Identifier: ISC
 *
 * The table of tunnels and their sessions, in shared memory. The master
 * alone writes it; workers have it mapped read-only and read without a lock.
 *
 * Rows never move. Each row has a version that is odd while it is written;
 * a reader copies the row and takes the copy only if the version was even and
 * the same before and after. Names hash to fixed buckets, chained by row
 * number; a reader that finds nothing looks at the table's change counter and
 * searches again if it has moved meanwhile. Everything read from shared
 * memory is bounds-checked before use.
 *
 * References between processes are (slot, generation), never pointers. The
 * generation of a slot changes whenever what it refers to becomes something
 * else: a tunnel row reused, a session that got a new owner or lost it.
 */
#ifndef LT_SERVER_REGISTRY_H
#define LT_SERVER_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ltp.h"
#include "common/net.h"

#define REGISTRY_HASH_LEN   32 /* SHA-256 */
#define REGISTRY_LABEL_MAX  24 /* a session's name on the wire */
#define REGISTRY_NO_WORKER  UINT32_MAX
#define REGISTRY_DOMAIN_MAX 253 /* a host name */
#define REGISTRY_SEATS_MAX  16	/* sessions behind a tunnel */
#define REGISTRY_SHARE	    4	/* and on the average, for all tunnels */

/* What a tunnel does to the bytes; 0 is none of them. */
enum registry_kind {
	REGISTRY_HTTP = 1, /* routed by Host, each request is checked */
	REGISTRY_TLS,	   /* routed by SNI, opaque */
	REGISTRY_TCP,	   /* a public port of its own, opaque */
};

/* What the client of a session speaks; 0 is none of them. */
enum registry_dialect {
	REGISTRY_EXT = 1, /* LTP with our extensions */
	REGISTRY_OLD,	  /* LTP/0.2 as others have it */
	REGISTRY_NODE,	  /* the HTTP API of the Node.js localtunnel: no control
			     connection, a port of its own */
};

struct registry;

/* Nothing has generation 0. */
struct registry_ref {
	uint32_t slot;
	uint32_t generation;
};

static inline bool
registry_ref_same(struct registry_ref a, struct registry_ref b)
{
	return a.slot == b.slot && a.generation == b.generation;
}

/* A session's place behind a tunnel: what is needed to choose among them. */
struct registry_seat {
	struct registry_ref session;
	uint32_t worker; /* slot of its owner or REGISTRY_NO_WORKER */
	uint32_t member; /* which client's; several sessions may be one's */
};

/* Copies of rows, as readers get them. */
struct registry_tunnel {
	struct registry_ref ref;
	char name[LTP_NAME_MAX + 1];
	enum registry_kind kind;	  /* never changes */
	bool has_group;			  /* other clients may share the name */
	uint8_t group[REGISTRY_HASH_LEN]; /* as the hashes of a session */
	bool has_token;			  /* opened with one */
	uint8_t token[REGISTRY_HASH_LEN]; /* likewise */
	char domain[REGISTRY_DOMAIN_MAX + 1]; /* custom host name, or "" */
	uint32_t seats_n;		      /* 1 or more */
	struct registry_seat seats[REGISTRY_SEATS_MAX];
};

struct registry_session {
	struct registry_ref ref;
	struct registry_ref tunnel;
	char label[REGISTRY_LABEL_MAX + 1]; /* a DNS label; holds the slot and
					       random bits */
	uint32_t worker;       /* slot of its owner or REGISTRY_NO_WORKER */
	uint32_t member;       /* which client's it is, never 0 */
	uint64_t grace_end_ms; /* 0 while it has an owner; else clock_ms()
				  until which it is held */
	enum registry_dialect dialect; /* never changes */
	enum registry_kind kind;       /* of its tunnel; never changes */
	/* SHA-256 of what a claim brings as proof, so that nobody who reads
	 * the table can claim with it. */
	uint8_t secret[REGISTRY_HASH_LEN];
	uint8_t client[REGISTRY_HASH_LEN]; /* the same of the client string */
	struct net_addr peer;		   /* of the control connection */
};

/*
 * Master: makes the table, empty, for `tunnels` tunnels and REGISTRY_SHARE
 * times as many sessions. NULL with errno.
 */
struct registry *registry_new(size_t tunnels);

/*
 * The same from one that another program has made, and left: takes over the
 * descriptor, that of registry_fd(). `used` is what registry_used() said there.
 * NULL with errno.
 */
struct registry_used {
	uint32_t generation; /* no slot has had a larger one */
	uint32_t member;
};
struct registry *registry_adopt(int fd, size_t tunnels, struct registry_used);
struct registry_used registry_used(const struct registry *);
int registry_fd(const struct registry *);

/* Worker, after fork: gives up the writable mapping for a read-only one.
 * -1 with errno. */
int registry_read_only(struct registry *);

void registry_free(struct registry *);

size_t registry_size(const struct registry *);	   /* slots of tunnels */
size_t registry_sessions(const struct registry *); /* slots of sessions */
size_t registry_count(const struct registry *);	   /* tunnels now */

/* Readers; all O(1). False if there is none. */
bool registry_find(
    const struct registry *, const char *name, struct registry_tunnel *);
bool registry_tunnel(
    const struct registry *, struct registry_ref, struct registry_tunnel *);
bool registry_tunnel_at(
    const struct registry *, size_t slot, struct registry_tunnel *);
bool registry_session(
    const struct registry *, struct registry_ref, struct registry_session *);
bool registry_find_session(
    const struct registry *, const char *label, struct registry_session *);

/* The tunnel with that custom domain. */
bool registry_find_domain(
    const struct registry *, const char *domain, struct registry_tunnel *);

/* True if some session of it has an owner. */
static inline bool
registry_is_live(const struct registry_tunnel *tunnel)
{
	for (uint32_t i = 0; i < tunnel->seats_n; i++)
		if (tunnel->seats[i].worker != REGISTRY_NO_WORKER)
			return true;
	return false;
}

/*
 * The master's own operations. Refs that are stale are refused (false or a
 * ref of generation 0), so a caller may pass what a worker sent.
 */

/* A new tunnel, with the kind of its first session, and that session, both
 * from `from` (worker, dialect, kind, secret, client, peer; the rest is filled
 * in and copied back); group, token and domain are those of `like`, which may
 * be NULL. False if the table is full. The name must be free and good, and so
 * must the domain. */
bool registry_add(struct registry *, const char *name,
    struct registry_session *from, const struct registry_tunnel *like,
    struct registry_tunnel *made);

/* One more session for a tunnel, from `from` as above; its member is a new one
 * if that is 0. False if there is no room. */
bool registry_join(
    struct registry *, struct registry_ref tunnel, struct registry_session *);

/* The session gets another owner (or the same one again), another peer, and
 * a new generation. *session is updated. */
bool registry_move(struct registry *r, struct registry_ref ref, uint32_t worker,
    const struct net_addr *peer, struct registry_session *session);

/* The session has no owner any more; it is held until grace_end_ms. *now is
 * the session as it is then. */
bool registry_lose(struct registry *, struct registry_ref session,
    uint64_t grace_end_ms, struct registry_session *now);

/* The session is gone, and with the last one its tunnel. */
bool registry_drop(struct registry *, struct registry_ref session);

/* The tunnel is gone, and all its sessions. */
bool registry_remove(struct registry *, struct registry_ref tunnel);

/* The session in a slot; false if there is none. */
bool registry_session_at(
    const struct registry *, size_t slot, struct registry_session *);

/* Calls fn for each session that `worker` owns; fn may lose or remove it. */
void registry_each_of(struct registry *, uint32_t worker,
    void (*fn)(void *arg, const struct registry_session *), void *arg);

/* Walks the whole table as an auditor: chains, counts, references. NULL if
 * it is sound, else what is wrong (static text). For tests. */
const char *registry_check(const struct registry *);

#endif
