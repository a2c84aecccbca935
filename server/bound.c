/* SPDX-License-Identifier: ISC */
#include "server/bound.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/limit.h"
#include "common/log.h"
#include "server/config.h"
#include "server/config_text.h"
#include "server/ports.h"
#include "server/public.h"

#define BOUND_BACKLOG 4096
#define BOUND_RESERVE 128 /* descriptors that node ports leave */

struct bound {
	int fds[CONFIG_LISTEN_MAX];
	size_t n;
	int metrics; /* -1: none */
	struct ports *node_ports;
	struct ports *tcp_ports;
};

/* Binds one listener; one that was only tried for may fail. */
static void
bind_one(struct bound *b, const struct config_listen *l, struct public *public)
{
	char text[NET_TEXT_MAX];
	struct net_addr addr;
	int fd = net_listen(&l->addr, BOUND_BACKLOG);

	if (fd == -1 && l->is_default && b->n > 0)
		return;
	if (fd == -1 || net_local(fd, &addr) == -1)
		fatal("cannot listen on %s: %s", net_addr_text(&l->addr, text),
		    strerror(errno));
	public_add(public, l, net_addr_port(&addr));
	b->fds[b->n++] = fd;
	log_info("listening on %s", net_addr_text(&addr, text));
}

static int
bind_metrics(const struct config *config)
{
	char text[NET_TEXT_MAX];
	struct net_addr addr;
	int fd;

	if (!config_text_address(config->metrics, &addr))
		return -1;
	fd = net_listen(&addr, BOUND_BACKLOG);
	if (fd == -1 || net_local(fd, &addr) == -1)
		fatal("metrics: cannot listen on %s: %s",
		    net_addr_text(&addr, text), strerror(errno));
	log_info("metrics at %s", net_addr_text(&addr, text));
	return fd;
}

struct bound *
bound_new(const struct config *config, struct public *public)
{
	struct bound made = { .n = 0 }, *b;

	/* On the heap only once nothing can end the program any more. */
	for (size_t i = 0; i < config->listen_n; i++)
		bind_one(&made, &config->listen[i], public);
	made.metrics = bind_metrics(config);
	b = log_must_alloc(1, sizeof(*b));
	*b = made;
	b->node_ports = ports_new(config->node_ports, PORTS_REST_MS);
	b->tcp_ports = ports_new(config->tcp_ports, PORTS_REST_MS);
	return b;
}

void
bound_free(struct bound *b)
{
	if (b == NULL)
		return;
	ports_free(b->node_ports);
	ports_free(b->tcp_ports);
	free(b);
}

const int *
bound_listeners(const struct bound *b, size_t *n)
{
	*n = b->n;
	return b->fds;
}

int
bound_metrics(const struct bound *b)
{
	return b->metrics;
}

void
bound_close(struct bound *b)
{
	while (b->n > 0)
		close(b->fds[--b->n]);
}

void
bound_port_close(struct bound *b, bool is_tcp, int fd, uint16_t port)
{
	close(fd);
	ports_release(is_tcp ? b->tcp_ports : b->node_ports, port, clock_ms());
}

/* True if another descriptor leaves enough of them for what the master must
 * always be able to do: fork a worker. */
static bool
may_keep(int fd)
{
	return (size_t)fd + BOUND_RESERVE < limit_fds();
}

/* Who cannot reach the listener cannot reach the port. */
int
bound_port_open(struct bound *b, bool is_tcp, uint16_t listener, uint16_t *port)
{
	struct ports *ports = is_tcp ? b->tcp_ports : b->node_ports;
	struct net_addr addr;
	int fd = -1;

	if (listener >= b->n)
		errno = EINVAL;
	else if (net_local(b->fds[listener], &addr) == -1)
		fd = -1;
	else if (*port != 0)
		fd = ports_listen_at(ports, &addr, clock_ms(), *port);
	else
		fd = ports_listen(ports, &addr, clock_ms(), port);
	if (fd != -1 && !may_keep(fd)) {
		bound_port_close(b, is_tcp, fd, *port);
		fd = -1;
		errno = EMFILE;
	}
	/* That no port is free the worker logs, once a client. */
	if (fd == -1 && errno != EADDRNOTAVAIL && errno != EADDRINUSE &&
	    errno != ERANGE)
		log_error("cannot open a port: %s", strerror(errno));
	return fd;
}
