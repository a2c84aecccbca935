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
#include "common/tls.h"
#include "server/bound.h"
#include "server/channel.h"
#include "server/claim.h"
#include "server/config.h"
#include "server/config_pack.h"
#include "server/counters.h"
#include "server/ctl.h"
#include "server/inbox.h"
#include "server/keyring.h"
#include "server/leftover.h"
#include "server/logs.h"
#include "server/places.h"
#include "server/registry.h"
#include "server/reload.h"
#include "server/sandbox.h"
#include "server/service.h"
#include "server/title.h"
#include "server/worker.h"

#define MASTER_GENERATIONS 3   /* of workers that there can be at once */
#define MASTER_RELOAD_MS   100 /* after HUP */
#define MASTER_WHY_MAX	   256

_Static_assert(WORKER_CANNOT_START == PLACES_CANNOT_START, "the exit code");
_Static_assert(REGISTRY_NO_WORKER == UINT32_MAX, "what places_pick() says");

enum { SIG_TERM, SIG_INT, SIG_QUIT, SIG_CHLD, SIG_HUP, SIG_USR1, SIG_N };

struct master {
	struct config *config; /* owned */
	reload_read_fn *read;  /* reads the settings again */
	void *read_arg;
	struct service *service;
	struct ctl *ctl;	/* NULL: no socket for it */
	struct sandbox sandbox; /* for the workers */
	struct event_base *base;
	struct event *signals[SIG_N];
	struct event *drain_limit;
	struct event *reload; /* in a moment */
	struct bound *bound;
	struct keyring *keyring;
	struct registry *registry;
	struct counters *counters;
	struct inbox *inbox;
	struct leftovers *leftovers;
	struct claim_book *claims;
	struct places *places; /* of the workers */
	bool stopping;
	int exit_code;
};

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

/* --- the end ---------------------------------------------------------------
 */

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

	event_base_loopexit(m->base, NULL);
}

/* Leaves everything that has events behind, in a child just forked too. */
static void
forget(struct master *m)
{
	for (int i = 0; i < SIG_N; i++)
		event_free(m->signals[i]);
	event_free(m->drain_limit);
	event_free(m->reload);
	keyring_free(m->keyring);
	places_free(m->places);
	leftovers_free(m->leftovers);
	claim_book_free(m->claims);
	ctl_forget(m->ctl);
	event_base_free(m->base);
}

/* --- the workers -----------------------------------------------------------
 */

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

