/* SPDX-License-Identifier: ISC
 *
 * The shared memory behind the counters; the master makes it before its first
 * fork and every process keeps the one mapping. It is writable by all, unlike
 * the registry: each row has another writer, and rows are too small for pages
 * of their own. So a worker gone bad can spoil figures, and nothing must be
 * decided by them that matters to anybody's safety.
 */
#define _GNU_SOURCE

#include "server/counters.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(struct counters_worker) % 64 == 0 &&
		   sizeof(struct counters_master) % 64 == 0 &&
		   sizeof(struct counters_session) % 64 == 0,
    "no two rows share a cache line");

const unsigned counters_join_ms[COUNTERS_JOINS - 1] = { 1, 2, 5, 10, 20, 50,
	100, 200, 500, 1000, 2000, 5000 };

static const struct {
	int status;
	const char *text;
} results[] = {
	[COUNTERS_JOINED] = { 0, "joined" },
	[COUNTERS_CLOSED] = { 0, "closed" },
	[COUNTERS_308] = { 308, "308" },
	[COUNTERS_400] = { 400, "400" },
	[COUNTERS_401] = { 401, "401" },
	[COUNTERS_403] = { 403, "403" },
	[COUNTERS_404] = { 404, "404" },
	[COUNTERS_405] = { 405, "405" },
	[COUNTERS_408] = { 408, "408" },
	[COUNTERS_421] = { 421, "421" },
	[COUNTERS_431] = { 431, "431" },
	[COUNTERS_502] = { 502, "502" },
	[COUNTERS_503] = { 503, "503" },
	[COUNTERS_504] = { 504, "504" },
	[COUNTERS_OTHER] = { -1, "other" },
};

/* New sessions that are on their way. */
struct counters_sent {
	uint64_t claims; /* of the worker, when it began */
	uint64_t since_ms;
	uint64_t n;
};

struct counters {
	size_t workers_n;
	size_t sessions_n;
	size_t len; /* of the mapping */
	int fd;
	struct counters_master *master; /* the first of what is mapped */
	struct counters_worker *workers;
	struct counters_session *sessions;
	struct counters_sent sent[]; /* by this process, to each worker */
};

/* A memfd that nobody can shrink under us; -1 with errno. */
static int
make_memory(size_t len)
{
	int fd =
	    memfd_create("ltserver-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int saved_errno;

	if (fd == -1)
		return -1;
	if (ftruncate(fd, (off_t)len) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
		0)
		return fd;
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return -1;
}

static size_t
length(size_t workers, size_t sessions)
{
	return sizeof(struct counters_master) +
	       workers * sizeof(struct counters_worker) +
	       sessions * sizeof(struct counters_session);
}

/* Maps what forked children share; takes over `fd`. NULL with errno. */
static struct counters *
map_it(int fd, size_t workers, size_t sessions)
{
	struct counters *c =
	    calloc(1, sizeof(*c) + workers * sizeof(c->sent[0]));
	void *map = MAP_FAILED;
	int saved_errno;

	if (c != NULL) {
		c->workers_n = workers;
		c->sessions_n = sessions;
		c->fd = fd;
		c->len = length(workers, sessions);
		map = mmap(
		    NULL, c->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (map == MAP_FAILED) {
		saved_errno = errno;
		close(fd);
		free(c);
		errno = saved_errno;
		return NULL;
	}
	c->master = map;
	c->workers = (void *)(c->master + 1);
	c->sessions = (void *)(c->workers + workers);
	return c;
}

struct counters *
counters_new(size_t workers, size_t sessions)
{
	int fd = make_memory(length(workers, sessions));

	return fd == -1 ? NULL : map_it(fd, workers, sessions);
}

struct counters *
counters_adopt(int fd, size_t workers, size_t sessions)
{
	struct stat st;

	if (fstat(fd, &st) == 0 &&
	    (size_t)st.st_size == length(workers, sessions))
		return map_it(fd, workers, sessions);
	close(fd);
	errno = EPROTO;
	return NULL;
}

int
counters_fd(const struct counters *c)
{
	return c->fd;
}

void
counters_free(struct counters *c)
{
	if (c == NULL)
		return;
	munmap(c->master, c->len);
	close(c->fd);
	free(c);
}

struct counters_worker *
counters_worker(struct counters *c, size_t slot)
{
	assert(slot < c->workers_n);
	return &c->workers[slot];
}

struct counters_session *
counters_session(struct counters *c, size_t slot)
{
	assert(slot < c->sessions_n);
	return &c->sessions[slot];
}

struct counters_master *
counters_master(struct counters *c)
{
	return c->master;
}

size_t
counters_sessions(const struct counters *c)
{
	return c->sessions_n;
}

size_t
counters_workers(const struct counters *c)
{
	return c->workers_n;
}

/* What this process has sent there, as far as it is on its way. */
static struct counters_sent *
sent_to(struct counters *c, size_t slot, uint64_t now_ms)
{
	uint64_t claims = counter_get(&counters_worker(c, slot)->claims);
	struct counters_sent *sent = &c->sent[slot];

	if (sent->claims != claims ||
	    now_ms - sent->since_ms >= COUNTERS_BURST_MS)
		*sent = (struct counters_sent){ .claims = claims,
			.since_ms = now_ms };
	return sent;
}

void
counters_send(struct counters *c, size_t slot, uint64_t now_ms)
{
	sent_to(c, slot, now_ms)->n++;
}

uint64_t
counters_load(struct counters *c, size_t slot, uint64_t now_ms)
{
	return counter_get(&counters_worker(c, slot)->sessions) +
	       sent_to(c, slot, now_ms)->n;
}

uint64_t
counters_sum(struct counters *c, size_t offset)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->workers_n; i++)
		sum += counter_get(
		    (const counter *)((const char *)&c->workers[i] + offset));
	return sum;
}

void
counters_worker_gone(struct counters *c, size_t slot)
{
	struct counters_worker *w = counters_worker(c, slot);

	counter_set(&w->ready, 0);
	counter_set(&w->sessions, 0);
	counter_set(&w->half_made, 0);
	counter_set(&w->handshaking, 0);
	counter_set(&w->parked, 0);
	counter_set(&w->queued, 0);
	counter_set(&w->idle, 0);
	counter_set(&w->joined, 0);
	counter_set(&w->fds, 0);
	counter_set(&w->room, 0);
	counter_set(&w->pulse_ms, 0);
	/* What was on its way there is answered by that. */
	counter_add(&w->claims, 1);
}

enum counters_result
counters_result(int status, bool was_joined)
{
	if (status == 0)
		return was_joined ? COUNTERS_JOINED : COUNTERS_CLOSED;
	for (int i = COUNTERS_308; i < COUNTERS_OTHER; i++)
		if (results[i].status == status)
			return (enum counters_result)i;
	return COUNTERS_OTHER;
}

const char *
counters_result_text(enum counters_result result)
{
	return results[result].text;
}

void
counters_joined(struct counters_worker *w, uint64_t ms)
{
	size_t i = 0;

	while (i < COUNTERS_JOINS - 1 && ms > counters_join_ms[i])
		i++;
	counter_add(&w->joins[i], 1);
	counter_add(&w->joins_ms, (int64_t)ms);
}
