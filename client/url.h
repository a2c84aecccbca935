/* SPDX-License-Identifier: ISC
 *
 * The URL of a tunnel server, as the user gives it.
 */
#ifndef LT_CLIENT_URL_H
#define LT_CLIENT_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net.h"

#define URL_AUTHORITY_MAX                                                      \
	(NET_HOST_MAX + 8) /* "[host]:65535", NUL included                     \
			    */

struct url {
	char host[NET_HOST_MAX]; /* without brackets */
	uint16_t port;
	bool is_tls;
	char authority[URL_AUTHORITY_MAX]; /* as in Host: no port if it is that
					      of the scheme; lower case; no
					      slash */
};

/* Reads http://HOST[:PORT][/], the same with https, or HOST[:PORT], which is
 * http. NULL, or static text that says what is wrong with it. */
const char *url_parse(struct url *, const char *text);

#endif
