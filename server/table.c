/* SPDX-License-Identifier: ISC
 *
 * The registry's table in shared memory: layout, sequence locks, hash. The
 * master writes, workers have it mapped read-only. A reader must never loop
 * or read out of bounds, whatever stands in shared memory, and never wait
 * for long for a writer that may be dead.
 */
#define _GNU_SOURCE

#include "server/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC  0x4c547265 /* "LTre" */
#define LAYOUT 3	  /* changes with anything that is in the memfd */

/* A reader that meets a write looks again: at once, then after naps, for the
 * writer may have lost its processor. A quarter of a second in all, for it may
 * as well be dead. */
#define READ_SPINS  64
#define READ_TRIES  (READ_SPINS + 250)
#define READ_NAP_NS 1000000

#define WORDS_OF(type) ((sizeof(type) + 7) / 8)
#define WORDS_MAX      WORDS_OF(struct table_tunnel)

_Static_assert(sizeof(struct registry_session) <= sizeof(struct table_tunnel),
    "what WORDS_MAX is enough for");

/*
 * A row under a sequence lock. It is copied by words with relaxed atomics: a
 * plain memcpy beside a concurrent writer would be undefined, even if the copy
 * is thrown away afterwards.
 */
struct table_tunnel_cell {
	_Atomic uint32_t version; /* odd while it is written */
	_Atomic uint64_t words[WORDS_OF(struct table_tunnel)];
};

struct table_session_cell {
	_Atomic uint32_t version; /* likewise */
	_Atomic uint64_t words[WORDS_OF(struct registry_session)];
};

struct table_header {
	uint32_t magic;
	uint32_t layout;
	uint64_t key[2];	  /* of the hash: strangers choose the names */
	_Atomic uint32_t changes; /* odd while chains change */
	_Atomic uint32_t count;	  /* of tunnels */
};