static void
certs_changed(void *arg)
{
	static const struct channel_msg msg = { .type = CHANNEL_CERTS };
	struct master *m = arg;

	if (keyring_fd(m->keyring) != -1)
		places_send_all(m->places, &msg, keyring_fd(m->keyring));
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

/* --- signals ---------------------------------------------------------------
 */

static void
chld_cb(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	places_reap(m->places);
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

/* Opens the logs anew and hands them to the workers. */
static void
reopen_logs(struct master *m)
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
	reopen_logs(arg);
}

/* --- other settings --------------------------------------------------------
 */

static void
listener_changed(void *arg, uint16_t slot, int fd)
{
	struct channel_msg msg = { .type = CHANNEL_LISTENER, .id = slot };
	struct master *m = arg;

	places_send_all(m->places, &msg, fd);
}

/* Puts settings in force that nothing can be wrong with any more. Workers get
 * them first, and then what they speak of. */
static void
apply(struct master *m, struct config *fresh, int fd)
{
	static const struct channel_msg msg = { .type = CHANNEL_CONFIG };
	struct config *old = m->config;

	m->config = fresh;
	log_set_level(fresh->log_level);
	claim_use(m->claims, fresh);
	if (m->ctl != NULL)
		ctl_use(m->ctl, fresh);
	places_send_all(m->places, &msg, fd);
	bound_commit(m->bound, listener_changed, m);
	certs_changed(m);
	if (!logs_are_same(old, fresh))
		reopen_logs(m);
	places_want(m->places, fresh->workers);
	config_free(old);
}

/* What can fail comes first, and leaves nothing behind if it does. */
static bool
prepare(struct master *m, struct config *fresh, int *fd, char *why, size_t size)
{
	char wrong[LOGS_WHY_MAX];

	if (!logs_check(fresh, wrong) ||
	    !bound_prepare(m->bound, fresh, wrong)) {
		snprintf(why, size, "%.*s", (int)size - 1, wrong);
		return false;
	}
	if ((*fd = config_seal(fresh)) == -1)
		snprintf(why, size, "cannot put them by: %s", strerror(errno));
	else if (keyring_read(m->keyring, fresh, wrong))
		return true;
	else
		snprintf(why, size, "%.*s", (int)size - 1, wrong);
	if (*fd != -1)
		close(*fd);
	bound_cancel(m->bound);
	return false;
}

/* False with `why`, and all is as it was. */
static bool
reload(struct master *m, char *why, size_t size)
{
	struct config *fresh;
	int fd;

	event_del(m->reload);
	if (m->stopping) {
		snprintf(why, size, "the server is about to end");
		return false;
	}
	fresh = reload_read(m->read, m->read_arg, m->config, why, size);
	if (fresh == NULL)
		return false;
	if (!prepare(m, fresh, &fd, why, size)) {
		log_error("settings stay as they were: %s", why);
		config_free(fresh);
		return false;
	}
	apply(m, fresh, fd);
	close(fd);
	log_info("settings read again");
	return true;
}

static void
reload_cb(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	char why[MASTER_WHY_MAX];

	(void)fd;
	(void)what;
	service_reloading();
	(void)reload(m, why, sizeof(why));
	service_reloaded();
}

/* Those who ask in a row are answered once. */
static void
hup_cb(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = clock_span(MASTER_RELOAD_MS);
	struct master *m = arg;

	(void)fd;
	(void)what;
	if (!m->stopping && !evtimer_pending(m->reload, NULL))
		evtimer_add(m->reload, &tv);
}

/* --- the operator ----------------------------------------------------------
 */

/* What ltctl may have done; each is a signal too. */
static void
act(void *arg, enum command_kind kind)
{
	struct master *m = arg;

	if (kind == COMMAND_REOPEN)
		reopen_logs(m);
	else if (kind == COMMAND_DRAIN)
		drain(m);
	else if (kind == COMMAND_STOP)
		stop_cb(SIGINT, EV_SIGNAL, m);
}

static bool
reload_now(void *arg, char why[COMMAND_WHY_MAX])
{
	return reload(arg, why, COMMAND_WHY_MAX);
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

static bool
is_draining(void *arg)
{
	const struct master *m = arg;

	return m->stopping;
}

static void
start_ctl(struct master *m)
{
	static const struct ctl_ops ops = { act, reload_now, close_tunnel };
	struct report_source source = {
		.config = m->config,
		.registry = m->registry,
		.counters = m->counters,
		.started_ms = clock_ms(),
		.worker = show_worker,
		.is_draining = is_draining,
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

struct master *
master_new(struct config *config, struct service *service,
    reload_read_fn *read, void *read_arg)
{
	struct master *m = log_must_alloc(1, sizeof(*m));
	char why[TLS_WHY_MAX];
	size_t slots;

	/* One that comes before there is an event loop is about settings that
	 * are being read anyhow. */
	signal(SIGHUP, SIG_IGN);
	limit_raise_fds();
	m->config = config;
	m->read = read;
	m->read_arg = read_arg;
	m->service = service;
	sandbox_find(&m->sandbox, config);
	m->keyring = keyring_new(config, why);
	if (m->keyring == NULL)
		fatal("%s", why);
	m->bound = bound_new(config);
	m->ctl = ctl_new(config);
	slots = (size_t)config->max_workers * MASTER_GENERATIONS;
	m->places = places_new(slots);
	m->registry = registry_new(config->max_tunnels);
	m->counters =
	    counters_new(slots, (size_t)config->max_tunnels * REGISTRY_SHARE);
	if (m->registry == NULL || m->counters == NULL)
		fatal("cannot make the shared memory: %s", strerror(errno));
	m->inbox = inbox_new(slots);
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
	static const struct places_ops places_ops = { be_worker, worker_forked,
		worker_message, worker_leaves, worker_gone, cannot_start,
		all_gone };

	m->base = event_base_new();
	if (m->base == NULL)
		fatal("no event loop");
	m->claims = claim_book_new(m->base, m->registry, m->config, &ops, m);
	m->leftovers = leftovers_new(
	    m->base, m->inbox, places_size(m->places), pick_worker, m);
	m->drain_limit = evtimer_new(m->base, stop_cb, m);
	m->reload = evtimer_new(m->base, reload_cb, m);
	if (m->claims == NULL || m->drain_limit == NULL || m->reload == NULL)
		fatal("out of memory");
	add_signal(m, SIG_TERM, SIGTERM, term_cb);
	add_signal(m, SIG_INT, SIGINT, stop_cb);
	add_signal(m, SIG_QUIT, SIGQUIT, stop_cb);
	add_signal(m, SIG_CHLD, SIGCHLD, chld_cb);
	add_signal(m, SIG_HUP, SIGHUP, hup_cb);
	add_signal(m, SIG_USR1, SIGUSR1, usr1_cb);
	service_start(m->service, m->base);
	keyring_start(m->keyring, m->base, certs_changed, m);
	start_ctl(m);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	places_start(m->places, m->base, &places_ops, m);
	places_want(m->places, m->config->workers);
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
