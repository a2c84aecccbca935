/* SPDX-License-Identifier: ISC
 *
 * A listener has a slot as long as it is open. Those that settings have no
 * more, and those that they have more, are marked between the two steps.
 */
#include "server/bound.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/limit.h"
#include "common/log.h"
#include "server/config.h"
#include "server/config_text.h"
#include "server/handoff.h"
#include "server/ports.h"

#define BOUND_BACKLOG 4096
#define BOUND_RESERVE 128 /* descriptors that node ports leave */

/* One that is open, or was asked for. */
struct place {
	int fd;		      /* -1: none */
	struct net_addr addr; /* as it was asked for: the port may be 0 */
	uint16_t port;	      /* it is bound to */
	bool is_wanted;	      /* by the settings that were prepared */
	bool is_new;	      /* bound for them */
};

struct bound {
	struct place listeners[CONFIG_SLOTS_MAX];
	struct place metrics[2]; /* the one that is, and the next one */
	struct ports *node_ports;
	struct ports *tcp_ports;
	struct ports_range node_range; /* of the settings prepared */
	struct ports_range tcp_range;
};

static bool
bind_place(struct place *p, const struct net_addr *addr)
{
	struct net_addr local;
	int saved_errno;

	p->fd = net_listen(addr, BOUND_BACKLOG);
	if (p->fd == -1)
		return false;
	if (net_local(p->fd, &local) == -1) {
		saved_errno = errno;
		close(p->fd);
		p->fd = -1;
		errno = saved_errno;
		return false;
	}
	p->addr = *addr;
	p->port = net_addr_port(&local);
	p->is_wanted = p->is_new = true;
	return true;
}

static void
close_place(struct place *p)
{
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
	p->is_new = p->is_wanted = false;
}

static bool
is_same(const struct net_addr *a, const struct net_addr *b)
{
	char x[NET_TEXT_MAX], y[NET_TEXT_MAX];

	return strcmp(net_addr_text(a, x), net_addr_text(b, y)) == 0;
}

/* The slot where a listener of this address is open and not spoken for, else
 * one that is free. There are twice as many as there can be listeners. */
static struct place *
find_place(struct bound *b, const struct net_addr *addr)
{
	struct place *free = NULL;

	for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
		struct place *p = &b->listeners[i];

		if (p->fd == -1 && free == NULL)
			free = p;
		if (p->fd != -1 && !p->is_wanted && is_same(&p->addr, addr))
			return p;
	}
	return free;
}

/* Sees to one listener of the settings: 1 if it is there now, 0 if it can be
 * done without, -1 with `why`. */
static int
prepare_one(struct bound *b, struct config_listen *l, char why[BOUND_WHY_MAX])
{
	struct place *p = find_place(b, &l->addr);
	char text[NET_TEXT_MAX];

	p->is_wanted = p->fd != -1;
	if (p->fd == -1 && !bind_place(p, &l->addr)) {
		if (l->is_default)
			return 0;
		snprintf(why, BOUND_WHY_MAX, "cannot listen on %s: %s",
		    net_addr_text(&l->addr, text), strerror(errno));
		return -1;
	}
	l->slot = (uint16_t)(p - b->listeners);
	l->port = p->port;
	return 1;
}

static bool
prepare_metrics(
    struct bound *b, const struct config *c, char why[BOUND_WHY_MAX])
{
	struct place *is = &b->metrics[0];
	char text[NET_TEXT_MAX];
	struct net_addr addr;

	if (!config_text_address(c->metrics, &addr))
		return true;
	is->is_wanted = is->fd != -1 && is_same(&is->addr, &addr);
	if (is->is_wanted || bind_place(&b->metrics[1], &addr))
		return true;
	snprintf(why, BOUND_WHY_MAX, "metrics: cannot listen on %s: %s",
	    net_addr_text(&addr, text), strerror(errno));
	return false;
}

bool
bound_prepare(struct bound *b, struct config *c, char why[BOUND_WHY_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < c->listen_n; i++) {
		int result = prepare_one(b, &c->listen[i], why);

		if (result == -1) {
			bound_cancel(b);
			return false;
		}
		if (result == 1)
			c->listen[n++] = c->listen[i];
	}
	c->listen_n = n;
	if (n == 0)
		snprintf(why, BOUND_WHY_MAX, "cannot listen on anything");
	if (n == 0 || !prepare_metrics(b, c, why)) {
		bound_cancel(b);
		return false;
	}
	b->node_range = c->node_ports;
	b->tcp_range = c->tcp_ports;
	return true;
}

void
bound_cancel(struct bound *b)
{
	for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
		if (b->listeners[i].is_new)
			close_place(&b->listeners[i]);
		b->listeners[i].is_wanted = false;
	}
	close_place(&b->metrics[1]);
	b->metrics[0].is_wanted = false;
}

static void
say(const struct place *p, const char *what)
{
	char text[NET_TEXT_MAX];
	struct net_addr addr;

	if (net_local(p->fd, &addr) == 0)
		log_info("%s %s", what, net_addr_text(&addr, text));
}

