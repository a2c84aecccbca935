/* SPDX-License-Identifier: ISC
 *
 * What happens to a connection once its first bytes have said what it wants:
 * routed, and then served here, handed to another worker, parked, or
 * answered with a page. All of them take the connection.
 */
#ifndef LT_SERVER_SERVE_H
#define LT_SERVER_SERVE_H

#include "common/hello.h"
#include "common/http.h"
#include "common/ltp.h"
#include "server/conn.h"
#include "server/registry.h"

struct session;
struct worker;

/* A visitor whose head was peeked. */
void serve_visitor(struct worker *, struct conn *, const struct http_head *);

/* A visitor whose ClientHello was peeked. */
void serve_tls(struct worker *, struct conn *, const struct hello *);

/* A visitor whose tunnel is known by name already. */
void serve_tunnel(struct worker *, struct conn *, const char *name);

/* A client whose first `hello_len` bytes, still unread, are this message. */
void serve_client(struct worker *, struct conn *, const struct ltp_message *,
    size_t hello_len);

/* A visitor who gets a page instead, or an alert; `tunnel` may be NULL. */
void serve_refused(struct worker *, struct conn *, const char *tunnel,
    int status, const char *why);

/* A visitor whose session is here. */
void serve_here(struct session *, struct conn *);

/* Somebody whose handshake has failed; TLS has said so already. */
void serve_no_handshake(struct worker *, struct conn *, const char *why);

/* A visitor whose ClientHello is none. */
void serve_bad_tls(
    struct worker *, struct conn *, enum hello_alert, const char *why);

/* Ends a TLS visitor who has had no byte yet with an alert (RFC 8446, section
 * 6.2). Nothing is logged. */
void serve_alert(struct worker *, struct conn *, enum hello_alert);

/* A client that speaks no LTP, as far as it can be understood. */
void serve_bad_client(struct worker *, struct conn *, const char *why);

/* Somebody to whom nothing can be said: the language is not ours. */
void serve_unknown(struct worker *, struct conn *, const char *why);

/* Ends a client's connection with an LTP error. `tunnel` is the name that it
 * asked for, whatever is in it; or NULL. */
void serve_client_error(struct worker *, struct conn *, const char *tunnel,
    const char *code, const char *text);

#endif
