/* SPDX-License-Identifier: ISC
 *
 * The answer of a server to one question of ours, read whole: what it says of
 * itself, and a short body. Pure.
 */
#ifndef LT_CLIENT_RESPONSE_H
#define LT_CLIENT_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/http.h"

#define RESPONSE_MAX	      16384 /* bytes, head and all */
#define RESPONSE_LOCATION_MAX 256   /* NUL included */

struct response {
	int status;
	bool is_ltserver;		      /* as Server says */
	char location[RESPONSE_LOCATION_MAX]; /* as sent; "": none, or long */
	char body[RESPONSE_MAX];	      /* not terminated */
	size_t body_len;
	bool is_http;	 /* HTTP_BAD: there is a server of that kind */
	bool is_cut;	 /* HTTP_BAD: it broke off, and may not again */
	const char *why; /* HTTP_BAD: "does not answer in HTTP"; static */
};

/* Reads an answer, whole if `at_end`. HTTP_MORE, HTTP_OK or HTTP_BAD, the
 * latter also if it is longer than RESPONSE_MAX. */
enum http_result response_read(
    struct response *, const char *buf, size_t len, bool at_end);

#endif
