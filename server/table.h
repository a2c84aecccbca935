/* SPDX-License-Identifier: ISC
 *
 * The shared memory of the registry, and nothing else knows how it is laid
 * out: a header, the buckets that names and custom domains hash to, a cell for
 * each tunnel and one for each session. Only registry.c uses it.
 *
 *   memfd:   header | buckets | cells of tunnels | cells of sessions
 *
 * Links (in buckets and rows) are slot + 1, so that zeroed memory is an empty
 * table. Every cell is under a sequence lock of its own, all chains together
 * are under another one. Readers never wait for long and never loop, whatever
 * they find.
 */
#ifndef LT_SERVER_TABLE_H
#define LT_SERVER_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/registry.h"

struct table_session_cell;
struct table_tunnel_cell;
struct table_header;

/* By what a tunnel is found; each has chains of its own. */
enum table_key { TABLE_NAME, TABLE_DOMAIN, TABLE_KEYS };

struct table {
	int fd;		   /* of the memfd; -1 in a worker that has mapped it */
	int read_fd;	   /* the same, for reading only; -1 likewise */
	size_t size;	   /* rows of tunnels */
	size_t sessions_n; /* rows of sessions */
	size_t buckets_n;  /* a power of two */
	size_t len;	   /* of the mapping */
	struct table_header *header;
	_Atomic uint32_t *buckets[TABLE_KEYS];
	struct table_tunnel_cell *tunnels;
	struct table_session_cell *sessions;
};

/* What is in the cell of a tunnel; generation 0 if it is free. */
struct table_tunnel {
	struct registry_tunnel tunnel;
	uint32_t next[TABLE_KEYS]; /* links */
};

/* The name or the domain of a tunnel. */
static inline const char *
table_text(const struct table_tunnel *row, enum table_key key)
{
	return key == TABLE_NAME ? row->tunnel.name : row->tunnel.domain;
}

/* Makes an empty table, or the mapping of one read-only; -1 with errno.
 * table_fini() takes one that is all zero but for both fds -1 too. */
int table_init(struct table *, size_t tunnels, size_t sessions);

/* The same from the memfd of a table that another program has made; it takes
 * over `fd`. */
int table_adopt(struct table *, int fd, size_t tunnels, size_t sessions);
int table_read_only(struct table *);
void table_fini(struct table *);

/* A number for how the memfd is laid out. */
int table_layout(void);

/* True if the header is that of such a table. */
bool table_is_sound(const struct table *);

/* Where the chain of a name or a domain begins. */
_Atomic uint32_t *table_bucket(
    const struct table *, enum table_key, const char *text);

/* A consistent copy; false if the slot is out of range or its cell is being
 * written for too long. */
bool table_read_tunnel(
    const struct table *, uint32_t slot, struct table_tunnel *);
bool table_read_session(
    const struct table *, uint32_t slot, struct registry_session *);

/* Looks a name or a domain up. */
bool table_find(const struct table *, enum table_key, const char *text,
    struct table_tunnel *);

/* How many tunnels there are, as the writer said last. */
size_t table_count(const struct table *);

/* The one writer. What changes chains stands between begin and end. */
void table_write_tunnel(
    struct table *, uint32_t slot, const struct table_tunnel *);
void table_write_session(
    struct table *, uint32_t slot, const struct registry_session *);
void table_begin(struct table *);
void table_end(struct table *, size_t count);

#endif
