/* SPDX-License-Identifier: ISC */
#include "server/master.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/limit.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/tls.h"
#include "server/bound.h"
#include "server/channel.h"
#include "server/claim.h"
#include "server/config.h"
#include "server/counters.h"
#include "server/ctl.h"
#include "server/inbox.h"
#include "server/keyring.h"
#include "server/leftover.h"
#include "server/logs.h"
#include "server/master_inside.h"
#include "server/places.h"
#include "server/registry.h"
#include "server/room.h"
#include "server/service.h"
#include "server/title.h"
#include "server/tokens.h"
#include "server/upgrade.h"
#include "server/worker.h"

_Static_assert(WORKER_CANNOT_START == PLACES_CANNOT_START, "the exit code");
_Static_assert(REGISTRY_NO_WORKER == UINT32_MAX, "what places_pick() says");

/* --- what the book of claims wants ---------------------------------------- */

static void
send_one(void *arg, uint32_t worker, const struct channel_msg *msg, int fd)
{
	struct master *m = arg;

	places_send(m->places, worker, msg, fd);
}

static void
send_all(void *arg, const struct channel_msg *msg)
{
	struct master *m = arg;

	places_send_all(m->places, msg, -1);
}

static void
close_port(void *arg, bool is_tcp, int fd, uint16_t port)
{
	struct master *m = arg;

	bound_port_close(m->bound, is_tcp, fd, port);
}

static int
open_port(void *arg, bool is_tcp, uint16_t listener, uint16_t *port)
{
	struct master *m = arg;

	return bound_port_open(m->bound, is_tcp, listener, port);
}

static uint32_t
pick_worker(void *arg)
{
	struct master *m = arg;

	return places_pick(m->places);
}

/* --- the end -------------------------------------------------------------- */

/* Accepts nothing new; what there is may end in its own time. */
static void
drain(struct master *m)
{
	static const struct channel_msg msg = { .type = CHANNEL_DRAIN };
	struct timeval limit = { .tv_sec = m->config->drain + 1 };

	if (m->stopping)
		return;
	log_info("draining: asked to stop");
	m->stopping = true;
	service_stopping();
	bound_close(m->bound);
	send_all(m, &msg);
	evtimer_add(m->drain_limit, &limit);
	places_stop(m->places, false);
}

static void
stop_now(struct master *m)
{
	if (!m->stopping)
		service_stopping();
	m->stopping = true;
	places_stop(m->places, true);
}

static void
all_gone(void *arg)
{
	struct master *m = arg;

	/* At the end of this turn; without memory for that at once. */
	if (event_base_loopexit(m->base, NULL) == -1)
		event_base_loopbreak(m->base);
}

/* Leaves everything that has events behind, in a child just forked too. */
static void
forget(struct master *m)
{
	for (int i = 0; i < SIG_N; i++)
		event_free(m->signals[i]);
	event_free(m->drain_limit);
	event_free(m->tick);
	event_free(m->reload);
	event_free(m->exec);
	upgrade_free(m->upgrade);
	keyring_free(m->keyring);
	places_free(m->places);
	leftovers_free(m->leftovers);
	claim_book_free(m->claims);
	tokens_free(m->tokens);
	ctl_forget(m->ctl);
	event_base_free(m->base);
}

/* --- the workers ---------------------------------------------------------- */

static void
be_worker(void *arg, uint32_t slot, int channel_fd)
{
	struct master *m = arg;
	struct worker_start start = {
		.config = m->config,
		.registry = m->registry,
		.counters = m->counters,
		.inbox = m->inbox,
		.bound = m->bound,
		.slot = slot,
		.channel_fd = channel_fd,
		.sandbox = &m->sandbox,
	};

	service_forget(m->service);
	forget(m);
	exit(worker_run(&start));
}

/* It gets the certificates, if there are any. */
static void
worker_forked(void *arg, uint32_t slot)
{
	static const struct channel_msg msg = { .type = CHANNEL_CERTS };
	struct master *m = arg;
	int fd = keyring_fd(m->keyring);

	leftovers_end(m->leftovers, slot);
	if (fd != -1)
		places_send(m->places, slot, &msg, fd);
}

void
master_send_certs(struct master *m)
{
	static const struct channel_msg msg = { .type = CHANNEL_CERTS };

	if (keyring_fd(m->keyring) != -1)
		places_send_all(m->places, &msg, keyring_fd(m->keyring));
}

static void
certs_changed(void *arg)
{
	master_send_certs(arg);
}

static void
worker_message(void *arg, uint32_t slot, const struct channel_msg *msg, int fd)
{
	struct master *m = arg;

	if (fd != -1)
		close(fd);
	switch (msg->type) {
	case CHANNEL_READY:
		service_ready(m->service);
		claim_worker_ready(m->claims, slot);
		return;
	case CHANNEL_EMPTY:
		claim_empty(
		    m->claims, slot, msg->empty.session, msg->empty.is_empty);
		return;
	case CHANNEL_CLAIM:
		claim_answer(m->claims, slot, msg->id, &msg->claim);
		return;
	case CHANNEL_DOWN:
		claim_down(m->claims, slot, msg->down.session, msg->down.cause);
		return;
	default:
		log_error(
		    "worker %u sent what only the master sends", slot + 1);
		places_kill(m->places, slot);
	}
}

