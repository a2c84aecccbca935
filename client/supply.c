/* SPDX-License-Identifier: ISC
 *
 * Finds a place for the pool of a session. Called by session. The sessions of a
 * tunnel take turns over the processes. Where the pool is all that says whether
 * there is a tunnel, or the server knows of one session only, it is here.
 */
#include "client/supply.h"

#include <stdlib.h>

#include "client/client.h"
#include "client/crew.h"
#include "client/pool.h"

/* One of the two is there. */
struct supply {
	struct pool *pool;
	struct post *post;
};

struct supply *
supply_new(struct client *client, struct service *service,
    const struct pool_session *session, int64_t concurrency,
    const struct pool_ops *ops, void *arg)
{
	unsigned process = crew_process(client->crew, session->number);
	struct supply *supply = calloc(1, sizeof(*supply));

	if (supply == NULL)
		return NULL;
	if (process == 0 || session->session == NULL)
		supply->pool =
		    pool_new(client, service, session, concurrency, ops, arg);
	else
		supply->post = crew_post(
		    client->crew, process, service, session, concurrency);
	if (supply->pool == NULL && supply->post == NULL) {
		free(supply);
		return NULL;
	}
	return supply;
}

void
supply_resize(struct supply *supply, int64_t concurrency)
{
	if (supply->pool != NULL)
		pool_resize(supply->pool, concurrency);
	else
		crew_resize(supply->post, concurrency);
}

bool
supply_is_proven(const struct supply *supply)
{
	return supply->pool != NULL && pool_is_proven(supply->pool);
}

void
supply_retire(struct supply **supplyp)
{
	struct supply *supply = *supplyp;

	*supplyp = NULL;
	if (supply == NULL)
		return;
	pool_retire(&supply->pool);
	if (supply->post != NULL)
		crew_retire(&supply->post);
	free(supply);
}
