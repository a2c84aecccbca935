/* SPDX-License-Identifier: ISC
 *
 * ltclient: gives a local service a public URL through a tunnel server.
 * Wires the parts together, handles signals, and turns the end of the tunnel
 * into an exit code.
 */
#define _GNU_SOURCE
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/client.h"
#include "client/counters.h"
#include "client/crew.h"
#include "client/diagnose.h"
#include "client/leave.h"
#include "client/lt.h"
#include "client/options.h"
#include "client/pool.h"
#include "client/processes.h"
#include "client/status.h"
#include "client/trust.h"
#include "client/tunnel.h"
#include "common/batch.h"
#include "common/limit.h"
#include "common/loop.h"
#include "common/stdfds.h"

#define SIGNALS 3

struct run {
	struct client client;
	struct options *options; /* the same as the client's */
	struct tunnel **tunnels;
	size_t n;
	size_t ended;
	struct event *signals[SIGNALS];
	struct leave *leave;
	enum tunnel_exit code;
};

static void
left_cb(void *arg)
{
	struct run *run = arg;

	event_base_loopbreak(run->client.base);
}

/* The first failure says how the program ends, once nothing goes on. */
static void
over_cb(void *arg, enum tunnel_exit code)
{
	struct run *run = arg;

	if (run->code == TUNNEL_EXIT_REQUEST)
		run->code = code;
	if (++run->ended == run->n)
		leave_begin(run->leave, true);
}

static void
signal_cb(int number, short what, void *arg)
{
	struct run *run = arg;
	size_t i;

	(void)what;
	for (i = 0; i < run->n; i++)
		tunnel_leave(run->tunnels[i]);
	if (run->ended < run->n)
		run->code = TUNNEL_EXIT_REQUEST;
	status_leave(run->options->display.status);
	crew_leave(run->client.crew);
	leave_begin(run->leave,
	    number == SIGINT && counters_joined(run->client.counters) == 0);
}

