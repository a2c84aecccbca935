/* SPDX-License-Identifier: ISC */
#include "server/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/batch.h"
#include "common/clock.h"
#include "common/drain.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/relay.h"
#include "common/tls.h"
#include "common/watch.h"
#include "server/api.h"
#include "server/arrival.h"
#include "server/bound.h"
#include "server/bridge.h"
#include "server/certs.h"
#include "server/channel.h"
#include "server/config_pack.h"
#include "server/control.h"
#include "server/deadline.h"
#include "server/door.h"
#include "server/handover.h"
#include "server/handshake.h"
#include "server/join.h"
#include "server/listener.h"
#include "server/logs.h"
#include "server/metrics.h"
#include "server/node.h"
#include "server/pages.h"
#include "server/park.h"
#include "server/peers.h"
#include "server/pulse.h"
#include "server/queue.h"
#include "server/rate.h"
#include "server/recent.h"
#include "server/room.h"
#include "server/sandbox.h"
#include "server/session.h"
#include "server/title.h"

#define WORKER_DRAINS_MAX    1024
#define WORKER_RECONNECT_MS  1000 /* when clients of a drained one return, */
#define WORKER_SPREAD_MS     2	  /* and so much more for each of them */
#define WORKER_DRAIN_LOOK_MS 100

static void
accepted(void *arg, struct conn *conn)
{
	struct worker *w = arg;

	counter_add(&w->count->accepted, 1);
	arrival_start(w, conn);
}

static bool
has_room(void *arg)
{
	return room_is_left(arg, ROOM_ANY);
}

static void
make_room(void *arg)
{
	(void)room_make(arg);
}

static void
say_goodbye(struct session *s)
{
	uint64_t n = counter_get(&s->worker->count->sessions);

	control_reconnect(
	    s, WORKER_RECONNECT_MS + WORKER_SPREAD_MS * (unsigned)n);
}

/* A client of LTP/0.2 cannot be told to come back: it does when its session
 * ends. Nor can a node client, which finds its port closed. Who waits in its
 * queue is served first, or has his 502. */
static void
let_go(struct session *s)
{
	if (session_has_ext(s) || s->queue.n > 0)
		return;
	/* To this one the master has given another owner. */
	if (s->dialect == REGISTRY_NODE && s->worker->leaving)
		return;
	session_end(s, SESSION_LOST, "the server is leaving");
}

/* True once nobody is served here any more. One that leaves waits until its
 * sessions are somewhere else, too. */
static bool
is_drained(const struct worker *w)
{
	return (!w->leaving || counter_get(&w->count->sessions) == 0) &&
	       counter_get(&w->count->half_made) == 0 &&
	       counter_get(&w->count->handshaking) == 0 &&
	       counter_get(&w->count->parked) == 0 &&
	       counter_get(&w->count->queued) == 0 &&
	       counter_get(&w->count->joined) == 0 &&
	       handover_is_empty(w->handover) &&
	       !control_claims_pending(w->claims) && !api_is_pending(w->api) &&
	       drain_count(w->drains) == 0 && bridge_count(w->bridges) == 0;
}

static void
drain_look_cb(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	session_each(w->sessions, let_go);
	if (is_drained(w))
		event_base_loopexit(w->base, NULL);
}

/* No new connections; what is here may end in its own time. */
static void
drain(struct worker *w, const char *why)
{
	struct timeval look = clock_span(WORKER_DRAIN_LOOK_MS);
	struct timeval limit = { .tv_sec = w->config->drain };

	if (w->draining)
		return;
	log_info("draining: %s", why);
	w->draining = true;
	counter_set(&w->count->ready, 0);
	/* Who waits in a backlog that others share is theirs. */
	if (!w->leaving)
		listener_set_last_call(w->listeners);
	listener_set_free(w->listeners);
	w->listeners = NULL;
	session_each(w->sessions, say_goodbye);
	w->drain_look = event_new(w->base, -1, EV_PERSIST, drain_look_cb, w);
	if (w->drain_look == NULL || event_add(w->drain_look, &look) == -1)
		event_base_loopexit(w->base, NULL);
	event_base_loopexit(w->base, &limit);
}

