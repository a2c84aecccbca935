/* SPDX-License-Identifier: ISC
 *
 * The steps from here to the server, each by itself and in plain words. Called
 * by main. Owns what is under way; every step begins anew, so that what one
 * says is of that step alone.
 *
 *   name -> TCP [-> proxy] [-> TLS, or the port for clients] -> LTP -> ping
 */
#include "client/diagnose.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "client/backend.h"
#include "client/client.h"
#include "client/discover.h"
#include "client/options.h"
#include "client/probe.h"
#include "client/resolve.h"
#include "client/trust.h"
#include "common/clock.h"

#define TCP_TIMEOUT_MS 10000

struct diagnose {
	struct client *client;
	const struct options *options;
	struct resolve *look;
	struct dial *dial;
	struct discover *discover;
	struct probe *probe;
	struct event next;		 /* takes the next step, or ends */
	void (*step)(struct diagnose *); /* NULL: it is over */
	uint64_t begun_ms;		 /* the step */
	struct net_addr backend;	 /* none: host and port of the URL */
	bool is_ltserver;
	bool is_well;
};

/* --- what is said ----------------------------------------------------------
 */

__attribute__((format(printf, 3, 4))) static void
say(const char *how, const char *what, const char *fmt, ...)
{
	va_list args;

	printf("%-6s %-6s ", how, what);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* The rest of a step that has failed: what to do about it. */
static void
advise(const char *advice)
{
	printf("%14s%s\n", "", advice);
}

/* After this callback. */
static void
go_on(struct diagnose *d, void (*step)(struct diagnose *))
{
	d->step = step;
	event_active(&d->next, EV_TIMEOUT, 0);
}

static void
stop(struct diagnose *d)
{
	go_on(d, NULL);
}

static unsigned
taken_ms(const struct diagnose *d)
{
	return (unsigned)(clock_ms() - d->begun_ms);
}

static void
no_memory(struct diagnose *d)
{
	say("FAILED", "", "out of memory");
	stop(d);
}

/* --- LTP and the ping ------------------------------------------------------
 */

static void
up_cb(void *arg, bool has_ext)
{
	struct diagnose *d = arg;

	say("ok", "LTP", "the server gives out tunnels (%u ms)", taken_ms(d));
	if (has_ext)
		return;
	say("-", "ping",
	    "not tried: this is an old server, which pings and is "
	    "not pinged");
	d->is_well = true;
	stop(d);
}

static void
pong_cb(void *arg, long us)
{
	struct diagnose *d = arg;

	say("ok", "ping", "there and back in %ld.%02ld ms", us / 1000,
	    us % 1000 / 10);
	d->is_well = true;
	stop(d);
}

static void
probe_failed_cb(void *arg, const char *code, const char *text)
{
	struct diagnose *d = arg;

	if (code[0] == '\0')
		say("FAILED", "LTP", "%s", text);
	else
		say("FAILED", "LTP", "the server refuses: %s (%s)", text, code);
	if (strcmp(code, "unauthorized") == 0)
		advise("It wants a token: put that of yours into the "
		       "configuration file, or ask whoever runs it.");
	else if (strcmp(code, "limit") == 0 || strcmp(code, "full") == 0)
		advise("It has no room for another tunnel at this moment.");
	else
		advise("Something between here and the server may change what "
		       "passes; or it is another kind of server.");
	stop(d);
}

static void
begin_probe(struct diagnose *d, struct stream *stream)
{
	static const struct probe_ops ops = { up_cb, pong_cb, probe_failed_cb };

	d->begun_ms = clock_ms();
	d->probe = probe_start(d->client, stream, d->is_ltserver, &ops, d);
	if (d->probe == NULL)
		no_memory(d);
}

/* --- TLS, or the port for clients ------------------------------------------
 */

static void
tls_failed(struct diagnose *d, const struct dial_result *to)
{
	const char *hint = trust_server_hint(to->cert);

	say("FAILED", "TLS", "%s%s", to->why, hint);
	if (to->cert == TLS_CERT_GOOD)
		advise(
		    to->error == EPROTO
			? "If the server speaks no TLS on that port, its URL "
			  "begins with http://."
			: "Something between here and the server does not "
			  "let TLS pass, or the server is in trouble.");
	stop(d);
}

static void
tls_cb(void *arg, const struct dial_result *to)
{
	struct diagnose *d = arg;
	struct stream stream = to->stream;

	d->dial = NULL;
	if (stream.fd == -1) {
		tls_failed(d, to);
		return;
	}
	say("ok", "TLS", "%s %s (%u ms)",
	    d->options->insecure ? "begun; --insecure: nobody has checked the "
				   "certificate of"
				 : "begun, with a good certificate for",
	    d->options->server.host, taken_ms(d));
	if (trust_is_ltp(&stream)) {
		begin_probe(d, &stream);
		return;
	}
	say("FAILED", "LTP", "the server speaks TLS there, but not LTP");
	advise("It is no ltserver, or something in front of it ends TLS.");
	stream_close(&stream);
	stop(d);
}

static void
step_tls(struct diagnose *d)
{
	struct backend_to to = { .trust = d->client->server_trust };

	d->is_ltserver = true;
	d->dial = backend_dial(d->client, &to, tls_cb, d);
	if (d->dial == NULL)
		no_memory(d);
}

static void
backend_cb(void *arg, const struct dial_result *to)
{
	struct diagnose *d = arg;
	struct stream stream = to->stream;

	d->dial = NULL;
	if (stream.fd != -1) {
		begin_probe(d, &stream);
		return;
	}
	say("FAILED", "TCP", "port %u, where the server takes clients: %s",
	    (unsigned)net_addr_port(&d->backend), to->why);
	advise("A firewall may let the other port pass only.");
	stop(d);
}

static void
found_cb(void *arg, const struct discover_result *result)
{
	struct diagnose *d = arg;
	struct backend_to to = { .addr = &d->backend };

	d->discover = NULL;
	if (!result->is_found) {
		say("FAILED", "HTTP", "%s", result->why);
		if (result->is_other)
			advise("If it is a server of the Node.js localtunnel, "
			       "tunnels may work all the same.");
		stop(d);
		return;
	}
	d->backend = result->backend;
	d->is_ltserver = result->is_ltserver;
	say("ok", "HTTP", "%s, which takes clients at port %u (%u ms)",
	    result->is_ltserver ? "an ltserver" : "an old server",
	    (unsigned)net_addr_port(&d->backend), taken_ms(d));
	d->dial = backend_dial(d->client, &to, backend_cb, d);
	if (d->dial == NULL)
		no_memory(d);
}

static void
step_http(struct diagnose *d)
{
	d->discover = discover_start(d->client, found_cb, d);
	if (d->discover == NULL)
		no_memory(d);
}

static void
step_server(struct diagnose *d)
{
	if (d->options->server.is_tls)
		step_tls(d);
	else
		step_http(d);
}

/* --- the proxy -------------------------------------------------------------
 */

static void
proxy_cb(void *arg, const struct dial_result *to)
{
	struct diagnose *d = arg;
	struct stream stream = to->stream;

	d->dial = NULL;
	if (stream.fd == -1) {
		say("FAILED", "proxy", "%s", to->why);
		stop(d);
		return;
	}
	stream_close(&stream);
	say("ok", "proxy", "it connects to %s (%u ms)",
	    d->options->server.authority, taken_ms(d));
	go_on(d, step_server);
}

static void
step_proxy(struct diagnose *d)
{
	struct backend_to to = { .trust = NULL };

	d->dial = backend_dial(d->client, &to, proxy_cb, d);
	if (d->dial == NULL)
		no_memory(d);
}

/* --- name and address ------------------------------------------------------
 */

static bool
has_way(const struct diagnose *d)
{
	return d->options->way.host[0] != '\0';
}

static const char *
first_host(const struct diagnose *d)
{
	return has_way(d) ? d->options->way.host : d->options->server.host;
}

static uint16_t
first_port(const struct diagnose *d)
{
	return has_way(d) ? d->options->way.port : d->options->server.port;
}

static void
tcp_failed(struct diagnose *d, const struct dial_result *to)
{
	say("FAILED", "TCP", "port %u of %s: %s", (unsigned)first_port(d),
	    first_host(d), to->why);
	switch (to->error) {
	case ECONNREFUSED:
		advise("The machine is there, but nothing listens at that "
		       "port: is the server running, and is the port right?");
		break;
	case ETIMEDOUT:
		advise("Nothing answers: a firewall between here and there, or "
		       "the address is another machine's.");
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
		advise("There is no way there: is this machine connected to a "
		       "network?");
		break;
	default:
		advise("Is the address right?");
		break;
	}
	stop(d);
}

static void
tcp_cb(void *arg, const struct dial_result *to)
{
	struct diagnose *d = arg;
	struct stream stream = to->stream;
	char addr[NET_TEXT_MAX];

	d->dial = NULL;
	if (stream.fd == -1) {
		tcp_failed(d, to);
		return;
	}
	stream_close(&stream);
	say("ok", "TCP", "connected to %s (%u ms)",
	    net_addr_text(to->addr, addr), taken_ms(d));
	go_on(d, has_way(d) ? step_proxy : step_server);
}

static void
step_tcp(struct diagnose *d)
{
	struct dial_to to = { .host = first_host(d),
		.port = first_port(d),
		.timeout_ms = TCP_TIMEOUT_MS };

	d->dial = dial_start(d->client->base, &to, tcp_cb, d);
	if (d->dial == NULL)
		no_memory(d);
}

static void
say_addrs(struct diagnose *d, const struct net_addr *addrs, size_t n)
{
	char list[RESOLVE_MAX * (NET_TEXT_MAX + 2)] = "", one[NET_TEXT_MAX];
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
		    i > 0 ? ", " : "", net_addr_host(&addrs[i], one));
	if (strcmp(list, first_host(d)) == 0)
		say("ok", "name", "%s is an address", list);
	else
		say("ok", "name", "%s is %s (%u ms)", first_host(d), list,
		    taken_ms(d));
	go_on(d, step_tcp);
}