/* What libevent has to say is said better by whoever it happens to. */
static void
ignore_log(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

/* Reads the certificates that the options name; false, and told, if one is no
 * good. */
static bool
meet(struct run *run)
{
	struct client *client = &run->client;
	const struct options *options = client->options;
	struct service *service;
	char why[TLS_WHY_MAX] = "";

	if (options->server.is_tls &&
	    ((client->server_trust = trust_server(options, why)) == NULL ||
		(client->web_trust = trust_web(options, why)) == NULL)) {
		display_error(&options->display, "%s", why);
		return false;
	}
	for (service = client->services; service < client->services + run->n;
	     service++) {
		if (!service->options->target.is_tls)
			continue;
		service->trust = trust_local(service->options, why);
		if (service->trust == NULL) {
			display_error(&service->options->display, "%s", why);
			return false;
		}
	}
	if (options->server.is_tls && options->insecure)
		display_note(&options->display,
		    "--insecure: the certificate of %s is not checked, so "
		    "whoever sits between it and here can read and change all "
		    "that passes, and take the name",
		    options->server.authority);
	return true;
}

/* False if there is no memory. */
static bool
make_services(struct run *run)
{
	struct client *client = &run->client;
	const struct options *options = client->options;
	size_t i;

	client->services =
	    processes_share(options->tunnels_n * sizeof(*client->services));
	run->tunnels = calloc(options->tunnels_n, sizeof(struct tunnel *));
	if (client->services == NULL || run->tunnels == NULL)
		return false;
	run->n = options->tunnels_n;
	for (i = 0; i < run->n; i++)
		client->services[i].options = &options->tunnels[i];
	return true;
}

static int
run_init(struct run *run)
{
	static const int numbers[SIGNALS] = { SIGINT, SIGTERM, SIGHUP };
	struct client *client = &run->client;
	size_t n;
	int i;

	client->counters = counters_new();
	if (client->counters == NULL || client_init(client) == -1)
		return -1;
	client->own = &client->counters->process[0];
	client->crew = crew_new(client, run->options);
	run->leave = leave_new(client, LEAVE_MAX_S * 1000, left_cb, run);
	if (client->crew == NULL || run->leave == NULL)
		return -1;
	client_set_display(
	    run->options, status_new(client, &client->options->display), NULL);
	for (i = 0; i < SIGNALS; i++) {
		run->signals[i] =
		    evsignal_new(client->base, numbers[i], signal_cb, run);
		if (run->signals[i] == NULL ||
		    evsignal_add(run->signals[i], NULL) == -1)
			return -1;
	}
	for (n = 0; n < run->n; n++) {
		run->tunnels[n] =
		    tunnel_new(client, &client->services[n], over_cb, run);
		if (run->tunnels[n] == NULL)
			return -1;
	}
	return 0;
}

static void
run_fini(struct run *run)
{
	struct client *client = &run->client;
	size_t n;
	int i;

	if (client->crew != NULL)
		crew_end(client->crew);
	status_free(run->options->display.status);
	client_set_display(run->options, NULL, NULL);
	for (n = 0; n < run->n; n++)
		tunnel_free(run->tunnels[n]);
	pool_free_all(client);
	for (i = 0; i < SIGNALS; i++)
		if (run->signals[i] != NULL)
			event_free(run->signals[i]);
	leave_free(run->leave);
	crew_free(client->crew);
	trust_free(client->server_trust);
	trust_free(client->web_trust);
	for (n = 0; n < run->n; n++)
		trust_free(client->services[n].trust);
	processes_unshare(client->services,
	    run->options->tunnels_n * sizeof(*client->services));
	free(run->tunnels);
	client_fini(client);
	counters_free(client->counters);
}

/* No tunnel, and nothing of what one needs. */
static int
run_diagnose(struct options *options)
{
	struct run run = { .options = options, .client.options = options };
	bool is_well = false;

	signal(SIGPIPE, SIG_IGN);
	event_set_log_callback(ignore_log);
	LIST_INIT(&run.client.pools);
	run.client.base = loop_new();
	if (run.client.base != NULL && meet(&run))
		is_well = diagnose(&run.client);
	run_fini(&run);
	return display_flush() && is_well ? 0 : TUNNEL_EXIT_FAILURE;
}

static int
run_client(struct options *options)
{
	struct run run = { .options = options, .client.options = options };

	signal(SIGPIPE, SIG_IGN);
	limit_raise_fds();
	batch_set();
	event_set_log_callback(ignore_log);
	LIST_INIT(&run.client.pools);
	if (make_services(&run) && !meet(&run)) {
		run.code = TUNNEL_EXIT_FAILURE;
	} else if (run.n > 0 && run_init(&run) == 0) {
		event_base_dispatch(run.client.base);
	} else {
		run.code = TUNNEL_EXIT_FAILURE;
		display_error(&options->display,
		    "cannot start: out of memory or descriptors");
	}
	run_fini(&run);
	return (int)run.code;
}

static int
bad_usage(const char *error)
{
	fprintf(stderr, "ltclient: %s\nTry: ltclient --help\n", error);
	return TUNNEL_EXIT_USAGE;
}

/* Exits of lt are those of the npm command. */
static int
bad_usage_of_lt(const char *error)
{
	lt_help(stderr);
	fprintf(stderr, "\n%s\n", error);
	return TUNNEL_EXIT_FAILURE;
}

/* Turns a command line of lt into one of ltclient; -1, or how to exit. */
static int
read_lt(struct lt_words *words, char **argv)
{
	char error[LT_ERROR_MAX];

	switch (lt_read(words, argv, environ, error)) {
	case LT_RUN:
		return -1;
	case LT_HELP:
		lt_help(stdout);
		break;
	case LT_PRINT_VERSION:
		puts(LT_VERSION);
		break;
	case LT_BAD:
		return bad_usage_of_lt(error);
	}
	return display_flush() ? 0 : TUNNEL_EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	bool as_lt = lt_is_called(argv[0]);
	char error[OPTIONS_ERROR_MAX];
	struct options options;
	struct lt_words words;
	int code = TUNNEL_EXIT_USAGE;

	if (stdfds_open() == -1)
		return TUNNEL_EXIT_FAILURE;
	if (as_lt) {
		code = read_lt(&words, argv);
		if (code != -1)
			return code;
		argc = words.argc;
		argv = words.argv;
	}
	switch (options_read(&options, argc, argv, error)) {
	case OPTIONS_RUN:
		code = run_client(&options);
		break;
	case OPTIONS_DIAGNOSE:
		code = run_diagnose(&options);
		break;
	case OPTIONS_HELP:
		options_help(stdout);
		code = display_flush() ? 0 : TUNNEL_EXIT_FAILURE;
		break;
	case OPTIONS_VERSION:
		puts("ltclient " LT_VERSION);
		code = display_flush() ? 0 : TUNNEL_EXIT_FAILURE;
		break;
	case OPTIONS_BAD:
		code = as_lt ? bad_usage_of_lt(error) : bad_usage(error);
		break;
	}
	options_fini(&options);
	return code;
}
