/* SPDX-License-Identifier: ISC */
#include "server/master.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/limit.h"
#include "common/log.h"
#include "common/tls.h"
#include "server/bound.h"
#include "server/channel.h"
#include "server/claim.h"
#include "server/config.h"
#include "server/counters.h"
#include "server/inbox.h"
#include "server/keyring.h"
#include "server/logs.h"
#include "server/public.h"
#include "server/registry.h"
#include "server/sandbox.h"
#include "server/service.h"
#include "server/title.h"
#include "server/worker.h"

#define MASTER_GENERATIONS  3 /* of workers that there can be at once */
#define WORKER_CANNOT_START 2 /* a worker that cannot start with this setup */
#define MASTER_QUICK_MS	    1000  /* died so soon: wait before the next */
#define MASTER_STEADY_MS    10000 /* alive so long: forget earlier deaths */
#define MASTER_DELAY_MAX_S  30

/* What a worker slot is at. */
enum place {
	PLACE_EMPTY,	/* no process, none wanted yet */
	PLACE_STARTING, /* forked, not ready */
	PLACE_READY,
	PLACE_WAITING, /* dead; its timer is set */
};

struct place_row {
	struct master *master;
	enum place at;
	pid_t pid;
	uint32_t slot;
	struct channel *channel;
	struct event *timer; /* of the respawn */
	uint64_t ready_ms;   /* when it became ready, 0: never yet */
	unsigned delay_s;    /* before the next attempt */
};

enum { SIG_TERM, SIG_INT, SIG_QUIT, SIG_CHLD, SIG_HUP, SIG_USR1, SIG_N };

struct master {
	const struct config *config;
	struct service *service;
	struct sandbox sandbox; /* for the workers */
	struct event_base *base;
	struct event *signals[SIG_N];
	struct event *drain_limit;
	struct bound *bound;
	struct public *public;
	struct keyring *keyring;
	struct registry *registry;
	struct counters *counters;
	struct inbox *inbox;
	struct claim_book *claims;
	size_t picked; /* the worker that got the last orphan */
	struct place_row *workers;
	size_t workers_n; /* slots */
	bool stopping;
	bool was_ready; /* some worker has been ready */
	bool was_cut;	/* stop_now() has killed the workers */
	int exit_code;
};

static void spawn(struct place_row *);

static void
send_one(void *arg, uint32_t worker, const struct channel_msg *msg, int fd)
{
	struct master *m = arg;

	if (worker < m->workers_n && m->workers[worker].channel != NULL)
		channel_send(m->workers[worker].channel, msg, fd);
}

static void
send_all_fd(struct master *m, const struct channel_msg *msg, int fd)
{
	for (uint32_t i = 0; i < m->workers_n; i++)
		send_one(m, i, msg, fd);
}

