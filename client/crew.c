/* SPDX-License-Identifier: ISC
 *
 * Forks workers and tells them which pools to have. Called by supply and main.
 * Owns the channels to them, and of each pool what it takes to make it again.
 */
#define _GNU_SOURCE
#include "client/crew.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/backoff.h"
#include "client/channel.h"
#include "client/client.h"
#include "client/counters.h"
#include "client/options.h"
#include "client/pool.h"
#include "client/worker.h"
#include "common/clock.h"

#define LASTED_MS 10000 /* one that lived so long was all right */
#define END_MS	  2000	/* for a worker to end when it is told to */

struct post {
	LIST_ENTRY(post) entry;
	struct berth *berth;
	uint32_t id;
	int64_t concurrency;
	struct channel_pool pool;
};

/* The place of one worker. */
struct berth {
	struct crew *crew;
	unsigned process;
	pid_t pid;
	struct channel *channel; /* NULL: there is none */
	LIST_HEAD(, post) posts;
	uint64_t since_ms;
	struct backoff backoff;
	struct event again; /* another one is to be forked */
};

struct crew {
	struct client *client;
	struct options *options;
	bool is_over; /* nobody is forked any more */
	uint32_t last_id;
	struct berth berths[PROCESSES_MAX]; /* the first is nobody's */
};

/* One that does not read is as good as dead, and ends the channel by dying. */
static void
tell(struct berth *berth, const struct channel_msg *msg, const void *body)
{
	if (berth->channel != NULL && !channel_send(berth->channel, msg, body))
		kill(berth->pid, SIGKILL);
}

static void
tell_post(const struct post *post)
{
	struct channel_msg msg = { .type = CHANNEL_POOL,
		.id = post->id,
		.concurrency = post->concurrency,
		.len = sizeof(post->pool) };

	tell(post->berth, &msg, &post->pool);
}

/* --- one worker ------------------------------------------------------------
 */

static void
message_cb(void *arg, const struct channel_msg *msg, const void *body)
{
	const struct berth *berth = arg;

	display_write(
	    &berth->crew->options->display, (enum display_to)msg->id, body);
}

static void
hire_later(struct berth *berth)
{
	struct timeval span = clock_span(backoff_next(&berth->backoff));

	evtimer_add(&berth->again, &span);
}

