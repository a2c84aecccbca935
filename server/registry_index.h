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
#include "server/slots.h"
#include "server/table.h"

#define OWNERS (4 * CONFIG_WORKERS_MAX) /* more than worker slots */

/* The place of a session in the list of its owner. */
struct owned {
	LIST_ENTRY(owned) entry;
	bool is_in; /* it has one */
};

LIST_HEAD(owned_list, owned);

struct registry {
	struct table table;

	/* The master's own. */
	struct slots tunnels;
	struct slots sessions;
	struct owned *owned; /* by slot of a session; NULL in a worker */
	struct owned_list owners[OWNERS];
	uint32_t last_member;
};

static inline bool
registry_is_master(const struct registry *r)
{
	return r->owned != NULL;
}

#endif
