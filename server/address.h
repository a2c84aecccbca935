/* SPDX-License-Identifier: ISC
 *
 * Where visitors find a tunnel.
 */
#ifndef LT_SERVER_ADDRESS_H
#define LT_SERVER_ADDRESS_H

#include "common/net.h"
#include "server/registry.h"

struct session;

#define ADDRESS_HOST_MAX (LTP_NAME_MAX + NET_HOST_MAX + 8)
#define ADDRESS_URL_MAX	 (ADDRESS_HOST_MAX + 8)

/* As LTP/0.2 has it, the host with its port unless that is 80, and as a URL;
 * for a client that has come by that listener. */
void address_of(const struct session *, unsigned listener,
    char host[ADDRESS_HOST_MAX], char url[ADDRESS_URL_MAX]);

#endif
