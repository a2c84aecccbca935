/* SPDX-License-Identifier: ISC
 *
 * Which ports of a range are free, and binding one of them. The free ones
 * stand in no order at the front of an array; the chosen one is replaced by
 * the last. Those that rest are in a ring, in the order in which their rest
 * ends. What is given out is in neither. It never closes what it has given
 * out, and never tries more than a few ports for one caller.
 */
#include "server/ports.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"

#define PORTS_BACKLOG 256 /* while an owner is away, or at its limit */
#define PORTS_TRIES   16  /* busy ones, before giving up */

struct resting {
	uint64_t until_ms;
	uint16_t port;
};

/* What is known of one port. */
struct place {
	size_t free_at; /* where in free, counted from 1; 0: not there */
	uint64_t rest_until_ms; /* 0: it does not rest */
	bool is_in_ring;	/* perhaps for an earlier rest */
};

struct ports {
	struct ports_range range;
	uint64_t rest_ms;
	size_t size; /* of the range */
	size_t free_n;
	size_t rest_first; /* in the ring */
	size_t rest_n;
	uint16_t *free;
	struct resting *rest; /* ring */
	struct place *places; /* by port, from the first of the range */
};

/* One number of `text`, up to `end`. */
static bool
read_port(const char *text, size_t len, uint16_t *port)
{
	unsigned n = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (unsigned)(text[i] - '0');
	}
	*port = (uint16_t)n;
	return n > 0 && n <= UINT16_MAX;
}

bool
ports_range(struct ports_range *range, const char *text)
{
	size_t len = strcspn(text, "-");
	const char *last = text[len] == '-' ? text + len + 1 : text;
	struct ports_range r;

	if (!read_port(text, len, &r.first) ||
	    !read_port(last, strlen(last), &r.last) || r.first > r.last)
		return false;
	*range = r;
	return true;
}

static bool
is_in_range(const struct ports *p, uint16_t port)
{
	return port >= p->range.first && port <= p->range.last;
}

static struct place *
place_of(const struct ports *p, uint16_t port)
{
	return &p->places[port - p->range.first];
}

static void
put_free(struct ports *p, uint16_t port)
{
	p->free[p->free_n++] = port;
	place_of(p, port)->free_at = p->free_n;
}

/* Takes one out of those that are free; the last one fills its place. */
static void
take_free(struct ports *p, uint16_t port)
{
	struct place *place = place_of(p, port);
	uint16_t last = p->free[--p->free_n];

	p->free[place->free_at - 1] = last;
	place_of(p, last)->free_at = place->free_at;
	place->free_at = 0;
}

struct ports *
ports_new(struct ports_range range, uint64_t rest_ms)
{
	struct ports *p = log_must_alloc(1, sizeof(*p));

	assert(range.first > 0 && range.first <= range.last);
	p->range = range;
	p->rest_ms = rest_ms;
	p->size = (size_t)range.last - range.first + 1;
	p->free = log_must_alloc(p->size, sizeof(*p->free));
	p->rest = log_must_alloc(p->size, sizeof(*p->rest));
	p->places = log_must_alloc(p->size, sizeof(*p->places));
	for (size_t i = 0; i < p->size; i++)
		put_free(p, (uint16_t)(range.first + i));
	return p;
}

void
ports_free(struct ports *p)
{
	if (p == NULL)
		return;
	free(p->free);
	free(p->rest);
	free(p->places);
	free(p);
}

/* Each port is in the ring once at most. */
static void
put_ring(struct ports *p, uint16_t port)
{
	struct place *place = place_of(p, port);

	assert(p->size > 0);
	place->is_in_ring = true;
	p->rest[(p->rest_first + p->rest_n++) % p->size] =
	    (struct resting){ place->rest_until_ms, port };
}

void
ports_release(struct ports *p, uint16_t port, uint64_t now_ms)
{
	struct place *place;

	if (!is_in_range(p, port))
		return;
	place = place_of(p, port);
	if (place->free_at != 0)
		return;
	assert(place->rest_until_ms == 0);
	place->rest_until_ms = now_ms + p->rest_ms;
	if (place->rest_until_ms == 0)
		place->rest_until_ms = 1;
	if (!place->is_in_ring)
		put_ring(p, port);
}

