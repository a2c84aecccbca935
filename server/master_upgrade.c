/* SPDX-License-Identifier: ISC
 *
 * Another program in the place of this one, under a server that runs: the same
 * process, the same sockets, the same memory. The workers go on; those of the
 * new program join them, and once they are ready the old ones leave.
 */
#include "server/master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/bound.h"
#include "server/claim.h"
#include "server/config.h"
#include "server/config_pack.h"
#include "server/counters.h"
#include "server/ctl.h"
#include "server/handoff.h"
#include "server/inbox.h"
#include "server/keyring.h"
#include "server/leftover.h"
#include "server/logs.h"
#include "server/master_inside.h"
#include "server/places.h"
#include "server/registry.h"
#include "server/service.h"
#include "server/tokens.h"
#include "server/upgrade.h"

#define EXEC_MS	   20  /* for answers to go out, and messages to workers */
#define EXEC_TRIES 500 /* until those have been read */

/* --- the old program -------------------------------------------------------
 */

/* All that the next program needs; *is_idle: and nothing is on its way to a
 * worker that only this one knows. */
static struct handoff *
save(const struct master *m, bool *is_idle)
{
	struct registry_used used = registry_used(m->registry);
	struct handoff *h = handoff_new();
	json_t *root = handoff_root(h);
	json_t *registry = json_pack("{s:I, s:I}", "generation",
	    (json_int_t)used.generation, "member", (json_int_t)used.member);
	json_t *counters = json_object();

	handoff_put_fd(h, registry, "fd", registry_fd(m->registry));
	handoff_put_fd(h, counters, "fd", counters_fd(m->counters));
	json_object_set_new(root, "registry", registry);
	json_object_set_new(root, "counters", counters);
	json_object_set_new(root, "settings", config_pack(m->config));
	json_object_set_new(
	    root, "started_ms", json_integer((json_int_t)m->started_ms));
	inbox_save(m->inbox, h);
	bound_save(m->bound, h);
	claim_save(m->claims, h);
	tokens_save(m->tokens, h);
	keyring_save(m->keyring, h);
	logs_save(h);
	service_save(m->service, h);
	if (m->ctl != NULL)
		ctl_save(m->ctl, h);
	*is_idle = places_save(m->places, h);
	return h;
}

static void
failed(const char *why)
{
	log_error("no upgrade, this program goes on: %s", why);
	service_reloaded();
}

/* Comes back only if nothing has happened. */
static void
exec_cb(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = clock_span(EXEC_MS);
	struct master *m = arg;
	struct handoff *h;
	bool is_idle;

	(void)fd;
	(void)what;
	if (m->stopping)
		return;
	h = save(m, &is_idle);
	if (is_idle) {
		log_info("upgrade: another program takes over");
		upgrade_exec(m->upgrade, h);
		failed(strerror(errno));
	} else if (++m->exec_tries < EXEC_TRIES) {
		evtimer_add(m->exec, &tv);
	} else {
		failed("a worker does not read what it is told");
	}
	handoff_free(h);
}

static void
checked(void *arg, const char *wrong)
{
	struct timeval tv = clock_span(EXEC_MS);
	struct master *m = arg;

	if (m->ctl != NULL)
		ctl_upgraded(m->ctl, wrong);
	if (wrong != NULL) {
		failed(wrong);
		return;
	}
	m->exec_tries = 0;
	evtimer_add(m->exec, &tv);
}

void
master_upgrade_init(struct master *m)
{
	upgrade_start(m->upgrade, m->base, checked, m);
	m->exec = evtimer_new(m->base, exec_cb, m);
	if (m->exec == NULL)
		fatal("out of memory");
}

bool
master_upgrade(struct master *m, char *why, size_t size)
{
	struct handoff *h;
	bool is_idle, is_asked;

	if (m->stopping) {
		snprintf(why, size, "the server is about to end");
		return false;
	}
	if (upgrade_is_busy(m->upgrade) || evtimer_pending(m->exec, NULL)) {
		snprintf(why, size, "an upgrade is under way");
		return false;
	}
	if (places_generations(m->places) >= MASTER_GENERATIONS ||
	    places_free_n(m->places) < m->config->workers) {
		snprintf(why, size,
		    "workers of earlier upgrades still serve; wait until they "
		    "have left, or stop them");
		return false;
	}
	service_reloading();
	h = save(m, &is_idle);
	is_asked = upgrade_check(m->upgrade, h, why, size);
	handoff_free(h);
	if (!is_asked)
		service_reloaded();
	return is_asked;
}

/* --- the new program -------------------------------------------------------
 */

static uint64_t
number(const json_t *part, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(part, key));
}

void
master_take_parts(struct master *m)
{
	json_t *root = handoff_root(m->handoff);
	const json_t *registry = json_object_get(root, "registry");
	size_t slots = (size_t)m->config->max_workers * MASTER_GENERATIONS;
	size_t tunnels = m->config->max_tunnels;
	struct registry_used used = {
		.generation = (uint32_t)number(registry, "generation"),
		.member = (uint32_t)number(registry, "member"),
	};

	m->keyring = keyring_adopt(m->handoff, m->config);
	m->tokens = tokens_new();
	if (!tokens_adopt(m->tokens, m->handoff))
		fatal("cannot take over the tokens that were handed over");
	m->bound = bound_adopt(m->handoff, m->config);
	m->ctl = ctl_adopt(m->handoff, m->config);
	m->registry =
	    registry_adopt(handoff_take_fd(registry, "fd"), tunnels, used);
	m->counters = counters_adopt(
	    handoff_take_fd(json_object_get(root, "counters"), "fd"), slots,
	    tunnels * REGISTRY_SHARE);
	m->inbox = inbox_adopt(m->handoff, slots);
	m->started_ms = number(root, "started_ms");
	if (m->bound == NULL || m->registry == NULL || m->counters == NULL ||
	    m->inbox == NULL)
		fatal("cannot take over what was handed over");
}

static void
take_port(void *arg, bool is_tcp, uint16_t port)
{
	struct master *m = arg;

	bound_port_adopt(m->bound, is_tcp, port);
}

/* The settings in force are those of the program before; those of today take
 * their place in the way that they always do, and with them come the workers.
 * If those of today are no good by now, all goes on with what was handed over;
 * the old program is gone, so nothing that a file says may end this one. */
void
master_take_workers(struct master *m)
{
	struct places_worker w;
	char why[MASTER_WHY_MAX];
	sigset_t none;

	claim_adopt(m->claims, m->handoff, take_port);
	/* Before anything that workers have to hear. */
	places_adopt(m->places, m->handoff);
	/* The time of some may be over; and to count. */
	claim_review(m->claims);
	for (size_t i = 0; places_look(m->places, i, &w); i++)
		if (w.state == NULL)
			leftovers_begin(m->leftovers, (uint32_t)i);
	handoff_free(m->handoff);
	m->handoff = NULL;
	log_info("upgrade: this program has taken over version=" LT_VERSION);
	if (!master_reload(m, why, sizeof(why)))
		places_want(m->places, m->config->workers);
	/* They were blocked by the program before. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Who died meanwhile. */
	places_reap(m->places);
}
