/* SPDX-License-Identifier: ISC
 *
 * What a connection is, from its first bytes. Pure: bytes in, value out.
 *
 *   "LTP/"             a client: its first frame says what it wants
 *   0x16               a TLS ClientHello, which nothing here serves
 *   a request line     a visitor: the host of the request says whose
 */
#ifndef LT_SERVER_CLASSIFY_H
#define LT_SERVER_CLASSIFY_H

#include <stddef.h>

#include "common/http.h"
#include "common/ltp.h"

/* No first bytes are longer than this. */
#define CLASSIFY_MAX (LTP_HEADER_LEN + 4 + LTP_FRAME_MAX)

enum classify_kind {
	CLASSIFY_MORE,	  /* not enough yet */
	CLASSIFY_VISITOR, /* head is set */
	CLASSIFY_CLIENT,  /* message and hello_len are set */
	CLASSIFY_BAD,	  /* status and why are set */
};

/* Which language it seems to speak, as far as that is known. */
enum classify_guess {
	CLASSIFY_UNKNOWN,
	CLASSIFY_HTTP,
	CLASSIFY_LTP,
	CLASSIFY_TLS,
};

struct classified {
	enum classify_guess guess;
	struct http_head head;	    /* VISITOR */
	struct ltp_message message; /* CLIENT: for ltp_message_fini() */
	size_t hello_len;	    /* CLIENT: header and first frame */
	int status;		    /* BAD, speaking HTTP: the page's */
	const char *why;	    /* BAD: static text */
};

/* *scanned is 0 at first and kept from call to call (see http_head). */
enum classify_kind classify(
    struct classified *, const char *buf, size_t len, size_t *scanned);

#endif
