/* SPDX-License-Identifier: ISC
 *
 * The proxy requests that were read last. A client sends the same bytes on
 * each of its proxy connections, and reading JSON costs more than all else
 * that a worker does with one, so what they said is kept. Whoever sends other
 * bytes, by one, is read anew: this never changes an answer.
 */
#ifndef LT_SERVER_RECENT_H
#define LT_SERVER_RECENT_H

#include <stddef.h>

#include "common/ltp.h"

struct recent;

/* At most about 100 KB. NULL without memory, or random bytes. */
struct recent *recent_new(void);
void recent_free(struct recent *);

/* As ltp_parse() from a client; NULL for `recent` is just that. */
enum ltp_result recent_parse(struct recent *, struct ltp_message *,
    const void *json, size_t len, const char **why);

#endif
