/* SPDX-License-Identifier: ISC
 *
 * Those who are spoken to in TLS, the server of an https URL and a local
 * service that wants it: whose certificate is good, what is shown to them,
 * and what the user can do if it is not. One for each in the life of the
 * program, since TLS sessions are resumed from it.
 */
#ifndef LT_CLIENT_TRUST_H
#define LT_CLIENT_TRUST_H

#include "common/net.h"
#include "common/stream.h"
#include "common/tls.h"

struct options;
struct tunnel_options;

struct trust {
	struct tls_context *context;
	char host[NET_HOST_MAX]; /* the certificate must be for it */
	const char *sni;	 /* host; NULL if that is a literal address */
};

/* The server, to speak LTP or HTTP with, or the local service, of the options,
 * which must be one with TLS. NULL with `why`, which names the file. */
struct trust *trust_server(const struct options *, char why[TLS_WHY_MAX]);
struct trust *trust_web(const struct options *, char why[TLS_WHY_MAX]);
struct trust *trust_local(const struct tunnel_options *, char why[TLS_WHY_MAX]);

void trust_free(struct trust *); /* NULL is fine */

/* What a user can do about a certificate, to be put behind what is wrong with
 * it; "" if it is good. */
const char *trust_server_hint(enum tls_cert);
const char *trust_local_hint(enum tls_cert);

/* True unless a connection with TLS has not agreed on LTP. */
bool trust_is_ltp(const struct stream *);

#endif
