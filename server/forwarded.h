/* SPDX-License-Identifier: ISC
 *
 * Who is calling, as X-Forwarded headers tell it: what we tell the local
 * service, and what is believed of what a proxy in front tells us.
 *
 * Nothing is believed but of a trusted proxy that is the direct peer. To such a
 * one's X-Forwarded-For its address is appended, and what it says in -Proto,
 * -Host and -Port stays; from anybody else all of them are replaced. Where a
 * listener takes PROXY headers, these say who is calling, and nothing in a
 * request is believed.
 */
#ifndef LT_SERVER_FORWARDED_H
#define LT_SERVER_FORWARDED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/http.h"
#include "common/net.h"

struct cidr_list;
struct config;
struct conn;
struct evbuffer;

/* What is to be told about a request. */
struct forwarded {
	struct net_addr peer; /* of the connection */
	const char *scheme;   /* "http", "https" */
	uint16_t port;	      /* under which the public reaches us */
	bool is_off;	      /* nothing is told, nothing taken away */
	bool is_once;	 /* the service is to close after its answer, unless an
			    upgrade is asked for */
	bool hides_auth; /* Authorization is not for the service */
	const struct cidr_list *trusted; /* what forwarded_trusted() said */
};

/* The trusted proxies, if the direct peer of this connection is one of them
 * and its requests say who is calling; else NULL. Borrowed. */
const struct cidr_list *forwarded_trusted(
    const struct config *, const struct conn *);

/* From where a request came: the last address in X-Forwarded-For that is no
 * trusted proxy, as far to the left as there are addresses; the peer if there
 * is none, or if it is not to be believed. */
struct net_addr forwarded_from(
    const struct forwarded *, const struct http_head *, const char *buf);

/* Appends the head to `out` as the local service gets it; -1 without memory. */
int forwarded_put(const struct forwarded *, const struct http_head *,
    const char *buf, struct evbuffer *out);

#endif