static uint64_t
pulse_of(void *arg, uint32_t slot)
{
	struct master *m = arg;

	return counter_get(&counters_worker(m->counters, slot)->pulse_ms);
}

/* Its sessions are lost. */
static void
worker_gone(void *arg, uint32_t slot, bool has_left)
{
	struct master *m = arg;

	counters_worker_gone(m->counters, slot);
	claim_worker_gone(m->claims, slot);
	if (has_left)
		leftovers_begin(m->leftovers, slot);
	else if (!m->stopping)
		counter_add(&counters_master(m->counters)->restarts, 1);
}

static void
worker_leaves(void *arg, uint32_t slot)
{
	struct master *m = arg;

	claim_worker_leaves(m->claims, slot);
}

static void
cannot_start(void *arg)
{
	struct master *m = arg;

	m->exit_code = 1;
	stop_now(m);
}

/* What is looked at once a second. */
static void
tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	log_tend();
	places_watch(m->places, m->config->watchdog);
}

/* --- signals -------------------------------------------------------------- */

static void
chld_cb(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	places_reap(m->places);
	upgrade_reap(m->upgrade);
}

static void
term_cb(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	if (!m->stopping) {
		drain(m);
		return;
	}
	log_info("stopping at once: asked a second time");
	stop_now(m);
}

static void
stop_cb(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)what;
	if (fd != -1)
		log_info("stopping at once: asked to stop");
	else
		log_warn("stopping at once: the drain time is over");
	stop_now(m);
}

static void
token_expired(void *arg)
{
	struct master *m = arg;

	claim_review(m->claims);
}

void
master_reopen_logs(struct master *m)
{
	struct channel_msg msg = { .type = CHANNEL_LOG };

	logs_reopen(m->config);
	for (int which = 0; which < LOG_STREAMS; which++) {
		int fd = log_fd(which);

		msg.id = (uint32_t)which;
		places_send_all(m->places, &msg, fd > STDERR_FILENO ? fd : -1);
	}
}

static void
usr1_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	master_reopen_logs(arg);
}

static void
hup_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	master_reload_soon(arg);
}

static void
usr2_cb(evutil_socket_t fd, short what, void *arg)
{
	char why[MASTER_WHY_MAX];

	(void)fd;
	(void)what;
	if (!master_upgrade(arg, why, sizeof(why)))
		log_error("no upgrade: %s", why);
}

/* --- the operator --------------------------------------------------------- */

/* What ltctl may have done; each is a signal too. */
static void
act(void *arg, enum command_kind kind)
{
	struct master *m = arg;

	if (kind == COMMAND_REOPEN)
		master_reopen_logs(m);
	else if (kind == COMMAND_DRAIN)
		drain(m);
	else if (kind == COMMAND_STOP)
		stop_cb(SIGINT, EV_SIGNAL, m);
}

static bool
reload_now(void *arg, char why[COMMAND_WHY_MAX])
{
	return master_reload(arg, why, COMMAND_WHY_MAX);
}

static bool
begin_upgrade(void *arg, char why[COMMAND_WHY_MAX])
{
	return master_upgrade(arg, why, COMMAND_WHY_MAX);
}

static bool
close_tunnel(void *arg, const char *name)
{
	struct master *m = arg;

	return claim_close(m->claims, name);
}

static bool
show_worker(void *arg, size_t slot, struct places_worker *w)
{
	struct master *m = arg;

	return places_look(m->places, slot, w);
}

static const char *
token_of(void *arg, const struct registry_tunnel *tunnel)
{
	const struct master *m = arg;
	const struct tokens_row *row =
	    tunnel->has_token ? tokens_find(m->tokens, tunnel->token) : NULL;

	return row == NULL ? "" : row->token.name;
}

static bool
is_draining(void *arg)
{
	const struct master *m = arg;

	return m->stopping;
}

static void
start_ctl(struct master *m)
{
	static const struct ctl_ops ops = { act, reload_now, begin_upgrade,
		close_tunnel };
	struct report_source source = {
		.config = m->config,
		.registry = m->registry,
		.counters = m->counters,
		.started_ms = m->started_ms,
		.worker = show_worker,
		.is_draining = is_draining,
		.token = token_of,
		.arg = m,
	};

	if (m->ctl != NULL)
		ctl_start(m->ctl, m->base, &ops, &source);
}

static void
add_signal(struct master *m, int which, int number, event_callback_fn fn)
{
	m->signals[which] = evsignal_new(m->base, number, fn, m);
	if (m->signals[which] == NULL ||
	    event_add(m->signals[which], NULL) == -1)
		fatal("cannot wait for signals");
}

/* Enough descriptors, or a clear word now: a worker that runs out of them can
 * only let visitors wait. */
