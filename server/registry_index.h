/* SPDX-License-Identifier: ISC
 *
 * The inside of the registry, shared by registry.c, which changes it, and
 * registry_check.c, which audits it; nobody else includes it.
 */
#ifndef LT_SERVER_REGISTRY_INDEX_H
#define LT_SERVER_REGISTRY_INDEX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/config.h"
#include "server/table.h"

#define OWNERS (4 * CONFIG_WORKERS_MAX) /* more than worker slots */

/* What the master knows of a slot of a tunnel, */
struct tunnel_slot {
	STAILQ_ENTRY(tunnel_slot) free;
	uint32_t generation; /* the last one that was used */
};

/* and of a session. */
struct session_slot {
	STAILQ_ENTRY(session_slot) free;
	LIST_ENTRY(session_slot) owned;
	bool is_owned; /* it is in a list of owners */
	uint32_t generation;
};

STAILQ_HEAD(tunnel_queue, tunnel_slot);
STAILQ_HEAD(session_queue, session_slot);
LIST_HEAD(session_list, session_slot);

struct registry {
	struct table table;

	/* The master's own. The free ones are used first in, first out: a
	 * slot rests as long as it can. */
	struct tunnel_slot *tunnels; /* NULL in a worker */
	struct session_slot *sessions;
	struct tunnel_queue free_tunnels;
	struct session_queue free_sessions;
	struct session_list owned[OWNERS];
	uint32_t last_member;
};

static inline bool
registry_is_master(const struct registry *r)
{
	return r->tunnels != NULL;
}

#endif