static void
write_begin(_Atomic uint32_t *version)
{
	uint32_t v = atomic_load_explicit(version, memory_order_relaxed);

	atomic_store_explicit(version, v + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void
write_end(_Atomic uint32_t *version)
{
	uint32_t v = atomic_load_explicit(version, memory_order_relaxed);

	atomic_store_explicit(version, v + 1, memory_order_release);
}

static uint32_t
read_begin(const _Atomic uint32_t *version)
{
	return atomic_load_explicit(version, memory_order_acquire);
}

/* True if nothing was written since read_begin(). */
static bool
read_end(const _Atomic uint32_t *version, uint32_t begun)
{
	atomic_thread_fence(memory_order_acquire);
	return (begun & 1) == 0 &&
	       atomic_load_explicit(version, memory_order_relaxed) == begun;
}

/* Between two looks at what is being written; false once it was enough. */
static bool
look_again(unsigned *tries)
{
	const struct timespec nap = { .tv_nsec = READ_NAP_NS };

	if (++*tries >= READ_TRIES)
		return false;
	if (*tries > READ_SPINS)
		(void)nanosleep(&nap, NULL);
	return true;
}

/* What is in a cell: its words, and the version above them. */
static void
cell_write(_Atomic uint32_t *version, _Atomic uint64_t *to, const void *row,
    size_t len)
{
	uint64_t words[WORDS_MAX];

	words[(len + 7) / 8 - 1] = 0; /* the last one may be half a word */
	memcpy(words, row, len);
	write_begin(version);
	for (size_t i = 0; i < (len + 7) / 8; i++)
		atomic_store_explicit(&to[i], words[i], memory_order_relaxed);
	write_end(version);
}

static bool
cell_read(const _Atomic uint32_t *version, const _Atomic uint64_t *from,
    void *row, size_t len, unsigned *tries)
{
	uint64_t words[WORDS_MAX];
	uint32_t begun;

	do {
		begun = read_begin(version);
		for (size_t i = 0; i < (len + 7) / 8; i++)
			words[i] = atomic_load_explicit(
			    &from[i], memory_order_relaxed);
		if (read_end(version, begun)) {
			memcpy(row, words, len);
			return true;
		}
	} while (look_again(tries));
	return false;
}

/* One whose tries are counted with those of the whole search. */
static bool
read_tunnel(const struct table *t, uint32_t slot, struct table_tunnel *row,
    unsigned *tries)
{
	if (slot >= t->size ||
	    !cell_read(&t->tunnels[slot].version, t->tunnels[slot].words, row,
		sizeof(*row), tries))
		return false;
	row->tunnel.name[LTP_NAME_MAX] = '\0';
	row->tunnel.domain[REGISTRY_DOMAIN_MAX] = '\0';
	if (row->tunnel.seats_n > REGISTRY_SEATS_MAX)
		row->tunnel.seats_n = 0;
	return true;
}

bool
table_read_tunnel(
    const struct table *t, uint32_t slot, struct table_tunnel *row)
{
	unsigned tries = 0;

	return read_tunnel(t, slot, row, &tries);
}

bool
table_read_session(
    const struct table *t, uint32_t slot, struct registry_session *session)
{
	unsigned tries = 0;

	if (slot >= t->sessions_n ||
	    !cell_read(&t->sessions[slot].version, t->sessions[slot].words,
		session, sizeof(*session), &tries))
		return false;
	session->label[REGISTRY_LABEL_MAX] = '\0';
	return true;
}

void
table_write_tunnel(
    struct table *t, uint32_t slot, const struct table_tunnel *row)
{
	cell_write(&t->tunnels[slot].version, t->tunnels[slot].words, row,
	    sizeof(*row));
}

void
table_write_session(
    struct table *t, uint32_t slot, const struct registry_session *session)
{
	cell_write(&t->sessions[slot].version, t->sessions[slot].words, session,
	    sizeof(*session));
}

void
table_begin(struct table *t)
{
	write_begin(&t->header->changes);
}

void
table_end(struct table *t, size_t count)
{
	atomic_store_explicit(
	    &t->header->count, (uint32_t)count, memory_order_relaxed);
	write_end(&t->header->changes);
}

size_t
table_count(const struct table *t)
{
	return atomic_load_explicit(&t->header->count, memory_order_relaxed);
}

static uint64_t
rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void
sip_rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32) + v[3];
		v[2] += v[1];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

/* SipHash-2-4 over a text filled up with zeros, of one length for all names and
 * one for all domains. With a hash that has no key a stranger could choose
 * names that share one chain. */
_Atomic uint32_t *
table_bucket(const struct table *t, enum table_key kind, const char *text)
{
	const uint64_t *key = t->header->key;
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573 };
	uint64_t words[(REGISTRY_DOMAIN_MAX + 8) / 8] = { 0 };
	size_t max = kind == TABLE_NAME ? LTP_NAME_MAX : REGISTRY_DOMAIN_MAX;

	memcpy(words, text, strnlen(text, max));
	for (size_t i = 0; i < (max + 1) / 8; i++) {
		v[3] ^= words[i];
		sip_rounds(v, 2);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return &t->buckets[kind]
			  [(v[0] ^ v[1] ^ v[2] ^ v[3]) & (t->buckets_n - 1)];
}

/* One walk along a chain. A row that moved to another chain
 * meanwhile may lead us astray, never in a circle. */
static bool
walk(const struct table *t, enum table_key key, const char *text,
    struct table_tunnel *row, unsigned *tries)
{
	uint32_t at = atomic_load_explicit(
	    table_bucket(t, key, text), memory_order_acquire);

	for (size_t steps = 0; at != 0 && steps < t->size; steps++) {
		if (!read_tunnel(t, at - 1, row, tries))
			return false;
		if (row->tunnel.ref.generation != 0 &&
		    strcmp(table_text(row, key), text) == 0)
			return true;
		at = row->next[key];
	}
	return false;
}

bool
table_find(const struct table *t, enum table_key key, const char *text,
    struct table_tunnel *row)
{
	unsigned tries = 0;
	uint32_t begun;

	do {
		begun = read_begin(&t->header->changes);
		if (walk(t, key, text, row, &tries))
			return true;
		if (read_end(&t->header->changes, begun))
			return false;
	} while (look_again(&tries));
	return false;
}

static size_t
round_up(size_t n)
{
	return (n + 63) / 64 * 64;
}

/* Where the parts are in the mapping. */
static void
place(struct table *t, void *map)
{
	char *at = map;

	t->header = map;
	at += round_up(sizeof(*t->header));
	for (int key = 0; key < TABLE_KEYS; key++) {
		t->buckets[key] = (void *)at;
		at += round_up(t->buckets_n * sizeof(*t->buckets[key]));
	}
	t->tunnels = (void *)at;
	at += round_up(t->size * sizeof(*t->tunnels));
	t->sessions = (void *)at;
}

static void
measure(struct table *t, size_t tunnels, size_t sessions)
{
	t->size = tunnels;
	t->sessions_n = sessions;
	t->buckets_n = 1;
	while (t->buckets_n < tunnels)
		t->buckets_n *= 2;
	t->len = round_up(sizeof(*t->header)) +
		 TABLE_KEYS * round_up(t->buckets_n * sizeof(*t->buckets[0])) +
		 round_up(t->size * sizeof(*t->tunnels)) +
		 t->sessions_n * sizeof(*t->sessions);
}

/* Maps the memfd for the one writer, and opens it once more for those who only
 * read: a mapping made from that descriptor can never be made writable. */
static int
map_it(struct table *t)
{
	char path[sizeof("/proc/self/fd/") + 12];
	void *map =
	    mmap(NULL, t->len, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);

	if (map == MAP_FAILED)
		return -1;
	place(t, map);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd);
	t->read_fd = open(path, O_RDONLY | O_CLOEXEC);
	return t->read_fd == -1 ? -1 : 0;
}