static void
send_all(void *arg, const struct channel_msg *msg)
{
	send_all_fd(arg, msg, -1);
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

/* The next worker in turn that is ready. */
static uint32_t
pick_worker(void *arg)
{
	struct master *m = arg;

	for (size_t i = 0; i < m->workers_n && !m->stopping; i++) {
		m->picked = (m->picked + 1) % m->workers_n;
		if (m->workers[m->picked].at == PLACE_READY)
			return (uint32_t)m->picked;
	}
	return REGISTRY_NO_WORKER;
}

/* The certificates, if there are any. */
static void
send_certs(struct place_row *p)
{
	static const struct channel_msg msg = { .type = CHANNEL_CERTS };
	int fd = keyring_fd(p->master->keyring);

	if (fd != -1 && p->channel != NULL)
		channel_send(p->channel, &msg, fd);
}

static void
certs_changed(void *arg)
{
	struct master *m = arg;

	for (size_t i = 0; i < m->workers_n; i++)
		send_certs(&m->workers[i]);
}

static void
worker_message(void *arg, const struct channel_msg *msg, int fd)
{
	struct place_row *p = arg;
	struct master *m = p->master;

	if (fd != -1)
		close(fd);
	switch (msg->type) {
	case CHANNEL_READY:
		p->at = PLACE_READY;
		p->ready_ms = clock_ms();
		m->was_ready = true;
		service_ready(m->service);
		log_info("worker %u is ready pid=%d", p->slot + 1, (int)p->pid);
		claim_worker_ready(m->claims, p->slot);
		return;
	case CHANNEL_EMPTY:
		claim_empty(m->claims, p->slot, msg->empty.session,
		    msg->empty.is_empty);
		return;
	case CHANNEL_CLAIM:
		claim_answer(m->claims, p->slot, msg->id, &msg->claim);
		return;
	case CHANNEL_DOWN:
		claim_down(
		    m->claims, p->slot, msg->down.session, msg->down.cause);
		return;
	default:
		log_error(
		    "worker %u sent what only the master sends", p->slot + 1);
		kill(p->pid, SIGKILL);
	}
}

/* A worker that does not read, or sends nonsense, is replaced; of one that
 * has died SIGCHLD tells. */
static void
worker_closed(void *arg, const char *why)
{
	struct place_row *p = arg;

	log_debug("channel of worker %u closed: %s", p->slot + 1, why);
	channel_free(p->channel);
	p->channel = NULL;
	if (p->pid != 0 && !p->master->stopping)
		kill(p->pid, SIGKILL);
}

/* Leaves everything of the master behind, in a child just forked. */
static void
forget(struct master *m)
{
	event_reinit(m->base);
	for (int i = 0; i < SIG_N; i++)
		event_free(m->signals[i]);
	event_free(m->drain_limit);
	keyring_free(m->keyring);
	for (size_t i = 0; i < m->workers_n; i++) {
		channel_free(m->workers[i].channel);
		event_free(m->workers[i].timer);
	}
	claim_book_free(m->claims);
	event_base_free(m->base);
}

static _Noreturn void
be_worker(struct place_row *p, int channel_fd, const sigset_t *mask)
{
	struct master *m = p->master;
	struct worker_start start = {
		.config = m->config,
		.registry = m->registry,
		.counters = m->counters,
		.inbox = m->inbox,
		.public = m->public,
		.slot = p->slot,
		.channel_fd = channel_fd,
		.sandbox = &m->sandbox,
	};

	start.listen_fds = bound_listeners(m->bound, &start.listen_n);
	service_forget(m->service);
	forget(m);
	sigprocmask(SIG_SETMASK, mask, NULL);
	exit(worker_run(&start));
}

/* Fills the place again after the delay that earlier quick deaths have
 * earned; another quick one makes it longer. */
static void
respawn(struct place_row *p, bool was_quick)
{
	struct timeval tv = { .tv_sec = p->delay_s };

	p->at = PLACE_WAITING;
	evtimer_add(p->timer, &tv);
	if (!was_quick)
		return;
	p->delay_s = p->delay_s == 0 ? 1 : p->delay_s * 2;
	if (p->delay_s > MASTER_DELAY_MAX_S)
		p->delay_s = MASTER_DELAY_MAX_S;
}

/* Forks the worker of a slot. Signals are blocked meanwhile: a handler that
 * runs in the child would write into the master's pipe. */
static void
spawn(struct place_row *p)
{
	static const struct channel_ops ops = { worker_message, worker_closed };
	sigset_t all, mask;
	int fds[2];

	if (channel_pair(fds) == -1) {
		log_error(
		    "cannot start worker %u: %s", p->slot + 1, strerror(errno));
		respawn(p, true);
		return;
	}
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask);
	p->pid = fork();
	if (p->pid == 0) {
		close(fds[0]);
		be_worker(p, fds[1], &mask);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(fds[1]);
	p->ready_ms = 0;
	if (p->pid == -1) {
		log_error(
		    "cannot fork worker %u: %s", p->slot + 1, strerror(errno));
		p->pid = 0;
		close(fds[0]);
		respawn(p, true);
		return;
	}
	p->at = PLACE_STARTING;
	p->channel = channel_new(p->master->base, fds[0], &ops, p);
	if (p->channel == NULL)
		fatal("out of memory");
	send_certs(p);
}

static void
respawn_cb(evutil_socket_t fd, short what, void *arg)
{
	struct place_row *p = arg;

	(void)fd;
	(void)what;
	if (!p->master->stopping)
		spawn(p);
}

static bool
any_left(const struct master *m)
{
	for (size_t i = 0; i < m->workers_n; i++)
		if (m->workers[i].pid != 0)
			return true;
	return false;
}

static void
stop_now(struct master *m)
{
	if (!m->stopping)
		service_stopping();
	m->stopping = true;
	m->was_cut = true;
	for (size_t i = 0; i < m->workers_n; i++)
		if (m->workers[i].pid != 0)
			kill(m->workers[i].pid, SIGKILL);
	if (!any_left(m))
		event_base_loopexit(m->base, NULL);
}

/* What a worker's death means: its sessions are lost, its place is filled
 * again, sooner or later. */
static void
bury(struct place_row *p, int status)
{
	struct master *m = p->master;
	uint64_t now = clock_ms();
	uint64_t lived_ms = p->ready_ms == 0 ? 0 : now - p->ready_ms;

	if (WIFSIGNALED(status) && m->was_cut)
		log_debug("worker %u killed pid=%d", p->slot + 1, (int)p->pid);
	else if (WIFSIGNALED(status))
		log_error("worker %u died pid=%d signal=%d", p->slot + 1,
		    (int)p->pid, WTERMSIG(status));
	else if (!m->stopping)
		log_error("worker %u died pid=%d exit=%d", p->slot + 1,
		    (int)p->pid, WEXITSTATUS(status));
	channel_free(p->channel);
	p->channel = NULL;
	p->pid = 0;
	p->at = PLACE_EMPTY;
	counters_worker_gone(m->counters, p->slot);
	claim_worker_gone(m->claims, p->slot);
	if (m->stopping)
		return;
	if (!m->was_ready && WIFEXITED(status) &&
	    WEXITSTATUS(status) == WORKER_CANNOT_START) {
		log_error("worker %u cannot start: giving up", p->slot + 1);
		m->exit_code = 1;
		stop_now(m);
		return;
	}
	counter_add(&counters_master(m->counters)->restarts, 1);
	if (lived_ms >= MASTER_STEADY_MS)
		p->delay_s = 0;
	respawn(p, lived_ms < MASTER_QUICK_MS);
}

static void
chld_cb(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	int status;
	pid_t pid;

	(void)fd;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < m->workers_n; i++)
			if (m->workers[i].pid == pid) {
				bury(&m->workers[i], status);
				break;
			}
	if (m->stopping && !any_left(m))
		event_base_loopexit(m->base, NULL);
}

