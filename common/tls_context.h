/* SPDX-License-Identifier: ISC
 *
 * The inside of TLS, shared by tls.c (a connection) and tls_context.c (what
 * many connections share); nobody else includes it.
 */
#ifndef LT_COMMON_TLS_CONTEXT_H
#define LT_COMMON_TLS_CONTEXT_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "common/tls.h"

/* Another reference, to be given back with tls_context_free(). */
struct tls_context *tls_context_ref(struct tls_context *);

/* What new connections are made from. */
SSL_CTX *tls_context_ssl(const struct tls_context *);

/* Limits the tickets of a server's connection to a scope; false on failure. */
bool tls_context_scope(SSL *, const char *scope);

/* Prepares a client's connection: whose certificate is expected, and which
 * session is resumed. False on failure. */
bool tls_context_expect(struct tls_context *, SSL *, const char *host);

/* A handshake has failed: the session that it may have been about is not
 * tried again. */
void tls_context_forget(struct tls_context *);

#endif
