/* SPDX-License-Identifier: ISC
 *
 * What ltserver itself answers to visitors: error pages, the landing page,
 * /meta/backend, /meta/version and /meta/metrics on the base domain. The
 * connection is unread; its head is looked at again to learn whether a
 * browser asks. It ends after the answer, decently (common/drain.h).
 */
#ifndef LT_SERVER_PAGES_H
#define LT_SERVER_PAGES_H

#include "common/http.h"
#include "server/conn.h"

struct config;
struct counters;
struct drain_set;
struct evbuffer;
struct pages;
struct registry;

#define PAGES_AGENT "ltserver/" LT_VERSION

/* Everything is borrowed. */
struct pages *pages_new(const struct config *, const struct registry *,
    struct counters *, struct drain_set *);
void pages_free(struct pages *);

/* Other settings from here on, borrowed as well. */
void pages_use(struct pages *, const struct config *);

/* Looks at the head of a visitor who is still unread; it points into *buf,
 * which the next look writes over. False if there is none to be had. */
bool pages_peek(
    struct pages *, const struct conn *, struct http_head *, const char **buf);

/*
 * Answers with an error page: 400, 401, 403, 404, 405, 408, 421, 429 and 503
 * (both with Retry-After), 431, 502, 504. `why` is one sentence for whoever
 * reads the page. Takes the descriptor out of *conn.
 */
void pages_error(struct pages *, struct conn *, int status, const char *why);

/* The same on a connection whose head was read already: by a browser, with
 * the method HEAD. */
void pages_error_read(struct pages *, struct conn *, int status,
    const char *why, bool html, bool is_head);

/* The same with 401: visitors of tunnel `name` need a user and a password. */
void pages_ask_password(struct pages *, struct conn *, const char *name,
    const char *why, bool html, bool is_head);

/* Sends a visitor in clear, whose host is below the base domain, to the https
 * URL of what he asks for, with 308. */
void pages_to_https(struct pages *, struct conn *);

/* Only makes the page, for a visitor whose connection goes on a while: appends
 * it to `out`. -1 without memory. */
int pages_put_error(
    struct evbuffer *out, int status, const char *why, bool html, bool is_head);

/* Answers a request for the base domain with a JSON text, 429 and 503 with
 * Retry-After, 401 with a realm. Takes the descriptor out of *conn; ends it
 * without a word if the text is NULL, for want of memory. */
void pages_json(
    struct pages *, struct conn *, int status, const char *json, bool is_head);

/* Serves a request for the base domain. The head was peeked, not read. */
void pages_base(struct pages *, struct conn *, const struct http_head *);

#endif
