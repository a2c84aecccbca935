/* SPDX-License-Identifier: ISC
 *
 * TARGET: where the local service is. Set by the command line alone; nothing
 * that a server sends changes it.
 */
#ifndef LT_CLIENT_TARGET_H
#define LT_CLIENT_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net.h"

#define TARGET_PATH_MAX 108		    /* of a Unix socket, NUL included */
#define TARGET_TEXT_MAX (NET_HOST_MAX + 16) /* NUL included */

struct target {
	char host[NET_HOST_MAX]; /* "" for a Unix socket */
	uint16_t port;
	char path[TARGET_PATH_MAX]; /* "" for TCP */
	bool is_tls;
};

/* Reads PORT (of localhost), HOST:PORT, http://HOST[:PORT][/], the same with
 * https, or unix:/PATH. NULL, or static text that says what is wrong with it.
 */
const char *target_parse(struct target *, const char *text);

/* The way people write it, as TARGET and in messages. Returns `out`. */
const char *target_text(const struct target *, char out[TARGET_TEXT_MAX]);

/* What a request for it has in its Host header. Returns `out`. */
const char *target_host(const struct target *, char out[TARGET_TEXT_MAX]);

#endif