void
ports_change(struct ports **ports, struct ports_range range)
{
	struct ports *old = *ports, *p;
	const struct place *place;

	if (range.first == old->range.first && range.last == old->range.last)
		return;
	p = ports_new(range, old->rest_ms);
	for (size_t i = 0; i < old->size; i++) {
		uint16_t port = (uint16_t)(old->range.first + i);

		if (old->places[i].free_at == 0 && is_in_range(p, port))
			take_free(p, port);
	}
	assert(old->size > 0);
	for (size_t i = 0; i < old->rest_n; i++) {
		uint16_t port =
		    old->rest[(old->rest_first + i) % old->size].port;

		place = place_of(old, port);
		if (place->rest_until_ms == 0 || !is_in_range(p, port))
			continue;
		place_of(p, port)->rest_until_ms = place->rest_until_ms;
		put_ring(p, port);
	}
	ports_free(old);
	*ports = p;
}

/* Those that have rested for long enough are free again. One that was taken
 * out of its rest is no business of ours, unless it rests again. */
static void
wake(struct ports *p, uint64_t now_ms)
{
	struct resting r;
	struct place *place;

	while (p->rest_n > 0 && p->rest[p->rest_first].until_ms <= now_ms) {
		r = p->rest[p->rest_first];
		p->rest_first = (p->rest_first + 1) % p->size;
		p->rest_n--;
		place = place_of(p, r.port);
		place->is_in_ring = false;
		if (place->rest_until_ms > now_ms) {
			put_ring(p, r.port);
		} else if (place->rest_until_ms != 0) {
			place->rest_until_ms = 0;
			put_free(p, r.port);
		}
	}
}

void
ports_take(struct ports *p, uint16_t port)
{
	if (!is_in_range(p, port))
		return;
	if (place_of(p, port)->free_at != 0)
		take_free(p, port);
	place_of(p, port)->rest_until_ms = 0;
}

/* Takes a random one out of those that are free; 0 if there is none. */
static uint16_t
pick(struct ports *p)
{
	uint16_t port;
	uint32_t bits;

	if (p->free_n == 0 ||
	    getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		return 0;
	port = p->free[bits % p->free_n];
	take_free(p, port);
	return port;
}

static void
set_port(struct net_addr *addr, uint16_t port)
{
	if (addr->sa.sa_family == AF_INET6)
		addr->in6.sin6_port = htons(port);
	else
		addr->in.sin_port = htons(port);
}

int
ports_listen(struct ports *p, const struct net_addr *addr, uint64_t now_ms,
    uint16_t *port)
{
	struct net_addr at = *addr;
	int fd;

	wake(p, now_ms);
	for (int i = 0; i < PORTS_TRIES && (*port = pick(p)) != 0; i++) {
		set_port(&at, *port);
		fd = net_listen(&at, PORTS_BACKLOG);
		if (fd != -1)
			return fd;
		if (errno != EADDRINUSE && errno != EACCES) {
			/* It is not the port's fault. */
			put_free(p, *port);
			return -1;
		}
		ports_release(p, *port, now_ms);
	}
	errno = EADDRNOTAVAIL;
	return -1;
}

int
ports_listen_at(struct ports *p, const struct net_addr *addr, uint64_t now_ms,
    uint16_t port)
{
	struct net_addr at = *addr;
	struct place *place;
	int fd, saved_errno;

	if (!is_in_range(p, port)) {
		errno = ERANGE;
		return -1;
	}
	place = place_of(p, port);
	if (place->free_at != 0) {
		take_free(p, port);
	} else if (place->rest_until_ms != 0) {
		place->rest_until_ms = 0;
	} else {
		errno = EADDRINUSE;
		return -1;
	}
	set_port(&at, port);
	fd = net_listen(&at, PORTS_BACKLOG);
	if (fd != -1)
		return fd;
	saved_errno = errno == EACCES ? EADDRINUSE : errno;
	ports_release(p, port, now_ms);
	errno = saved_errno;
	return -1;
}