static void
name_cb(void *arg, const struct net_addr *addrs, size_t n, const char *why)
{
	struct diagnose *d = arg;

	d->look = NULL;
	if (n > 0) {
		say_addrs(d, addrs, n);
		return;
	}
	say("FAILED", "name", "%s: %s", first_host(d), why);
	advise("Is it spelled right, and does this machine have a name server "
	       "that answers (/etc/resolv.conf)?");
	stop(d);
}

static void
step_name(struct diagnose *d)
{
	struct net_addr addrs[RESOLVE_MAX];
	size_t n = resolve_now(first_host(d), first_port(d), addrs);

	if (has_way(d))
		say("-", "way", "by the proxy %s", d->options->way.authority);
	if (n > 0) {
		say_addrs(d, addrs, n);
		return;
	}
	d->look = resolve_start(
	    d->client->base, first_host(d), first_port(d), name_cb, d);
	if (d->look == NULL)
		no_memory(d);
}

/* --- the walk --------------------------------------------------------------
 */

static void
next_cb(int fd, short what, void *arg)
{
	struct diagnose *d = arg;

	(void)fd;
	(void)what;
	if (d->step == NULL) {
		event_base_loopbreak(d->client->base);
		return;
	}
	d->begun_ms = clock_ms();
	d->step(d);
}

bool
diagnose(struct client *client)
{
	struct diagnose d = { .client = client, .options = client->options };

	evtimer_assign(&d.next, client->base, next_cb, &d);
	go_on(&d, step_name);
	event_base_dispatch(client->base);
	probe_free(d.probe);
	resolve_stop(&d.look);
	dial_stop(&d.dial);
	discover_stop(&d.discover);
	if (d.is_well)
		printf("All is well: tunnels can be opened at %s.\n",
		    client->options->server.authority);
	return d.is_well;
}
