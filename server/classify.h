/* SPDX-License-Identifier: ISC
 *
 * What a connection is, from its first bytes. Pure: bytes in, value out.
 *
 *   "LTP/"             a client: its first frame says what it wants
 *   0x16               a TLS ClientHello: its SNI says whose
 *   a request line     a visitor: the host of the request says whose
 */
#ifndef LT_SERVER_CLASSIFY_H
#define LT_SERVER_CLASSIFY_H

#include <stddef.h>

#include "common/hello.h"
#include "common/http.h"
#include "common/ltp.h"
#include "server/conn.h"
#include "server/recent.h"

/* No first bytes are longer than this. */
#define CLASSIFY_MAX HELLO_WIRE_MAX

_Static_assert(CLASSIFY_MAX >= LTP_HEADER_LEN + 4 + LTP_FRAME_MAX &&
		   CLASSIFY_MAX >= HTTP_HEAD_MAX,
    "first bytes of every kind fit");

enum classify_kind {
	CLASSIFY_MORE,	  /* not enough yet */
	CLASSIFY_VISITOR, /* head is set */
	CLASSIFY_TLS,	  /* hello is set */
	CLASSIFY_CLIENT,  /* message and hello_len are set */
	CLASSIFY_BAD,	  /* status and why are set */
};

struct classified {
	enum conn_language language; /* as far as it is known */
	struct http_head head;	     /* VISITOR */
	struct hello hello;	     /* TLS; BAD, speaking TLS: its alert */
	struct ltp_message message;  /* CLIENT: for ltp_message_fini() */
	size_t hello_len;	     /* CLIENT: header and first frame */
	int status;		     /* BAD, speaking HTTP: the page's */
	const char *why;	     /* BAD: static text */
};

/* `recent` may be NULL. *scanned is 0 at first and kept from call to call: how
 * far the bytes have been read (see http_head), or how many are needed (see
 * hello). */
enum classify_kind classify(struct classified *, struct recent *recent,
    const char *buf, size_t len, size_t *scanned);

#endif
