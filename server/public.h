/* SPDX-License-Identifier: ISC
 *
 * How the world reaches this server: schemes, hosts and ports of the URLs that
 * it gives out. They are not always those it listens on: behind NAT or a proxy
 * `public` of the listener says what they are. All questions are asked about
 * the listener by which somebody came in.
 *
 * All of it follows from the settings and the ports that are bound.
 */
#ifndef LT_SERVER_PUBLIC_H
#define LT_SERVER_PUBLIC_H

#include <stdbool.h>
#include <stdint.h>

struct config;

/* The beginning of a URL. */
struct public_way {
	const char *scheme; /* "http", "https"; static */
	const char *host;   /* of the server itself; borrowed */
	uint16_t port;
};

#define PUBLIC_SUFFIX_MAX 8 /* ":65535", NUL included */

/* What may come in by a listener, of enum config_kinds. */
unsigned public_kinds(const struct config *, unsigned listener);

/* A tunnel of kind http: NAME.host is below this way. */
struct public_way public_http(const struct config *, unsigned listener);

/* What is visited in TLS only, tunnels of kind tls among it. */
struct public_way public_tls(const struct config *, unsigned listener);

/* The server itself, as a user of ltclient has to name it. */
struct public_way public_server(const struct config *, unsigned listener);

/* The way that a visitor has come; over TLS if we have ended it. */
struct public_way public_used(
    const struct config *, unsigned listener, bool over_tls);

/* The port for clients, for one who asks over TLS or in clear. */
uint16_t public_backend(
    const struct config *, unsigned listener, bool over_tls);

/* The port as a URL has it: "" for that of the scheme. Returns `out`. */
const char *public_suffix(
    const struct public_way *, char out[PUBLIC_SUFFIX_MAX]);

#endif
