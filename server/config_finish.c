/* SPDX-License-Identifier: ISC
 *
 * The last step of the settings: what depends on the machine or on other
 * settings is filled in, and the whole is checked. It opens nothing.
 */
#define _GNU_SOURCE

#include "server/config.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "server/config_text.h"

#define SESSIONS_MAX   4 /* unless more are asked for */
#define DEFAULT_LISTEN "8000"

/* One worker a core that we may run on, as far as allowed. */
static unsigned
count_workers(unsigned max)
{
	cpu_set_t set;
	unsigned n;

	/* It fails on a machine with more cores than a cpu_set_t holds. */
	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return max;
	n = (unsigned)CPU_COUNT(&set);
	return n < max ? n : max;
}

/* What numbers and pairs must be to each other; NULL, or a sentence about what
 * they are not. */
static const char *
contradiction(const struct config *c, char *why, size_t why_size)
{
	if (c->workers > c->max_workers)
		snprintf(why, why_size,
		    "workers (%u) is more than max-workers (%u)", c->workers,
		    c->max_workers);
	else if (c->pool_idle > c->pool_idle_max)
		snprintf(why, why_size,
		    "pool-idle (%u) is more than pool-idle-max (%u)",
		    c->pool_idle, c->pool_idle_max);
	else if (c->certificates.n != c->keys.n)
		snprintf(why, why_size,
		    "tls-certificate (%zu) and tls-key (%zu) come in pairs: "
		    "name a key for each certificate, in the same order",
		    c->certificates.n, c->keys.n);
	else
		return NULL;
	return why;
}

/* All the kinds that some listener takes; TLS only if there is a
 * certificate. */
static unsigned
kinds_of_all(const struct config *c)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < c->listen_n; i++)
		kinds |= c->listen[i].kinds;
	return c->certificates.n > 0 ? kinds : kinds & ~(unsigned)CONFIG_TLS;
}

/* True if no connection can come in by a listener, since nobody may say in a
 * PROXY header who is calling. */
static bool
trusts_nobody(const struct config *c)
{
	bool has_header = false;

	for (size_t i = 0; i < c->listen_n; i++)
		has_header |= c->listen[i].proxy_protocol;
	return has_header && c->trusted_proxies.list.n == 0;
}

/* What wants TLS, or the listeners, cannot have; NULL or a sentence. */
static const char *
unreachable(const struct config *c)
{
	unsigned kinds = kinds_of_all(c);
	bool has_tls = (kinds & CONFIG_TLS) != 0;

	if (c->redirect_to_https && c->certificates.n == 0)
		return "redirect-to-https = yes needs a certificate: set "
		       "tls-certificate and tls-key";
	if (c->backend_tls_required && c->certificates.n == 0)
		return "backend-tls = required needs a certificate: set "
		       "tls-certificate and tls-key";
	if (c->redirect_to_https && !has_tls)
		return "redirect-to-https = yes needs a listener that has tls "
		       "among its kinds";
	if (c->backend_tls_required && !has_tls)
		return "backend-tls = required needs a listener that has tls "
		       "among its kinds";
	if (trusts_nobody(c))
		return "listen: proxy-protocol = yes needs trusted-proxies: "
		       "name the networks of the proxies";
	if (!has_tls && (kinds & CONFIG_LTP) == 0)
		return "listen: clients can come in nowhere: that needs a "
		       "listener that has ltp, or tls and a certificate, among "
		       "its kinds";
	return NULL;
}

/* True while nobody but this machine can reach us, nor through a proxy on it.
 */
static bool
is_local(const struct config *c)
{
	for (size_t i = 0; i < c->listen_n; i++)
		if (!net_addr_is_loopback(&c->listen[i].addr) ||
		    c->listen[i].public.scheme != NULL)
			return false;
	return true;
}

/* Whoever can reach a server without tokens can open tunnels: that must be
 * wanted. NULL or a sentence. */
static const char *
unguarded(const struct config *c, char *why, size_t why_size)
{
	char text[NET_TEXT_MAX];

	if (c->open || strcmp(c->tokens, CONFIG_TEXT_NONE) != 0)
		return NULL;
	for (size_t i = 0; i < c->listen_n; i++) {
		if (net_addr_is_loopback(&c->listen[i].addr))
			continue;
		snprintf(why, why_size,
		    "listen: %s can be reached by others, who could open "
		    "tunnels: set tokens to a file of tokens (ltctl token add "
		    "makes one), or say open = yes if everybody may",
		    net_addr_text(&c->listen[i].addr, text));
		return why;
	}
	return NULL;
}

int
config_finish(struct config *c, char *why, size_t why_size)
{
	const char *wrong = contradiction(c, why, why_size);

	if (wrong != NULL)
		return -1;
	if (c->workers == 0)
		c->workers = count_workers(c->max_workers);
	if (c->sessions == 0)
		c->sessions =
		    c->workers < SESSIONS_MAX ? c->workers : SESSIONS_MAX;
	config_text_finish(c);
	if (c->listen_n == 0 &&
	    config_set(c, "listen", DEFAULT_LISTEN, why, why_size) == -1)
		return -1;
	if (c->node_api == CONFIG_NODE_AUTO)
		c->node_api = is_local(c) ? CONFIG_NODE_YES : CONFIG_NODE_NO;
	wrong = unreachable(c);
	if (wrong == NULL && !c->foreground &&
	    strcmp(c->log, CONFIG_TEXT_STDERR) == 0)
		wrong = "log = stderr needs -f: a daemon has no standard error";
	if (wrong == NULL)
		wrong = unguarded(c, why, why_size);
	if (wrong == why)
		return -1;
	if (wrong == NULL)
		return 0;
	snprintf(why, why_size, "%s", wrong);
	return -1;
}
