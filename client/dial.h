/* SPDX-License-Identifier: ISC
 *
 * Opens one connection: looks the host up if need be, tries its addresses side
 * by side, has a proxy connect it further where there is one on the way, and
 * shakes hands where it is one with TLS.
 */
#ifndef LT_CLIENT_DIAL_H
#define LT_CLIENT_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net.h"
#include "common/stream.h"
#include "common/tls.h"

struct dial;
struct display;
struct event_base;
struct trust;
struct way;

#define DIAL_BEHIND                                                            \
	"0.0.0.0" /* in place of an address that only a proxy knows */

/* Whom to call: the path of a Unix socket if it is not NULL, else the address
 * if it is not NULL, else the host. With a way its proxy is asked for the host,
 * which must be there. Copied or used up by dial_start(). */
struct dial_to {
	const char *path;
	const struct net_addr *addr;
	const char *host;
	uint16_t port;		   /* of host */
	const struct way *way;	   /* NULL: straight. Borrowed until the end, */
	const struct trust *trust; /* NULL: no TLS; and so is this, */
	const char *sni;	   /* and this. The name to send; NULL: as trust
				      says */
	int proxy_protocol; /* 1 or 2: a PROXY header of that version is sent
			       first, before TLS; 0: none */
	const struct net_addr *caller; /* whom it names; copied */
	uint64_t timeout_ms; /* for all addresses, handshake and all, without
				the look-up */
	const struct display *display; /* hears of each step; may be NULL */
};

/* What came of it; valid during the call only, after which the dial is no
 * more. */
struct dial_result {
	struct stream stream;	     /* the caller's now; none: failed */
	const struct net_addr *addr; /* that answered; NULL for a Unix socket;
					with a way, DIAL_BEHIND and the port */
	int error;		     /* errno; 0 if the host was not found;
					EPROTO: it does not speak TLS, or not
					with us */
	bool is_permanent;  /* trying again would not help; why is a sentence */
	enum tls_cert cert; /* what is wrong with its certificate */
	const char *why;    /* says it; NULL if there is a stream */
};

typedef void (*dial_fn)(void *arg, const struct dial_result *);

/* Connects if that takes no time, as it does to a program on the same machine:
 * the descriptor, and in *addr who has answered. Whoever `speaks` writes as
 * soon as it is connected; see net_connect(). *first is which of its
 * addresses to begin with, 0 at first; it is changed to the one that answered,
 * since a program that is at one of two mostly stays there. -1 if it takes
 * time, or fails, or more is to be done than to connect: then dial_start() is
 * to be called. */
int dial_at_once(const struct dial_to *, bool speaks, _Atomic unsigned *first,
    struct net_addr *addr);

/* Starts; never calls back before it returns. NULL if there is no memory. */
struct dial *dial_start(
    struct event_base *, const struct dial_to *, dial_fn, void *arg);

/* Gives up; NULL is fine. Sets the pointer to NULL. */
void dial_stop(struct dial **);

#endif
