/* SPDX-License-Identifier: ISC
 *
 * Forked by crew, in the middle of whatever the main process was doing: all of
 * that is left alone, and never returned to. What it needs is made anew.
 */
#define _GNU_SOURCE
#include "client/worker.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <unistd.h>

#include "client/channel.h"
#include "client/client.h"
#include "client/counters.h"
#include "client/leave.h"
#include "client/options.h"
#include "client/pool.h"
#include "common/clock.h"

#define CHANNEL_FD 3   /* the first after the standard ones */
#define PUBLISH_MS 500 /* as often as somebody may look */

struct duty {
	LIST_ENTRY(duty) entry;
	uint32_t id;
	struct pool *pool;
};

struct worker {
	struct client client;
	struct options *options;
	struct channel *channel;
	struct leave *leave;
	struct event publish;
	LIST_HEAD(, duty) duties;
};

/* --- what it is told -------------------------------------------------------
 */

/* NULL: there was no memory for it. */
static struct duty *
find(const struct worker *worker, uint32_t id)
{
	struct duty *duty;

	LIST_FOREACH (duty, &worker->duties, entry)
		if (duty->id == id)
			return duty;
	return NULL;
}

static const char *
text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* The control connection, which is elsewhere, knows whether there is a tunnel.
 */
static void
unserved_cb(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static void
add_pool(struct worker *worker, const struct channel_msg *msg,
    const struct channel_pool *asked)
{
	static const struct pool_ops ops = { unserved_cb };
	struct pool_session session = {
		.backend = asked->backend,
		.name = asked->name,
		.client = asked->client,
		.session = asked->session,
		.secret = text_or_null(asked->secret),
		.sni = text_or_null(asked->sni),
	};
	struct service *service = &worker->client.services[asked->tunnel];
	struct duty *duty = calloc(1, sizeof(*duty));

	if (duty == NULL ||
	    (duty->pool = pool_new(&worker->client, service, &session,
		 msg->concurrency, &ops, NULL)) == NULL) {
		free(duty);
		display_error(&service->options->display, "out of memory");
		return;
	}
	duty->id = msg->id;
	LIST_INSERT_HEAD(&worker->duties, duty, entry);
}

static void
retire(struct duty *duty)
{
	pool_retire(&duty->pool);
	LIST_REMOVE(duty, entry);
	free(duty);
}

static void
message_cb(void *arg, const struct channel_msg *msg, const void *body)
{
	struct worker *worker = arg;
	struct duty *duty = find(worker, msg->id);

	switch ((enum channel_type)msg->type) {
	case CHANNEL_POOL:
		add_pool(worker, msg, body);
		break;
	case CHANNEL_RESIZE:
		if (duty != NULL)
			pool_resize(duty->pool, msg->concurrency);
		break;
	case CHANNEL_RETIRE:
		if (duty != NULL)
			retire(duty);
		break;
	case CHANNEL_LEAVE:
		leave_begin(worker->leave, false);
		break;
	case CHANNEL_SAY:
		break;
	}
}

static void
over_cb(void *arg)
{
	struct worker *worker = arg;

	event_base_loopbreak(worker->client.base);
}

/* --- what it tells ---------------------------------------------------------
 */

/* What is too much at once is lost; nobody is held up by who does not read. */
static void
say_cb(void *arg, enum display_to to, const char *line)
{
	struct worker *worker = arg;
	struct channel_msg msg = {
		.type = CHANNEL_SAY, .id = to, .len = strlen(line) + 1
	};

	channel_send(worker->channel, &msg, line);
}

static void
publish_cb(int fd, short what, void *arg)
{
	const struct worker *worker = arg;

	(void)fd;
	(void)what;
	pool_publish(&worker->client);
}

/* Only if somebody displays it. */
static void
publish_often(struct worker *worker)
{
	struct timeval span = clock_span(PUBLISH_MS);

	event_assign(&worker->publish, worker->client.base, -1, EV_PERSIST,
	    publish_cb, worker);
	if (worker->options->display.status != NULL)
		event_add(&worker->publish, &span);
}

/* --- its life --------------------------------------------------------------
 */

/* A terminal sends its signals to all; the main process decides. */
static void
leave_signals_to_main(const sigset_t *mask)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCONT, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Nothing of the main process stays open here: what it closes is to be closed.
 */
static int
close_others(int fd)
{
	if (fd != CHANNEL_FD && dup2(fd, CHANNEL_FD) == -1)
		return -1;
	closefrom(CHANNEL_FD + 1);
	return 0;
}

/* What was copied of the main process becomes that of this one. */
static int
make_own(struct worker *worker, unsigned process)
{
	struct client *client = &worker->client;
	struct counters_process *own = &client->counters->process[process];

	client->crew = NULL;
	client->own = own;
	client->connections = 0;
	client->bytes_in = own->bytes_in;
	client->bytes_out = own->bytes_out;
	client->said_full = false;
	return client_init(client);
}

static int
worker_init(struct worker *worker, unsigned process, int fd)
{
	static const struct channel_ops ops = { message_cb, over_cb };
	struct client *client = &worker->client;

	if (close_others(fd) == -1 || make_own(worker, process) == -1)
		return -1;
	worker->channel = channel_new(client->base, CHANNEL_FD, &ops, worker);
	/* When it is enough, the main process knows. */
	worker->leave = leave_new(client, LEAVE_FOR_EVER, over_cb, worker);
	return worker->channel == NULL || worker->leave == NULL ? -1 : 0;
}

static void
worker_fini(struct worker *worker)
{
	pool_publish(&worker->client);
	while (!LIST_EMPTY(&worker->duties))
		retire(LIST_FIRST(&worker->duties));
	pool_free_all(&worker->client);
	event_del(&worker->publish);
	leave_free(worker->leave);
	channel_flush(worker->channel);
	channel_free(worker->channel);
	client_fini(&worker->client);
}

void
worker_run(const struct client *client, struct options *options,
    unsigned process, int fd, const sigset_t *mask)
{
	struct worker worker = { .client = *client, .options = options };
	struct display_pen pen = { say_cb, &worker };

	leave_signals_to_main(mask);
	prctl(PR_SET_NAME, "ltclient-worker");
	LIST_INIT(&worker.duties);
	if (worker_init(&worker, process, fd) == -1)
		exit(EXIT_FAILURE);
	publish_often(&worker);
	client_set_display(options, NULL, &pen);
	/* What concerns all processes the main one says. */
	options->display.quiet = true;
	event_base_dispatch(worker.client.base);
	worker_fini(&worker);
	exit(EXIT_SUCCESS);
}
