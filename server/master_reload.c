/* SPDX-License-Identifier: ISC
 *
 * Other settings under a server that runs. All that can fail is tried first;
 * then they are put in force everywhere, in an order in which nobody speaks of
 * what somebody else does not know yet.
 */
#include "server/master.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/bound.h"
#include "server/channel.h"
#include "server/claim.h"
#include "server/config.h"
#include "server/config_pack.h"
#include "server/ctl.h"
#include "server/keyring.h"
#include "server/logs.h"
#include "server/master_inside.h"
#include "server/places.h"
#include "server/reload.h"
#include "server/service.h"
#include "server/tokens.h"

#define RELOAD_MS 100 /* after HUP */

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
apply(struct master *m, struct config *fresh, int fd, struct tokens *tokens)
{
	static const struct channel_msg msg = { .type = CHANNEL_CONFIG };
	struct config *old = m->config;

	m->config = fresh;
	log_set_level(fresh->log_level);
	claim_use(m->claims, fresh);
	tokens_use(m->tokens, tokens);
	if (m->ctl != NULL)
		ctl_use(m->ctl, fresh);
	places_send_all(m->places, &msg, fd);
	bound_commit(m->bound, listener_changed, m);
	master_send_certs(m);
	if (!logs_are_same(old, fresh))
		master_reopen_logs(m);
	claim_review(m->claims);
	places_want(m->places, fresh->workers);
	config_free(old);
}

/* What can fail comes first, and leaves nothing behind if it does. */
static bool
prepare(struct master *m, struct config *fresh, int *fd, char *why, size_t size)
{
	char wrong[LOGS_WHY_MAX];

	if ((!logs_are_same(m->config, fresh) && !logs_check(fresh, wrong)) ||
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

/* The tokens of other settings; NULL with `why`. */
static struct tokens *
read_tokens(const struct config *fresh, char *why, size_t size)
{
	struct tokens *tokens = tokens_new();
	char wrong[TOKENS_WHY_MAX];

	if (tokens_read(tokens, fresh->tokens, wrong))
		return tokens;
	snprintf(why, size, "%.*s", (int)size - 1, wrong);
	tokens_free(tokens);
	return NULL;
}

bool
master_reload(struct master *m, char *why, size_t size)
{
	struct tokens *tokens;
	struct config *fresh;
	int fd;

	event_del(m->reload);
	if (m->stopping) {
		snprintf(why, size, "the server is about to end");
		return false;
	}
	fresh = reload_read(m->setup.read, m->setup.arg, m->config, why, size);
	if (fresh == NULL)
		return false;
	if ((tokens = read_tokens(fresh, why, size)) == NULL ||
	    !prepare(m, fresh, &fd, why, size)) {
		log_error("settings stay as they were: %s", why);
		tokens_free(tokens);
		config_free(fresh);
		return false;
	}
	apply(m, fresh, fd, tokens);
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
	(void)master_reload(m, why, sizeof(why));
	service_reloaded();
}

void
master_reload_init(struct master *m)
{
	m->reload = evtimer_new(m->base, reload_cb, m);
	if (m->reload == NULL)
		fatal("out of memory");
}

/* Those who ask in a row are answered once. */
void
master_reload_soon(struct master *m)
{
	struct timeval tv = clock_span(RELOAD_MS);

	if (!m->stopping && !evtimer_pending(m->reload, NULL))
		evtimer_add(m->reload, &tv);
}
