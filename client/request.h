/* SPDX-License-Identifier: ISC
 *
 * Looks at the requests of one joined connection as they pass: rewrites Host,
 * writes the request log, and knows of a local service with TLS that has just
 * closed whether its answer was whole. Only there if one of the three is
 * needed; without it the bytes pass unseen.
 *
 * User memory: about 4 KB a joined connection.
 */
#ifndef LT_CLIENT_REQUEST_H
#define LT_CLIENT_REQUEST_H

#include <stdbool.h>

struct relay;
struct relay_view;
struct request;
struct tunnel_options;

/* True if the options make any of it needed. */
bool request_is_wanted(const struct tunnel_options *);

/* Follows a relay in which A sends requests and B answers; the caller puts
 * both directions under inspection. NULL if there is no memory. */
struct request *request_new(const struct tunnel_options *, struct relay *);

/* The inspector of both directions. */
void request_inspect(struct request *, struct relay_view *);

/* True if each request that came has had all of its answer, and there was
 * one. */
bool request_is_answered(const struct request *);

/* Logs what was not answered to the end; NULL is fine. */
void request_free(struct request *);

#endif