/* Others serve on: nobody need be accepted here. */
static void
leave_others(struct worker *w)
{
	if (w->draining)
		return;
	w->leaving = true;
	metrics_listen(w->metrics, -1);
	drain(w, "others go on");
}

/* Each worker has a share of the pipes that there may be. */
static void
set_pipes(struct worker *w)
{
	w->pipes = WORKER_PIPES / w->config->workers;
	relay_env_limit(w->relays, w->pipes);
}

/* Other settings take the place of those before. Sessions and connections that
 * there are keep what they were told. */
static void
take_config(struct worker *w, int fd)
{
	const struct config *old = w->config;
	struct config *fresh = NULL;
	char why[256] = "they did not arrive";

	if (fd != -1)
		fresh = config_open(fd, why, sizeof(why));
	if (fresh == NULL) {
		log_error("cannot take settings: %s", why);
		return;
	}
	w->config = fresh;
	strcpy(w->domain, fresh->domain);
	pages_use(w->pages, fresh);
	set_pipes(w);
	rate_set(w->openings, fresh->tunnels_per_minute, fresh->workers);
	rate_set(w->failures, fresh->failures_per_minute, fresh->workers);
	log_set_level(fresh->log_level);
	if (fresh->certificates.n == 0) {
		tls_context_free(w->tls);
		w->tls = NULL;
	}
	config_free((struct config *)old);
	log_debug("settings taken");
}

/* A listener has come, or has gone. */
static void
take_listener(struct worker *w, uint32_t slot, int *fd)
{
	int taken = *fd;

	*fd = -1;
	if (w->draining && taken != -1)
		close(taken);
	if (w->draining)
		return;
	if (slot == BOUND_METRICS)
		metrics_listen(w->metrics, taken);
	else if (taken == -1)
		listener_set_remove(w->listeners, (uint16_t)slot);
	else if (!listener_set_add(w->listeners, (uint16_t)slot, taken))
		log_error("cannot wait on a listener: out of memory");
}

/* What new connections are made from, out of a memfd; NULL with `why`. */
static struct tls_context *
open_certs(const struct worker *w, int fd, char why[TLS_WHY_MAX])
{
	struct tls_context *tls;
	const struct certs *certs;

	if (fd == -1) {
		snprintf(why, TLS_WHY_MAX, "they did not arrive");
		return NULL;
	}
	if ((certs = certs_open(fd, why)) == NULL)
		return NULL;
	/* The master has looked at the dates. A worker that is started later,
	 * when nobody has cared for a new one, must not fail for that. */
	tls = certs_context(certs, w->config->domain, true, why);
	certs_close(certs);
	return tls;
}

/* Certificates from the master take the place of those before them, which
 * connections that are made from them go on with; false if they are not
 * good. */
static bool
take_certs(struct worker *w, int fd)
{
	char why[TLS_WHY_MAX];
	struct tls_context *tls = open_certs(w, fd, why);

	if (tls == NULL) {
		log_error("cannot take certificates: %s", why);
		return false;
	}
	log_debug("certificates taken");
	tls_context_free(w->tls);
	w->tls = tls;
	return true;
}

/* They are the first that the master sends. */
static void
await_certs(struct worker *w, int channel_fd)
{
	struct channel_msg msg;
	int fd;

	if (!channel_first(channel_fd, &msg, &fd))
		fatal("no word from the master");
	if (msg.type != CHANNEL_CERTS || !take_certs(w, fd))
		fatal("cannot start without certificates");
	close(fd);
}

