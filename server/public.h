/* SPDX-License-Identifier: ISC
 *
 * How the world reaches this server: schemes, hosts and ports of the URLs that
 * it gives out. They are not always those it listens on: behind NAT or a proxy
 * `public` of the listener says what they are. All questions are asked about
 * the listener by which somebody came in.
 *
 * The master makes it while it binds; workers only read.
 */
#ifndef LT_SERVER_PUBLIC_H
#define LT_SERVER_PUBLIC_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct config_listen;
struct public;

/* The beginning of a URL. */
struct public_way {
	const char *scheme; /* "http", "https"; static */
	const char *host;   /* of the server itself; borrowed */
	uint16_t port;
};

#define PUBLIC_SUFFIX_MAX 8 /* ":65535", NUL included */

/* Without listeners; the configuration is borrowed. Fatal without memory. */
struct public *public_new(const struct config *);
void public_free(struct public *);

/* Adds a listener, which is bound to `port`; they are counted from 0 in the
 * order of these calls. */
void public_add(struct public *, const struct config_listen *, uint16_t port);

/* What may come in by a listener, of enum config_kinds. */
unsigned public_kinds(const struct public *, unsigned listener);

/* A tunnel of kind http: NAME.host is below this way. */
struct public_way public_http(const struct public *, unsigned listener);

/* What is visited in TLS only, tunnels of kind tls among it. */
struct public_way public_tls(const struct public *, unsigned listener);

/* The server itself, as a user of ltclient has to name it. */
struct public_way public_server(const struct public *, unsigned listener);

/* The way that a visitor has come; over TLS if we have ended it. */
struct public_way public_used(
    const struct public *, unsigned listener, bool over_tls);

/* The port for clients, for one who asks over TLS or in clear. */
uint16_t public_backend(
    const struct public *, unsigned listener, bool over_tls);

/* The port as a URL has it: "" for that of the scheme. Returns `out`. */
const char *public_suffix(
    const struct public_way *, char out[PUBLIC_SUFFIX_MAX]);

#endif
