/* SPDX-License-Identifier: ISC
 *
 * What a server of the Node.js localtunnel says to whoever asks it for a
 * tunnel: the tunnel, or why there is none. Pure.
 */
#ifndef LT_CLIENT_GRANT_H
#define LT_CLIENT_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ltp.h"
#include "common/net.h"

struct response;

#define GRANT_URL_MAX 1024 /* NUL included */
#define GRANT_WHY_MAX 512

enum grant_result {
	GRANT_OK,
	GRANT_REFUSED,	    /* why is what the server says */
	GRANT_UNAUTHORIZED, /* the same */
	GRANT_LATER,	    /* it may be there later; "answers ..." */
	GRANT_NONE,	    /* it is no such server; "answers ..." */
};

struct grant {
	char name[LTP_NAME_MAX + 1]; /* lower case */
	char url[GRANT_URL_MAX];
	char cached_url[GRANT_URL_MAX]; /* "": none */
	uint16_t port;			/* for proxy connections */
	struct net_addr ip;		/* where that is, if has_ip; else on */
	bool has_ip;			/* the host that was asked */
	int64_t max_conns;		/* how many there may be; 1 or more */
	char why[GRANT_WHY_MAX];	/* as it came: to be escaped */
};

/* Understands an answer. */
enum grant_result grant_read(struct grant *, const struct response *);

#endif