/* The answer to a claim, whoever has made it. */
static void
claimed(struct worker *w, const struct channel_msg *msg, int *fd)
{
	if (!api_claimed(w, msg->id, &msg->claimed, fd))
		control_claimed(w, msg->id, &msg->claimed, fd);
}

/* A node session whose owner has died: its client notices nothing but that its
 * connections have ended. */
static void
adopt(struct worker *w, const struct channel_claimed *session, int *fd)
{
	const char *why;

	if (node_start(w, session, fd, &why) == NULL)
		log_warn(
		    "session lost tunnel=%s end=\"%s\"", session->name, why);
	else
		log_info("session adopted tunnel=%s port=%u", session->name,
		    session->port);
}

static void
message(void *arg, const struct channel_msg *msg, int fd)
{
	struct worker *w = arg;
	struct session *s;

	switch (msg->type) {
	case CHANNEL_CERTS:
		(void)take_certs(w, fd);
		break;
	case CHANNEL_LOG:
		logs_take(w->config, (enum log_stream)msg->id, fd);
		log_confine();
		fd = -1;
		break;
	case CHANNEL_CONFIG:
		take_config(w, fd);
		break;
	case CHANNEL_LISTENER:
		take_listener(w, msg->id, &fd);
		break;
	case CHANNEL_CLAIMED:
		claimed(w, msg, &fd);
		break;
	case CHANNEL_ADOPT:
		adopt(w, &msg->claimed, &fd);
		break;
	case CHANNEL_TAKEN:
		s = session_find(w->sessions, msg->session);
		if (s != NULL)
			session_end(s, SESSION_TAKEN, "taken over");
		break;
	case CHANNEL_CLOSE:
		s = session_find(w->sessions, msg->session);
		if (s != NULL)
			session_end(s, SESSION_CUT,
			    msg->id == CHANNEL_BY_TOKEN
				? SESSION_NO_TOKEN
				: "closed by the operator");
		break;
	case CHANNEL_UP:
	case CHANNEL_GONE:
		park_wake(w, msg->tunnel);
		break;
	case CHANNEL_DRAIN:
		w->leaving = false;
		drain(w, "asked to stop");
		break;
	case CHANNEL_LEAVE:
		leave_others(w);
		break;
	default:
		log_error("the master sent what only workers send");
	}
	if (fd != -1)
		close(fd);
}

/* Without a master nobody grants names: clients have to go elsewhere. */
static void
closed(void *arg, const char *why)
{
	struct worker *w = arg;

	log_error("lost the master: %s", why);
	/* Another one may want the ports. */
	metrics_listen(w->metrics, -1);
	session_each(w->sessions, door_close);
	control_claims_drop(w);
	api_drop(w);
	w->leaving = false;
	drain(w, "the master is gone");
}

/* What a worker is from its first moment: no more than it has to be. */
static void
confine(struct worker *w, const struct worker_start *start)
{
	char why[SANDBOX_WHY_MAX];

	if (registry_read_only(w->registry) == -1)
		fatal("cannot map the registry read-only");
	log_confine();
	batch_set();
	if (sandbox_enter(start->sandbox, why) == -1)
		fatal("cannot give up what is not needed: %s", why);
}

