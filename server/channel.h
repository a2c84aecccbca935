/* SPDX-License-Identifier: ISC
 *
 * The private socket between the master and one worker: requests, replies,
 * commands. A message is one fixed struct. Neither side ever blocks on it:
 * what the socket does not take waits in a bounded queue, and a peer that
 * lets the queue overflow counts as dead. End of file on it is how each side
 * learns that the other one is gone.
 *
 *      worker                          master
 *                             <-       CERTS, first of all, if there are any;
 *                                      and again when they change
 *        READY                ->
 *        CLAIM id             ->       look at the registry
 *                             <-       TAKEN, to the old owner if there is one
 *                             <-       CLAIMED id
 *                             <-       UP, to every worker
 *        DOWN                 ->       hold the name, or free it
 *                             <-       GONE, to every worker, when it is free
 *        EMPTY                ->       remember it
 *                             <-       ADOPT, when another worker has died
 *                             <-       CLOSE, when the operator says so, or
 *                                      when its token is good no more
 *                             <-       LOG, when one was opened again
 *                             <-       CONFIG, when the settings are others,
 *                                      then LISTENER, CERTS and LOG as needed
 *                                      be
 *                             <-       LEAVE, when others serve on
 *                             <-       DRAIN
 */
#ifndef LT_SERVER_CHANNEL_H
#define LT_SERVER_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net.h"
#include "server/registry.h"

struct channel;
struct event_base;

enum channel_type {
	CHANNEL_READY = 1, /* worker: I may be handed connections */
	CHANNEL_CLAIM,	   /* worker: somebody asks for a name */
	CHANNEL_DOWN,	   /* worker: a session of mine has ended */
	CHANNEL_EMPTY,	   /* worker: whether a node session has connections */
	CHANNEL_CLAIMED,   /* master: the answer to a claim */
	CHANNEL_ADOPT,	   /* master: go on with this node session */
	CHANNEL_TAKEN,	   /* master: your session has another owner now */
	CHANNEL_UP,	   /* master: this tunnel has a live session */
	CHANNEL_GONE,	   /* master: this tunnel is no more */
	CHANNEL_DRAIN,	   /* master: accept nothing new, let joins end */
	CHANNEL_CERTS,	   /* master: with the memfd of certs.h */
	CHANNEL_CLOSE,	   /* master: end this session; id says for what */
	CHANNEL_LOG,	   /* master: a log was opened again; id says which, of
			      enum log_stream */
	CHANNEL_CONFIG,	   /* master: with the memfd of config_pack.h */
	CHANNEL_LISTENER,  /* master: id is the slot of a listener that has
			      come, with it, or has gone; see bound_commit() */
	CHANNEL_LEAVE,	   /* master: accept nothing, be rid of sessions, end */
};

struct channel_claim {
	char name[LTP_NAME_MAX + 1];	      /* the name asked for */
	char session[REGISTRY_LABEL_MAX + 1]; /* to resume it, or "" */
	enum registry_dialect dialect;
	enum registry_kind kind;	   /* asked for */
	bool has_proof;			   /* the client presented a secret */
	uint8_t proof[REGISTRY_HASH_LEN];  /* SHA-256 of that secret */
	uint8_t secret[REGISTRY_HASH_LEN]; /* of the one made for it, if the
					      session becomes a new one */
	uint8_t client[REGISTRY_HASH_LEN]; /* SHA-256 of the client string */
	bool has_group; /* the name may be shared with who has the same key */
	uint8_t group[REGISTRY_HASH_LEN]; /* SHA-256 of that key */
	struct net_addr peer;
	uint16_t listener; /* by which it came; a port of its own is bound
			      beside it */
	uint16_t port;	   /* of its own, kind tcp: wished for, or 0 */
	bool has_token;
	uint8_t token[REGISTRY_HASH_LEN];     /* SHA-256 of it */
	char domain[REGISTRY_DOMAIN_MAX + 1]; /* custom host name, or "" */
};