static void
term_cb(evutil_socket_t fd, short what, void *arg)
{
	static const struct channel_msg drain = { .type = CHANNEL_DRAIN };
	struct master *m = arg;
	struct timeval limit = { .tv_sec = m->config->drain + 1 };

	(void)fd;
	(void)what;
	if (m->stopping) {
		log_info("stopping at once: asked a second time");
		stop_now(m);
		return;
	}
	log_info("draining: asked to stop");
	m->stopping = true;
	service_stopping();
	bound_close(m->bound);
	send_all(m, &drain);
	evtimer_add(m->drain_limit, &limit);
	if (!any_left(m))
		event_base_loopexit(m->base, NULL);
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
hup_cb(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	keyring_reload(m->keyring);
}

/* Opens the logs anew and hands them to the workers. */
static void
reopen_logs(struct master *m)
{
	struct channel_msg msg = { .type = CHANNEL_LOG };

	logs_reopen(m->config);
	for (int which = 0; which < LOG_STREAMS; which++) {
		msg.id = (uint32_t)which;
		if (log_fd(which) > STDERR_FILENO)
			send_all_fd(m, &msg, log_fd(which));
	}
}

static void
usr1_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	reopen_logs(arg);
}

static void
add_signal(struct master *m, int which, int number, event_callback_fn fn)
{
	m->signals[which] = evsignal_new(m->base, number, fn, m);
	if (m->signals[which] == NULL ||
	    event_add(m->signals[which], NULL) == -1)
		fatal("cannot wait for signals");
}

struct master *
master_new(const struct config *config, struct service *service)
{
	struct master *m = log_must_alloc(1, sizeof(*m));
	char why[TLS_WHY_MAX];

	/* One that comes before there is an event loop is about settings that
	 * are being read anyhow. */
	signal(SIGHUP, SIG_IGN);
	limit_raise_fds();
	m->config = config;
	m->service = service;
	sandbox_find(&m->sandbox, config);
	m->keyring = keyring_new(config, why);
	if (m->keyring == NULL)
		fatal("%s", why);
	m->public = public_new(config);
	m->bound = bound_new(config, m->public);
	m->workers_n = (size_t)config->max_workers * MASTER_GENERATIONS;
	m->workers = log_must_alloc(m->workers_n, sizeof(*m->workers));
	m->registry = registry_new(config->max_tunnels);
	m->counters = counters_new(
	    m->workers_n, (size_t)config->max_tunnels * REGISTRY_SHARE);
	if (m->registry == NULL || m->counters == NULL)
		fatal("cannot make the shared memory: %s", strerror(errno));
	m->inbox = inbox_new(m->workers_n);
	if (m->inbox == NULL)
		fatal("cannot make the inboxes: %s", strerror(errno));
	return m;
}

/* What needs the event loop, which must not be made before the daemon has
 * gone into the background. */
static void
start(struct master *m)
{
	static const struct claim_ops ops = { send_one, send_all, open_port,
		close_port, pick_worker };

	m->base = event_base_new();
	if (m->base == NULL)
		fatal("no event loop");
	m->claims = claim_book_new(m->base, m->registry, m->config, &ops, m);
	m->drain_limit = evtimer_new(m->base, stop_cb, m);
	if (m->claims == NULL || m->drain_limit == NULL)
		fatal("out of memory");
	add_signal(m, SIG_TERM, SIGTERM, term_cb);
	add_signal(m, SIG_INT, SIGINT, stop_cb);
	add_signal(m, SIG_QUIT, SIGQUIT, stop_cb);
	add_signal(m, SIG_CHLD, SIGCHLD, chld_cb);
	add_signal(m, SIG_HUP, SIGHUP, hup_cb);
	add_signal(m, SIG_USR1, SIGUSR1, usr1_cb);
	service_start(m->service, m->base);
	keyring_start(m->keyring, m->base, certs_changed, m);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	for (size_t i = 0; i < m->workers_n; i++) {
		struct place_row *p = &m->workers[i];

		p->master = m;
		p->slot = (uint32_t)i;
		p->timer = evtimer_new(m->base, respawn_cb, p);
		if (p->timer == NULL)
			fatal("out of memory");
	}
	for (unsigned i = 0; i < m->config->workers; i++)
		spawn(&m->workers[i]);
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
	bound_close(m->bound);
	forget(m);
	bound_free(m->bound);
	inbox_free(m->inbox);
	log_count(NULL, NULL);
	counters_free(m->counters);
	registry_free(m->registry);
	public_free(m->public);
	free(m->workers);
	free(m);
	log_info("ended");
	return code;
}
