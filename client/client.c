/* SPDX-License-Identifier: ISC
 *
 * What every process of the client needs to serve visitors. Called by main and
 * worker.
 */
#include "client/client.h"

#include <event2/event.h>

#include "client/options.h"
#include "client/seats.h"
#include "common/drain.h"
#include "common/limit.h"
#include "common/loop.h"
#include "common/relay.h"
#include "common/watch.h"

#define PIPES_MAX 96 /* 24 MiB: half of what one user may have */
#define PIPE_SIZE (256 * 1024)
#define SHARES	  4   /* as many processes as one tunnel has sessions */
#define PAGES_MAX 256 /* last answers at once */

/* A pipe is two descriptors: an eighth of all for pipes. */
static size_t
count_pipes(const struct options *options)
{
	size_t shares =
	    options->processes < SHARES ? options->processes : SHARES;
	size_t pipes = limit_fds() / 16;

	return pipes < PIPES_MAX / shares ? pipes : PIPES_MAX / shares;
}

int
client_init(struct client *client)
{
	LIST_INIT(&client->pools);
	client->pipes = count_pipes(client->options);
	client->watches = NULL;
	client->relays = NULL;
	client->drains = NULL;
	client->base = loop_new();
	if (client->base == NULL ||
	    (client->watches = watch_set_new(client->base)) == NULL)
		return -1;
	client->relays = relay_env_new(
	    client->base, client->watches, client->pipes, PIPE_SIZE);
	/* With a goodbye on each control connection: of an attempt, too. */
	client->drains = drain_set_new(client->base,
	    PAGES_MAX + 2 * SEATS_MAX * client->options->tunnels_n);
	return client->relays == NULL || client->drains == NULL ? -1 : 0;
}

void
client_fini(struct client *client)
{
	drain_set_free(client->drains);
	if (client->relays != NULL)
		relay_env_free(client->relays);
	watch_set_free(client->watches);
	if (client->base != NULL)
		event_base_free(client->base);
}

void
client_set_display(struct options *options, struct status *status,
    const struct display_pen *pen)
{
	struct display *display;
	size_t i;

	for (i = 0; i <= options->tunnels_n; i++) {
		display = i < options->tunnels_n ? &options->tunnels[i].display
						 : &options->display;
		display->status = status;
		display->pen = pen;
	}
}
