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
#include "client/diagnose.h"
#include "client/leave.h"
#include "client/lt.h"
#include "client/options.h"
#include "client/pool.h"
#include "client/status.h"
#include "client/trust.h"
#include "client/tunnel.h"
#include "common/drain.h"
#include "common/limit.h"
#include "common/loop.h"
#include "common/relay.h"
#include "common/stdfds.h"
#include "common/watch.h"

#define PIPES_MAX 96 /* 24 MiB: half of what one user may have */
#define PIPE_SIZE (256 * 1024)
#define DRAIN_MAX 256

#define SIGNALS 3

struct run {
	struct client client;
	struct options *options;  /* the same as the client's */
	struct service *services; /* one for each tunnel */
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
		event_base_loopbreak(run->client.base);
}

static void
signal_cb(int number, short what, void *arg)
{
	struct run *run = arg;
	size_t i;

	(void)what;
	for (i = 0; i < run->n; i++)
		tunnel_leave(run->tunnels[i]);
	run->code = TUNNEL_EXIT_REQUEST;
	status_leave(run->options->display.status);
	leave_begin(run->leave, number == SIGINT);
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
	for (service = run->services; service < run->services + run->n;
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
	const struct options *options = run->client.options;
	size_t i;

	run->services = calloc(options->tunnels_n, sizeof(*run->services));
	run->tunnels = calloc(options->tunnels_n, sizeof(struct tunnel *));
	if (run->services == NULL || run->tunnels == NULL)
		return false;
	run->n = options->tunnels_n;
	for (i = 0; i < run->n; i++)
		run->services[i].options = &options->tunnels[i];
	return true;
}

/* Whoever displays something has it told there too. */
static void
set_status(struct run *run, struct status *status)
{
	struct options *options = run->options;
	size_t i;

	options->display.status = status;
	for (i = 0; i < options->tunnels_n; i++)
		options->tunnels[i].display.status = status;
}

static int
run_init(struct run *run)
{
	static const int numbers[SIGNALS] = { SIGINT, SIGTERM, SIGHUP };
	struct client *client = &run->client;
	size_t n;
	int i;

	client->base = loop_new();
	if (client->base == NULL)
		return -1;
	/* A pipe is two descriptors: an eighth of all for pipes. */
	client->pipes = limit_fds() / 16;
	if (client->pipes > PIPES_MAX)
		client->pipes = PIPES_MAX;
	set_status(run, status_new(client, &client->options->display));
	client->watches = watch_set_new(client->base);
	if (client->watches == NULL)
		return -1;
	client->relays = relay_env_new(
	    client->base, client->watches, client->pipes, PIPE_SIZE);
	client->drains = drain_set_new(client->base, DRAIN_MAX);
	run->leave = leave_new(client, left_cb, run);
	if (client->relays == NULL || client->drains == NULL ||
	    run->leave == NULL)
		return -1;
	for (i = 0; i < SIGNALS; i++) {
		run->signals[i] =
		    evsignal_new(client->base, numbers[i], signal_cb, run);
		if (run->signals[i] == NULL ||
		    evsignal_add(run->signals[i], NULL) == -1)
			return -1;
	}
	for (n = 0; n < run->n; n++) {
		run->tunnels[n] =
		    tunnel_new(client, &run->services[n], over_cb, run);
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

	status_free(run->options->display.status);
	set_status(run, NULL);
	for (n = 0; n < run->n; n++)
		tunnel_free(run->tunnels[n]);
	pool_free_all(client);
	for (i = 0; i < SIGNALS; i++)
		if (run->signals[i] != NULL)
			event_free(run->signals[i]);
	leave_free(run->leave);
	drain_set_free(client->drains);
	trust_free(client->server_trust);
	trust_free(client->web_trust);
	for (n = 0; n < run->n; n++)
		trust_free(run->services[n].trust);
	free(run->services);
	free(run->tunnels);
	if (client->relays != NULL)
		relay_env_free(client->relays);
	watch_set_free(client->watches);
	if (client->base != NULL)
		event_base_free(client->base);
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
