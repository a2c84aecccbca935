/* SPDX-License-Identifier: ISC
 *
 * The TLS ClientHello at the start of a connection: whom the client wants
 * (SNI) and which languages it offers inside (ALPN). Pure: bytes in, value
 * out; it allocates nothing and keeps nothing. It is asked about bytes that
 * were only peeked at, so that whoever owns the name gets them all.
 *
 * What it says is what routing goes by, so a hello that two programs could
 * read differently is refused: lengths that do not agree, an extension or a
 * host name that is there twice. Versions, suites and keys are left to the
 * TLS library that does the handshake, except versions before TLS 1.0.
 */
#ifndef LT_COMMON_HELLO_H
#define LT_COMMON_HELLO_H

#include <stdbool.h>
#include <stddef.h>

#define HELLO_MAX      16384	       /* the message, its own header too */
#define HELLO_WIRE_MAX (2 * HELLO_MAX) /* the same with record headers */
#define HELLO_NAME_MAX 254	       /* NUL included */

enum hello_result {
	HELLO_MORE,
	HELLO_OK,
	HELLO_BAD,
};

/* What to tell a client that is refused; the numbers are those of TLS. */
enum hello_alert {
	HELLO_UNEXPECTED_MESSAGE = 10,
	HELLO_RECORD_OVERFLOW = 22,
	HELLO_ILLEGAL_PARAMETER = 47,
	HELLO_ACCESS_DENIED = 49,
	HELLO_DECODE_ERROR = 50,
	HELLO_PROTOCOL_VERSION = 70,
	HELLO_INTERNAL_ERROR = 80,
	HELLO_UNRECOGNIZED_NAME = 112,
};

struct hello {
	char sni[HELLO_NAME_MAX]; /* OK: a DNS name in lower case without one
				     trailing dot; "" if there is none */
	bool has_alpn;		  /* OK: the client offers protocols */
	bool offers_ltp;	  /* OK: "ltp" is one of them */
	bool offers_http;	  /* OK: "http/1.1" is one of them */
	size_t need;		  /* MORE: HELLO_OK cannot come before `buf`
				     has this many bytes */
	enum hello_alert alert;	  /* BAD */
	const char *why;	  /* BAD: static text */
};

/* A DNS name as it came over the wire, without capitals and without a dot at
 * the end in `out`; false if it is none. */
bool hello_name(const char *name, size_t len, char out[HELLO_NAME_MAX]);

/*
 * Reads the ClientHello at the start of `buf`, whatever the records it is cut
 * into; what comes behind it is not looked at. HELLO_BAD as soon as the field
 * that is wrong is there; more bytes never change HELLO_OK or HELLO_BAD or
 * anything said with them. HELLO_BAD too once HELLO_WIRE_MAX bytes hold no
 * whole hello, so a buffer of that size always comes to a verdict.
 *
 * A caller should wait for `need` bytes before he asks again: then one who
 * sends a byte at a time has his hello read over some five times, and some
 * seventy if he makes records of one byte too, not once a byte.
 */
enum hello_result hello_parse(struct hello *, const void *buf, size_t len);

#endif
