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

struct ports {
	struct ports_range range;
	uint64_t rest_ms;
	size_t size; /* of the range */
	size_t free_n;
	size_t rest_first; /* in the ring */
	size_t rest_n;
	uint16_t *free;
	struct resting *rest; /* ring */
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
	while (p->free_n < p->size) {
		p->free[p->free_n] = (uint16_t)(range.first + p->free_n);
		p->free_n++;
	}
	return p;
}

void
ports_free(struct ports *p)
{
	if (p == NULL)
		return;
	free(p->free);
	free(p->rest);
	free(p);
}

void
ports_release(struct ports *p, uint16_t port, uint64_t now_ms)
{
	assert(port >= p->range.first && port <= p->range.last);
	assert(p->free_n + p->rest_n < p->size);
	p->rest[(p->rest_first + p->rest_n++) % p->size] =
	    (struct resting){ now_ms + p->rest_ms, port };
}

/* Those that have rested for long enough are free again. */
static void
wake(struct ports *p, uint64_t now_ms)
{
	const struct resting *r;

	while (p->rest_n > 0) {
		r = &p->rest[p->rest_first];
		if (r->until_ms > now_ms)
			return;
		p->free[p->free_n++] = r->port;
		p->rest_first = (p->rest_first + 1) % p->size;
		p->rest_n--;
	}
}

/* Takes a random one out of those that are free; 0 if there is none. */
static uint16_t
pick(struct ports *p)
{
	uint16_t port;
	uint32_t bits;
	size_t i;

	if (p->free_n == 0 ||
	    getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		return 0;
	i = bits % p->free_n;
	port = p->free[i];
	p->free[i] = p->free[--p->free_n];
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
			p->free[p->free_n++] = *port;
			return -1;
		}
		ports_release(p, *port, now_ms);
	}
	errno = EADDRNOTAVAIL;
	return -1;
}
