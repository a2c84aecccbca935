/* SPDX-License-Identifier: ISC
 *
 * Looks host names up with evdns. Called by dial only.
 *
 * A look-up owns its evdns_base. That base is freed in a turn of the loop in
 * which evdns has nothing more to say: a look-up that nobody waits for any
 * more is therefore not cancelled, but left to end by itself, which its
 * timeouts see to.
 */
#include "client/resolve.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"

struct resolve {
	resolve_fn fn; /* NULL once it was called or nobody waits */
	void *arg;
	struct evdns_base *dns;
	struct event timer;  /* first the deadline for fn */
	struct event finish; /* frees it all */
	struct net_addr addrs[RESOLVE_MAX];
	size_t n;
	const char *why;
};

static bool
is_localhost(const char *host)
{
	size_t len = strlen(host);

	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len < 9 || strncasecmp(host + len - 9, "localhost", 9) != 0)
		return false;
	return len == 9 || host[len - 10] == '.';
}

size_t
resolve_now(const char *host, uint16_t port, struct net_addr addrs[RESOLVE_MAX])
{
	if (net_addr_from(&addrs[0], host, port) == 0)
		return 1;
	if (!is_localhost(host))
		return 0;
	net_addr_from(&addrs[0], "::1", port);
	net_addr_from(&addrs[1], "127.0.0.1", port);
	return 2;
}

/* Tells who asked, once; the look-up itself may have to live on. */
static void
tell(struct resolve *look, const char *why)
{
	resolve_fn fn = look->fn;

	look->fn = NULL;
	evtimer_del(&look->timer);
	if (fn != NULL)
		fn(look->arg, look->addrs, look->n, why);
}

static void
deadline_cb(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tell(arg, "no answer from the name server");
}

static void
finish_cb(int fd, short what, void *arg)
{
	struct resolve *look = arg;

	(void)fd;
	(void)what;
	evdns_base_free(look->dns, 0);
	look->dns = NULL;
	tell(look, look->why);
	free(look);
}

static void
answer_cb(int error, struct evutil_addrinfo *list, void *arg)
{
	struct resolve *look = arg;
	const struct evutil_addrinfo *ai;
	struct timeval now = { 0, 0 };

	for (ai = list; ai != NULL && look->n < RESOLVE_MAX; ai = ai->ai_next)
		if (net_addr_copy(&look->addrs[look->n], ai->ai_addr,
			ai->ai_addrlen) == 0)
			look->n++;
	if (list != NULL)
		evutil_freeaddrinfo(list);
	if (error == 0 || error == EVUTIL_EAI_NONAME ||
	    error == EVUTIL_EAI_NODATA)
		look->why = "there is no such host";
	else
		look->why = "no answer from the name server";
	evtimer_add(&look->finish, &now);
}

/* An evdns_base that always comes to an end, also with no name server. */
static struct evdns_base *
new_dns(struct event_base *base)
{
	struct evdns_base *dns =
	    evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);

	if (dns == NULL)
		return NULL;
	if (evdns_base_resolv_conf_parse(
		dns, DNS_OPTIONS_ALL, "/etc/resolv.conf") != 0)
		evdns_base_load_hosts(dns, "/etc/hosts");
	if (evdns_base_count_nameservers(dns) == 0)
		evdns_base_nameserver_ip_add(dns, "127.0.0.1");
	evdns_base_set_option(dns, "timeout:", "2");
	evdns_base_set_option(dns, "attempts:", "3");
	return dns;
}

struct resolve *
resolve_start(struct event_base *base, const char *host, uint16_t port,
    resolve_fn fn, void *arg)
{
	struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
		.ai_flags = EVUTIL_AI_NUMERICSERV,
	};
	struct timeval deadline = clock_span(RESOLVE_TIMEOUT_MS);
	struct resolve *look = calloc(1, sizeof(*look));
	char service[8];

	if (look == NULL)
		return NULL;
	look->dns = new_dns(base);
	if (look->dns == NULL) {
		free(look);
		return NULL;
	}
	look->fn = fn;
	look->arg = arg;
	evtimer_assign(&look->finish, base, finish_cb, look);
	evtimer_assign(&look->timer, base, deadline_cb, look);
	evtimer_add(&look->timer, &deadline);
	evutil_snprintf(service, sizeof(service), "%u", (unsigned)port);
	/* It may call back at once; answer_cb waits for the next turn. */
	evdns_getaddrinfo(look->dns, host, service, &hints, answer_cb, look);
	return look;
}

void
resolve_stop(struct resolve **lookp)
{
	struct resolve *look = *lookp;

	*lookp = NULL;
	if (look == NULL)
		return;
	look->fn = NULL;
	evtimer_del(&look->timer);
}
