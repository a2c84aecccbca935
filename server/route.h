/* SPDX-License-Identifier: ISC
 *
 * Says where a connection belongs. Reads the registry, changes nothing. The
 * one place where "not here" is decided.
 */
#ifndef LT_SERVER_ROUTE_H
#define LT_SERVER_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ltp.h"
#include "server/counters.h"
#include "server/registry.h"

enum route_host {
	ROUTE_HOST_TUNNEL, /* a name below the base domain */
	ROUTE_HOST_BASE,   /* the base domain itself */
	ROUTE_HOST_OTHER,  /* neither: nobody's */
};

/*
 * Which tunnel a host names: the label directly before the base domain; what
 * stands further left is free. `host` is lower case without port and dot at
 * the end. Whole labels are compared, never just ends of strings.
 */
enum route_host route_host(
    const char *host, const char *domain, char name[LTP_NAME_MAX + 1]);

/* The same, and a host that is the custom domain of a tunnel leads there too:
 * one look-up more, for hosts that are not below the base domain. */
enum route_host route_name(const struct registry *, const char *host,
    const char *domain, char name[LTP_NAME_MAX + 1]);

enum route_where {
	ROUTE_WORKER, /* to that worker, which may be this one */
	ROUTE_AWAY,   /* the tunnel is there, its client is not: wait */
	ROUTE_NONE,   /* no such tunnel or session */
};

struct route {
	enum route_where where;
	uint32_t worker;
	struct registry_ref tunnel;
	struct registry_ref session;
	enum registry_kind kind; /* 0: not known at the moment */
};

/*
 * A visitor of the tunnel `name`: to the client with the fewest busy
 * connections, ties in turn (`turn` grows by one from call to call); of its
 * sessions to the one in worker `self`, else to the least busy one.
 */
struct route route_visitor(const struct registry *, struct counters *,
    uint32_t self, uint32_t turn, const char *name);

/* A proxy connection: by session label if there is one, else by name, as old
 * clients have it, which have one session. */
struct route route_proxy(const struct registry *, const struct ltp_message *);

/*
 * A client whose ClientHello has the server name `sni`: LABEL.NAME.DOMAIN leads
 * to the owner of that session, as far as it has one; NAME.DOMAIN and any other
 * as a control connection that resumes nothing, of the tunnel NAME if there is
 * one.
 */
struct route route_client(const struct registry *, struct counters *,
    uint32_t self, const char *sni, const char *domain);

/* False if `sni` names a session, as above, and the request another one; or if
 * it names a tunnel, and a request with a secret another one. */
bool route_sni_fits(const struct registry *, const char *sni,
    const char *domain, const struct ltp_message *);

/* A control connection: a live session that is to be resumed leads to its
 * owner, unless that is leaving; any other to the ready worker with the fewest
 * sessions of its tunnel, then of all, `self` before others. */
struct route route_control(const struct registry *, struct counters *,
    uint32_t self, const struct ltp_message *);

#endif