/* What made it end, in words. */
static void
tell_death(const struct berth *berth, int status)
{
	const struct display *display = &berth->crew->options->display;

	if (WIFSIGNALED(status))
		display_error(display,
		    "process %u of the client was ended by signal %d (%s); its "
		    "visitors are cut off",
		    berth->process, WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		display_error(display,
		    "process %u of the client has ended; its visitors are cut "
		    "off",
		    berth->process);
}

/* The worker has ended, as a rule; it is of no use without its channel. */
static void
closed_cb(void *arg)
{
	struct berth *berth = arg;
	int status = 0;

	channel_free(berth->channel);
	berth->channel = NULL;
	kill(berth->pid, SIGKILL);
	waitpid(berth->pid, &status, 0);
	berth->crew->client->counters->process[berth->process].joined = 0;
	if (berth->crew->is_over)
		return;
	tell_death(berth, status);
	if (clock_ms() - berth->since_ms >= LASTED_MS)
		backoff_reset(&berth->backoff);
	hire_later(berth);
}

/* Forks it, with no signal in between: one that the child took for the parent
 * would be taken twice. In the child it does not return. */
static pid_t
fork_worker(struct berth *berth, int fd)
{
	const struct crew *crew = berth->crew;
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		worker_run(
		    crew->client, crew->options, berth->process, fd, &old);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* Fills the berth, and has all its pools made. False if that cannot be now. */
static bool
hire(struct berth *berth)
{
	static const struct channel_ops ops = { message_cb, closed_cb };
	const struct post *post;
	int fds[2];

	if (channel_pair(fds) == -1)
		return false;
	berth->channel =
	    channel_new(berth->crew->client->base, fds[0], &ops, berth);
	if (berth->channel == NULL)
		close(fds[0]);
	else if ((berth->pid = fork_worker(berth, fds[1])) == -1) {
		channel_free(berth->channel);
		berth->channel = NULL;
	}
	close(fds[1]);
	if (berth->channel == NULL)
		return false;
	berth->since_ms = clock_ms();
	LIST_FOREACH (post, &berth->posts, entry)
		tell_post(post);
	return true;
}

static void
again_cb(int fd, short what, void *arg)
{
	struct berth *berth = arg;

	(void)fd;
	(void)what;
	if (!LIST_EMPTY(&berth->posts) && !hire(berth))
		hire_later(berth);
}

/* --- pools -----------------------------------------------------------------
 */

unsigned
crew_process(const struct crew *crew, unsigned session)
{
	return (session - 1) % crew->options->processes;
}

static void
put(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text != NULL ? text : "");
}

struct post *
crew_post(struct crew *crew, unsigned process, const struct service *service,
    const struct pool_session *session, int64_t concurrency)
{
	struct berth *berth = &crew->berths[process];
	struct post *post = calloc(1, sizeof(*post));
	struct channel_pool *pool;

	if (post == NULL)
		return NULL;
	post->berth = berth;
	post->id = ++crew->last_id;
	post->concurrency = concurrency;
	pool = &post->pool;
	pool->tunnel = (uint32_t)(service - crew->client->services);
	pool->backend = session->backend;
	put(pool->name, sizeof(pool->name), session->name);
	put(pool->client, sizeof(pool->client), session->client);
	put(pool->session, sizeof(pool->session), session->session);
	put(pool->secret, sizeof(pool->secret), session->secret);
	put(pool->sni, sizeof(pool->sni), session->sni);
	LIST_INSERT_HEAD(&berth->posts, post, entry);
	if (berth->channel != NULL)
		tell_post(post);
	else if (!evtimer_pending(&berth->again, NULL) && !hire(berth))
		hire_later(berth);
	return post;
}

void
crew_resize(struct post *post, int64_t concurrency)
{
	struct channel_msg msg = { .type = CHANNEL_RESIZE,
		.id = post->id,
		.concurrency = concurrency };

	post->concurrency = concurrency;
	tell(post->berth, &msg, NULL);
}

void
crew_retire(struct post **postp)
{
	struct post *post = *postp;
	struct channel_msg msg = { .type = CHANNEL_RETIRE, .id = post->id };

	*postp = NULL;
	tell(post->berth, &msg, NULL);
	LIST_REMOVE(post, entry);
	free(post);
}

/* --- all of them -----------------------------------------------------------
 */

struct crew *
crew_new(struct client *client, struct options *options)
{
	struct crew *crew = calloc(1, sizeof(*crew));
	struct berth *berth;

	if (crew == NULL)
		return NULL;
	crew->client = client;
	crew->options = options;
	for (unsigned i = 0; i < PROCESSES_MAX; i++) {
		berth = &crew->berths[i];
		berth->crew = crew;
		berth->process = i;
		LIST_INIT(&berth->posts);
		evtimer_assign(&berth->again, client->base, again_cb, berth);
	}
	return crew;
}

unsigned
crew_count(const struct crew *crew)
{
	unsigned n = 0;

	for (unsigned i = 0; crew != NULL && i < PROCESSES_MAX; i++)
		n += crew->berths[i].channel != NULL;
	return n;
}

static void
stop_hiring(struct crew *crew)
{
	crew->is_over = true;
	for (unsigned i = 0; i < PROCESSES_MAX; i++)
		evtimer_del(&crew->berths[i].again);
}

void
crew_leave(struct crew *crew)
{
	struct channel_msg msg = { .type = CHANNEL_LEAVE };

	stop_hiring(crew);
	for (unsigned i = 0; i < PROCESSES_MAX; i++)
		tell(&crew->berths[i], &msg, NULL);
}

/* What they have yet to say is written meanwhile. */
static void
wait_for_ends(struct crew *crew)
{
	struct event_base *base = crew->client->base;
	struct timeval span = clock_span(END_MS);

	event_base_loopexit(base, &span);
	while (crew_count(crew) > 0 && !event_base_got_exit(base))
		event_base_loop(base, EVLOOP_ONCE);
}

void
crew_end(struct crew *crew)
{
	struct berth *berth;

	stop_hiring(crew);
	for (berth = crew->berths; berth < crew->berths + PROCESSES_MAX;
	     berth++)
		if (berth->channel != NULL)
			channel_end(berth->channel);
	wait_for_ends(crew);
	for (berth = crew->berths; berth < crew->berths + PROCESSES_MAX;
	     berth++)
		if (berth->channel != NULL)
			closed_cb(berth);
}

void
crew_free(struct crew *crew)
{
	free(crew);
}
