/* SPDX-License-Identifier: ISC
 *
 * Tells one visitor, in a page, that there is no local service.
 */
#ifndef LT_CLIENT_REFUSAL_H
#define LT_CLIENT_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/ltp.h"

#define REFUSAL_EARLY_MAX (LTP_FRAME_MAX + 4)

struct client;
struct dial_result;
struct refusal;
struct service;
struct stream;

/* All is said, or can be said to nobody. Free it here. */
typedef void (*refusal_fn)(void *arg);

/* Whom to tell, what his request began with as far as it was read, and why. The
 * stream and `early` are borrowed until the end; of the failure error and why
 * are copied. No more than REFUSAL_EARLY_MAX was read. */
struct refusal_of {
	struct client *client;
	const struct service *service;
	struct stream *stream;
	const char *early;
	size_t early_len;
	bool is_headless; /* there is no head to wait for */
	const struct dial_result *failure;
};

/* Waits for the head of the request, which says how he wants to be told, but
 * not for long. Never calls back before it returns. NULL without memory. */
struct refusal *refusal_start(const struct refusal_of *, refusal_fn, void *arg);

/* NULL is fine. */
void refusal_free(struct refusal *);

#endif