static void
start_up(struct worker *w, const struct worker_start *start)
{
	static const struct channel_ops channel_ops = { message, closed };
	static const struct listener_ops listener_ops = { accepted, has_room,
		make_room };

	confine(w, start);
	inbox_keep(w->inbox, w->slot);
	w->base = loop_new();
	if (w->base == NULL)
		fatal("no event loop");
	if (w->config->certificates.n > 0)
		await_certs(w, start->channel_fd);
	w->channel = channel_new(w->base, start->channel_fd, &channel_ops, w);
	w->watches = watch_set_new(w->base);
	if (w->watches == NULL)
		fatal("out of memory");
	w->relays =
	    relay_env_new(w->base, w->watches, WORKER_PIPES, WORKER_PIPE_SIZE);
	w->drains = drain_set_new(w->base, WORKER_DRAINS_MAX);
	if (w->channel == NULL || w->relays == NULL || w->drains == NULL)
		fatal("out of memory");
	w->pages = pages_new(w->config, w->registry, w->counters, w->drains);
	if (w->pages == NULL)
		fatal("out of memory");
	w->bridges = bridge_set_new();
	w->sessions = session_table_new(w->registry);
	w->openings =
	    rate_new(w->config->tunnels_per_minute, w->config->workers);
	w->failures =
	    rate_new(w->config->failures_per_minute, w->config->workers);
	w->visitors = peers_new();
	w->claims = control_claims_new();
	w->api = api_new();
	w->nodes = node_set_new(w);
	w->waits = queue_deadlines_new(w);
	w->silences = join_deadlines_new(w);
	w->looks = join_looks_new(w);
	w->park = park_new(w);
	w->recent = recent_new();
	w->arrivals = arrivals_new(w);
	w->handshakes = handshakes_new(w);
	w->handover = handover_new(w);
	w->listeners = listener_set_new(w->base, &listener_ops, w);
	w->metrics = metrics_new(w);
	for (uint16_t i = 0; i < CONFIG_SLOTS_MAX; i++)
		if (bound_fd(start->bound, i) != -1 &&
		    !listener_set_add(
			w->listeners, i, bound_fd(start->bound, i)))
			fatal("cannot wait on a listener");
	metrics_listen(w->metrics, bound_fd(start->bound, BOUND_METRICS));
	set_pipes(w);
	room_init(w);
	pulse_start(w);
}

static void
leave(struct session *s)
{
	session_end(s, SESSION_LOST, "the server is leaving");
}

/* In the opposite order of start_up(). */
static void
tear_down(struct worker *w)
{
	session_each(w->sessions, leave);
	if (w->drain_look != NULL)
		event_free(w->drain_look);
	event_free(w->pulse);
	listener_set_free(w->listeners);
	metrics_free(w->metrics);
	handover_free(w->handover);
	handshakes_free(w->handshakes);
	arrivals_free(w->arrivals);
	recent_free(w->recent);
	park_free(w->park);
	deadline_list_free(w->looks);
	deadline_list_free(w->silences);
	deadline_list_free(w->waits);
	node_set_free(w->nodes);
	api_free(w->api);
	control_claims_free(w->claims);
	session_table_free(w->sessions);
	bridge_set_free(w->bridges);
	peers_free(w->visitors);
	rate_free(w->failures);
	rate_free(w->openings);
	pages_free(w->pages);
	drain_set_free(w->drains);
	relay_env_free(w->relays);
	watch_set_free(w->watches);
	channel_free(w->channel);
	tls_context_free(w->tls);
	event_base_free(w->base);
	inbox_free(w->inbox);
	log_count(NULL, NULL);
	counters_free(w->counters);
	registry_free(w->registry);
	config_free((struct config *)w->config);
}

int
worker_run(const struct worker_start *start)
{
	static const struct channel_msg ready = { .type = CHANNEL_READY };
	struct worker w = {
		.config = start->config,
		.registry = start->registry,
		.counters = start->counters,
		.count = counters_worker(start->counters, start->slot),
		.inbox = start->inbox,
		.slot = start->slot,
	};

	strcpy(w.domain, start->config->domain);
	log_role("worker %u", start->slot + 1);
	log_count(&w.count->log_dropped, &w.count->log_left_out);
	title_set("ltserver: worker %u", start->slot + 1);
	/* Ctrl-C reaches the whole process group; the master decides. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	log_fatal_status(WORKER_CANNOT_START);
	start_up(&w, start);
	log_fatal_status(EXIT_FAILURE);
	counter_set(&w.count->ready, 1);
	channel_send(w.channel, &ready, -1);
	event_base_dispatch(w.base);
	tear_down(&w);
	log_info("ended");
	return 0;
}
