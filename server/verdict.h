/* SPDX-License-Identifier: ISC
 *
 * What a verdict on a claim means to whoever has made it: one table for both
 * languages. Pure.
 */
#ifndef LT_SERVER_VERDICT_H
#define LT_SERVER_VERDICT_H

#include <stdbool.h>

#include "server/channel.h"

struct verdict {
	const char *word; /* for the log */
	const char *code; /* of an LTP error; NULL: the claim is granted */
	int status;	  /* of an answer over HTTP */
	const char *why;
};

/* Never NULL, whatever the number. */
const struct verdict *verdict_of(enum channel_verdict);

/* True if there is a session. */
bool verdict_is_good(enum channel_verdict);

/* True if another name may be had. */
bool verdict_is_about_name(enum channel_verdict);

#endif