static void
set_descriptors(const struct config *c)
{
	size_t need = room_need(c, (size_t)c->max_workers * MASTER_GENERATIONS);

	if (c->max_connections == 0) {
		limit_raise_fds();
		if (limit_fds() < need)
			fatal("%zu descriptors are needed at least, and there "
			      "may be %zu: raise the limit (ulimit -n, or "
			      "LimitNOFILE of systemd)",
			    need, limit_fds());
	} else if (limit_set_fds(need) == -1) {
		limit_raise_fds();
		fatal("max-connections = %u needs %zu descriptors, and there "
		      "may be %zu: raise that limit (ulimit -n, or LimitNOFILE "
		      "of systemd), or lower the number",
		    c->max_connections, need, limit_fds());
	}
}

/* What a server has that begins from nothing. */
static void
make_parts(struct master *m)
{
	const struct config *config = m->config;
	size_t slots = (size_t)config->max_workers * MASTER_GENERATIONS;
	char why[TOKENS_WHY_MAX];

	m->keyring = keyring_new(config, why);
	if (m->keyring == NULL)
		fatal("%s", why);
	m->tokens = tokens_new();
	if (!tokens_read(m->tokens, config->tokens, why))
		fatal("%s", why);
	m->bound = bound_new(m->config);
	m->ctl = ctl_new(config);
	m->registry = registry_new(config->max_tunnels);
	m->counters =
	    counters_new(slots, (size_t)config->max_tunnels * REGISTRY_SHARE);
	if (m->registry == NULL || m->counters == NULL)
		fatal("cannot make the shared memory: %s", strerror(errno));
	m->inbox = inbox_new(slots);
	if (m->inbox == NULL)
		fatal("cannot make the inboxes: %s", strerror(errno));
	m->started_ms = clock_ms();
}

struct master *
master_new(struct config *config, struct service *service,
    const struct master_setup *setup, struct handoff *handoff)
{
	struct master *m;

	/* One that comes before there is an event loop is about settings that
	 * are being read anyhow. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	set_descriptors(config);
	m = log_must_alloc(1, sizeof(*m));
	m->config = config;
	m->setup = *setup;
	m->service = service;
	m->handoff = handoff;
	m->upgrade = upgrade_new(setup->argv);
	sandbox_find(&m->sandbox, config);
	m->places =
	    places_new((size_t)config->max_workers * MASTER_GENERATIONS);
	if (handoff == NULL)
		make_parts(m);
	else
		master_take_parts(m);
	return m;
}

/* What needs the event loop, which must not be made before the daemon has
 * gone into the background. */
static void
start(struct master *m)
{
	static const struct claim_ops ops = { send_one, send_all, open_port,
		close_port, pick_worker };
	static const struct places_ops places_ops = { be_worker, worker_forked,
		worker_message, pulse_of, worker_leaves, worker_gone,
		cannot_start, all_gone };
	static const struct timeval second = { .tv_sec = 1 };

	m->base = loop_new();
	if (m->base == NULL)
		fatal("no event loop");
	m->claims =
	    claim_book_new(m->base, m->registry, m->config, m->tokens, &ops, m);
	m->leftovers = leftovers_new(
	    m->base, m->inbox, places_size(m->places), pick_worker, m);
	m->drain_limit = evtimer_new(m->base, stop_cb, m);
	m->tick = event_new(m->base, -1, EV_PERSIST, tick_cb, m);
	if (m->claims == NULL || m->drain_limit == NULL || m->tick == NULL ||
	    event_add(m->tick, &second) == -1)
		fatal("out of memory");
	master_reload_init(m);
	master_upgrade_init(m);
	add_signal(m, SIG_TERM, SIGTERM, term_cb);
	add_signal(m, SIG_INT, SIGINT, stop_cb);
	add_signal(m, SIG_QUIT, SIGQUIT, stop_cb);
	add_signal(m, SIG_CHLD, SIGCHLD, chld_cb);
	add_signal(m, SIG_HUP, SIGHUP, hup_cb);
	add_signal(m, SIG_USR1, SIGUSR1, usr1_cb);
	add_signal(m, SIG_USR2, SIGUSR2, usr2_cb);
	tokens_start(m->tokens, m->base, token_expired, m);
	service_start(m->service, m->base);
	keyring_start(m->keyring, m->base, certs_changed, m);
	start_ctl(m);
	signal(SIGPIPE, SIG_IGN);
	places_start(m->places, m->base, &places_ops, m);
	if (m->handoff == NULL)
		places_want(m->places, m->config->workers);
	else
		master_take_workers(m);
}

int
master_run(struct master *m)
{
	int code;

	log_role("master");
	title_set("ltserver: master");
	log_count(&counters_master(m->counters)->log_dropped,
	    &counters_master(m->counters)->log_left_out);
	start(m);
	event_base_dispatch(m->base);
	code = m->exit_code;
	upgrade_stop(m->upgrade);
	bound_close(m->bound);
	ctl_free(m->ctl);
	m->ctl = NULL;
	forget(m);
	bound_free(m->bound);
	inbox_free(m->inbox);
	log_count(NULL, NULL);
	counters_free(m->counters);
	registry_free(m->registry);
	config_free(m->config);
	free(m);
	log_info("ended");
	return code;
}