/* Nobody listens there from here on, in no process, whenever the workers come
 * to close their copies: the address is free for who is next. */
static void
shut_place(struct place *p)
{
	if (p->fd != -1)
		(void)shutdown(p->fd, SHUT_RD);
	close_place(p);
}

static void
commit_one(struct bound *b, uint16_t slot,
    void (*fn)(void *arg, uint16_t slot, int fd), void *arg)
{
	struct place *p = &b->listeners[slot];

	if (p->is_new) {
		say(p, "listening on");
		fn(arg, slot, p->fd);
	} else if (p->fd != -1 && !p->is_wanted) {
		say(p, "no longer listening on");
		fn(arg, slot, -1);
		shut_place(p);
	}
	p->is_new = p->is_wanted = false;
}

static void
commit_metrics(
    struct bound *b, void (*fn)(void *arg, uint16_t slot, int fd), void *arg)
{
	struct place *is = &b->metrics[0], *next = &b->metrics[1];

	if (!is->is_wanted && (is->fd != -1 || next->fd != -1)) {
		fn(arg, BOUND_METRICS, next->fd);
		shut_place(is);
		*is = *next;
		*next = (struct place){ .fd = -1 };
		if (is->fd != -1)
			say(is, "metrics at");
	}
	is->is_new = is->is_wanted = false;
}

void
bound_commit(
    struct bound *b, void (*fn)(void *arg, uint16_t slot, int fd), void *arg)
{
	for (uint16_t i = 0; i < CONFIG_SLOTS_MAX; i++)
		commit_one(b, i, fn, arg);
	commit_metrics(b, fn, arg);
	ports_change(&b->node_ports, b->node_range);
	ports_change(&b->tcp_ports, b->tcp_range);
}

static void
nobody_yet(void *arg, uint16_t slot, int fd)
{
	(void)arg;
	(void)slot;
	(void)fd;
}

static struct bound *
empty(const struct config *config)
{
	struct bound *b = log_must_alloc(1, sizeof(*b));

	for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
		b->listeners[i].fd = -1;
	b->metrics[0].fd = b->metrics[1].fd = -1;
	b->node_ports = ports_new(config->node_ports, PORTS_REST_MS);
	b->tcp_ports = ports_new(config->tcp_ports, PORTS_REST_MS);
	return b;
}

struct bound *
bound_new(struct config *config)
{
	struct bound *b = empty(config);
	char why[BOUND_WHY_MAX];

	if (!bound_prepare(b, config, why)) {
		bound_free(b);
		fatal("%s", why);
	}
	bound_commit(b, nobody_yet, NULL);
	return b;
}

static json_t *
save_place(const struct place *p, struct handoff *h)
{
	char text[NET_TEXT_MAX];
	json_t *part = json_pack("{s:s, s:i}", "address",
	    net_addr_text(&p->addr, text), "port", (int)p->port);

	handoff_put_fd(h, part, "fd", p->fd);
	return part;
}

static void
adopt_place(struct place *p, const json_t *part)
{
	const char *text = json_string_value(json_object_get(part, "address"));
	char host[NET_HOST_MAX];
	uint16_t port;

	if (text != NULL && net_split(text, host, &port) == 0 &&
	    net_addr_from(&p->addr, host, port) == 0)
		p->fd = handoff_take_fd(part, "fd");
	p->port = (uint16_t)json_integer_value(json_object_get(part, "port"));
}

void
bound_save(const struct bound *b, struct handoff *h)
{
	json_t *list = json_array();

	for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
		json_array_append_new(list,
		    b->listeners[i].fd == -1 ? json_null()
					     : save_place(&b->listeners[i], h));
	json_object_set_new(handoff_root(h), "listeners", list);
	if (b->metrics[0].fd != -1)
		json_object_set_new(
		    handoff_root(h), "metrics", save_place(&b->metrics[0], h));
}

struct bound *
bound_adopt(struct handoff *h, const struct config *config)
{
	const json_t *root = handoff_root(h), *part;
	struct bound *b = empty(config);
	bool is_good = true;

	for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
		part = json_array_get(json_object_get(root, "listeners"), i);
		if (!json_is_object(part))
			continue;
		adopt_place(&b->listeners[i], part);
		is_good &= b->listeners[i].fd != -1;
	}
	part = json_object_get(root, "metrics");
	if (part != NULL)
		adopt_place(&b->metrics[0], part);
	if (is_good)
		return b;
	bound_free(b);
	return NULL;
}

void
bound_port_adopt(struct bound *b, bool is_tcp, uint16_t port)
{
	ports_take(is_tcp ? b->tcp_ports : b->node_ports, port);
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

int
bound_fd(const struct bound *b, uint16_t slot)
{
	if (slot == BOUND_METRICS)
		return b->metrics[0].fd;
	return slot < CONFIG_SLOTS_MAX ? b->listeners[slot].fd : -1;
}

void
bound_close(struct bound *b)
{
	for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
		close_place(&b->listeners[i]);
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
	int at = bound_fd(b, listener);
	struct net_addr addr;
	int fd = -1;

	if (at == -1)
		errno = EINVAL;
	else if (net_local(at, &addr) == -1)
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