enum channel_verdict {
	CHANNEL_GRANTED = 1, /* a new session */
	CHANNEL_RESUMED,     /* the old one, under a new generation */
	CHANNEL_FURTHER,     /* one more of the same client's, whose secret is
				the one that it has presented */
	CHANNEL_TAKEN_NAME,  /* somebody else has the name */
	CHANNEL_FULL,	     /* no room for another tunnel */
	CHANNEL_NO_PORT,     /* none is free, */
	CHANNEL_PORT_TAKEN,  /* the one wished for is not, */
	CHANNEL_PORT_RANGE,  /* or is none of ours */
	CHANNEL_RESERVED,    /* a name that nobody gets */
	CHANNEL_NO_TOKEN,    /* one is needed, */
	CHANNEL_BAD_TOKEN,   /* this is none of them, */
	CHANNEL_EXPIRED,     /* its time is over, */
	CHANNEL_OTHER_TOKEN, /* or the tunnel was opened with another one */
	CHANNEL_NOT_NAME,    /* what the token does not allow */
	CHANNEL_NOT_KIND,
	CHANNEL_NOT_PORT,
	CHANNEL_NOT_DOMAIN,
	CHANNEL_TOKEN_FULL,   /* it has as many tunnels as it may, */
	CHANNEL_ADDRESS_FULL, /* or its address has */
	CHANNEL_ALONE,	      /* the tunnel is one that cannot be shared */
	CHANNEL_DOMAIN_TAKEN, /* another tunnel has the custom domain */

	/* A worker's own, of a claim that it does not send. */
	CHANNEL_IN_CLEAR,  /* the token was sent in clear */
	CHANNEL_NO_ROOM,   /* the worker is short of descriptors */
	CHANNEL_TOO_MANY,  /* new tunnels of the address, */
	CHANNEL_TOO_WRONG, /* or wrong tokens */
};

/* What the master has to say with CLOSE. */
enum channel_close {
	CHANNEL_BY_OPERATOR = 1,
	CHANNEL_BY_TOKEN, /* which is not good any more */
};

/* A session as the master gives it to a worker: CLAIMED, and ADOPT, which
 * knows no verdict. With a node session, and with one of kind tcp, comes the
 * descriptor that listens on its port. */
struct channel_claimed {
	enum channel_verdict verdict;
	struct registry_ref tunnel;
	struct registry_ref session;
	char name[LTP_NAME_MAX + 1];
	char label[REGISTRY_LABEL_MAX + 1];
	enum registry_kind kind;
	struct net_addr peer;		      /* who asked for it */
	uint16_t port;			      /* of its own; else 0 */
	char domain[REGISTRY_DOMAIN_MAX + 1]; /* custom host name, or "" */

	/* What the owner sees to. */
	uint32_t connections; /* visitors of the tunnel at once, by its token;
				 0: the settings say how many */
	uint64_t bandwidth;   /* bytes/s, both ways together; 0: no limit */
};

enum channel_cause {
	CHANNEL_LOST = 1, /* hold the name for the grace period */
	CHANNEL_CLOSED,	  /* the client said goodbye: free it at once */
};

struct channel_msg {
	uint32_t type;
	uint32_t id; /* of a claim, chosen by the worker; LOG: which; CLOSE: of
			enum channel_close */
	union {
		struct channel_claim claim;
		struct channel_claimed claimed; /* ADOPT too */
		struct {
			struct registry_ref session;
			enum channel_cause cause;
		} down;
		struct {
			struct registry_ref session;
			bool is_empty;
		} empty;
		struct registry_ref session; /* TAKEN, CLOSE */
		struct registry_ref tunnel;  /* UP, GONE */
	};
};

struct channel_ops {
	/* A whole message; type is in range and texts end with NUL, nothing
	 * else about it is checked. fd is -1 or now the callee's. */
	void (*message)(void *arg, const struct channel_msg *, int fd);

	/* The other side is gone, sent nonsense, or does not read. Called
	 * once; free the channel here or later. */
	void (*closed)(void *arg, const char *why);
};

/* The two ends, non-blocking and close-on-exec; -1 with errno. */
int channel_pair(int fds[2]);

/* Waits for the first message on an end that has no channel yet: the one thing
 * here that blocks. False if there will be none, or it makes no sense; *msg_fd
 * is -1 or the caller's. */
bool channel_first(int fd, struct channel_msg *, int *msg_fd);

/* Takes over `fd`. NULL if there is no memory. */
struct channel *channel_new(
    struct event_base *, int fd, const struct channel_ops *, void *arg);

/* Closes and frees; NULL is fine. */
void channel_free(struct channel *);

/* True if nothing waits to be sent: the descriptor says it all. It stays the
 * channel's. */
bool channel_is_idle(const struct channel *, int *fd);

/* Sends, or queues; the message is copied, `fd` (-1: none) stays the
 * caller's. Never calls back. */
void channel_send(struct channel *, const struct channel_msg *, int fd);

#endif