/* The shared part. Sealed, so that nobody can shrink it under us. */
static int
share(struct table *t)
{
	t->fd =
	    memfd_create("ltserver-registry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (t->fd == -1 || ftruncate(t->fd, (off_t)t->len) == -1 ||
	    map_it(t) == -1)
		return -1;
	if (fcntl(t->fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1)
		return -1;
	t->header->magic = MAGIC;
	t->header->layout = LAYOUT;
	return getrandom(t->header->key, sizeof(t->header->key), 0) ==
		       (ssize_t)sizeof(t->header->key)
		   ? 0
		   : -1;
}

int
table_init(struct table *t, size_t tunnels, size_t sessions)
{
	memset(t, 0, sizeof(*t));
	t->fd = t->read_fd = -1;
	measure(t, tunnels, sessions);
	return share(t);
}

int
table_adopt(struct table *t, int fd, size_t tunnels, size_t sessions)
{
	struct stat st;

	memset(t, 0, sizeof(*t));
	t->fd = fd;
	t->read_fd = -1;
	measure(t, tunnels, sessions);
	if (fstat(fd, &st) == -1)
		return -1;
	if ((size_t)st.st_size == t->len) {
		if (map_it(t) == -1)
			return -1;
		if (table_is_sound(t))
			return 0;
	}
	errno = EPROTO;
	return -1;
}

int
table_layout(void)
{
	return LAYOUT * 65536 + (int)sizeof(struct table_tunnel_cell) +
	       (int)sizeof(struct table_session_cell);
}

int
table_read_only(struct table *t)
{
	void *map = mmap(NULL, t->len, PROT_READ, MAP_SHARED, t->read_fd, 0);

	if (map == MAP_FAILED)
		return -1;
	munmap(t->header, t->len);
	place(t, map);
	close(t->fd);
	close(t->read_fd);
	t->fd = t->read_fd = -1;
	if (table_is_sound(t))
		return 0;
	errno = EPROTO;
	return -1;
}

void
table_fini(struct table *t)
{
	if (t->header != NULL)
		munmap(t->header, t->len);
	if (t->fd != -1)
		close(t->fd);
	if (t->read_fd != -1)
		close(t->read_fd);
}

bool
table_is_sound(const struct table *t)
{
	return t->header->magic == MAGIC && t->header->layout == LAYOUT;
}
