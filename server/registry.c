/* SPDX-License-Identifier: ISC
 *
 * The tunnels and sessions. The master makes the table in shared memory and
 * writes it, and keeps an index of its own beside it in private memory: slots,
 * and who owns what. Workers only read the table.
 *
 * A tunnel has some seats, each with a session on it. What is needed to choose
 * one stands in the row of the tunnel, so it is written together with the row
 * of the session.
 */
#define _GNU_SOURCE

#include "server/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "server/registry_index.h"

#define SLOT_DIGITS 7 /* of the slot in a label, hexadecimal */
#define SLOTS_MAX   ((size_t)1 << (4 * SLOT_DIGITS))

/* The master's own part, still empty; NULL with errno. */
static struct registry *
new_index(size_t tunnels, size_t sessions)
{
	struct registry *r;

	if (tunnels == 0 || tunnels > SLOTS_MAX / REGISTRY_SHARE) {
		errno = EINVAL;
		return NULL;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->table.fd = r->table.read_fd = -1;
	r->owned = calloc(sessions, sizeof(*r->owned));
	if (slots_init(&r->tunnels, tunnels) == -1 ||
	    slots_init(&r->sessions, sessions) == -1 || r->owned == NULL) {
		registry_free(r);
		errno = ENOMEM;
		return NULL;
	}
	return r;
}

static void
free_failed(struct registry *r)
{
	int saved_errno = errno;

	registry_free(r);
	errno = saved_errno;
}

struct registry *
registry_new(size_t tunnels)
{
	size_t sessions = tunnels * REGISTRY_SHARE;
	struct registry *r = new_index(tunnels, sessions);

	if (r == NULL)
		return NULL;
	if (table_init(&r->table, tunnels, sessions) == -1) {
		free_failed(r);
		return NULL;
	}
	return r;
}

static void
free_index(struct registry *r)
{
	slots_fini(&r->tunnels);
	slots_fini(&r->sessions);
	free(r->owned);
	r->owned = NULL;
}

int
registry_read_only(struct registry *r)
{
	free_index(r);
	return table_read_only(&r->table);
}

/* Puts the session of a slot into the list of its owner, if it has one. */
static void
own(struct registry *r, uint32_t slot, uint32_t worker)
{
	struct owned *o = &r->owned[slot];

	if (o->is_in)
		LIST_REMOVE(o, entry);
	o->is_in = worker != REGISTRY_NO_WORKER;
	if (!o->is_in)
		return;
	assert(worker < OWNERS);
	LIST_INSERT_HEAD(&r->owners[worker], o, entry);
}

/* Finds out again what the index of a table was: a slot that is free begins
 * where no slot has been. */
static void
index_rows(struct registry *r, uint32_t generation)
{
	struct registry_session session;
	struct table_tunnel row;

	slots_begin(&r->tunnels, generation);
	for (uint32_t i = 0; i < r->table.size; i++)
		if (table_read_tunnel(&r->table, i, &row) &&
		    row.tunnel.ref.generation != 0)
			slots_adopt(&r->tunnels, i, row.tunnel.ref.generation);
	slots_begin(&r->sessions, generation);
	for (uint32_t i = 0; i < r->table.sessions_n; i++)
		if (table_read_session(&r->table, i, &session) &&
		    session.ref.generation != 0) {
			slots_adopt(&r->sessions, i, session.ref.generation);
			own(r, i, session.worker);
		}
}

struct registry *
registry_adopt(int fd, size_t tunnels, struct registry_used used)
{
	size_t sessions = tunnels * REGISTRY_SHARE;
	struct registry *r = new_index(tunnels, sessions);

	if (r == NULL)
		return NULL;
	if (table_adopt(&r->table, fd, tunnels, sessions) == -1) {
		free_failed(r);
		return NULL;
	}
	index_rows(r, used.generation);
	r->last_member = used.member;
	return r;
}

struct registry_used
registry_used(const struct registry *r)
{
	struct registry_used used = { .member = r->last_member };

	used.generation =
	    slots_highest(&r->tunnels, slots_highest(&r->sessions, 0));
	return used;
}

int
registry_fd(const struct registry *r)
{
	return r->table.fd;
}

void
registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	table_fini(&r->table);
	free_index(r);
	free(r);
}

size_t
registry_size(const struct registry *r)
{
	return r->table.size;
}

size_t
registry_sessions(const struct registry *r)
{
	return r->table.sessions_n;
}

size_t
registry_count(const struct registry *r)
{
	return table_count(&r->table);
}

static bool
find(const struct registry *r, enum table_key key, const char *text,
    struct registry_tunnel *tunnel)
{
	struct table_tunnel row;

	if (!table_find(&r->table, key, text, &row))
		return false;
	*tunnel = row.tunnel;
	return true;
}

bool
registry_find(
    const struct registry *r, const char *name, struct registry_tunnel *tunnel)
{
	return find(r, TABLE_NAME, name, tunnel);
}

bool
registry_find_domain(const struct registry *r, const char *domain,
    struct registry_tunnel *tunnel)
{
	return domain[0] != '\0' && find(r, TABLE_DOMAIN, domain, tunnel);
}

/* The row of a tunnel, if the ref is not stale. */
static bool
read_ref(
    const struct registry *r, struct registry_ref ref, struct table_tunnel *row)
{
	return ref.generation != 0 &&
	       table_read_tunnel(&r->table, ref.slot, row) &&
	       registry_ref_same(row->tunnel.ref, ref);
}

bool
registry_tunnel(const struct registry *r, struct registry_ref ref,
    struct registry_tunnel *tunnel)
{
	struct table_tunnel row;

	if (!read_ref(r, ref, &row))
		return false;
	*tunnel = row.tunnel;
	return true;
}

bool
registry_tunnel_at(
    const struct registry *r, size_t slot, struct registry_tunnel *tunnel)
{
	struct table_tunnel row;

	if (!table_read_tunnel(&r->table, (uint32_t)slot, &row) ||
	    row.tunnel.ref.generation == 0)
		return false;
	*tunnel = row.tunnel;
	return true;
}

bool
registry_session(const struct registry *r, struct registry_ref ref,
    struct registry_session *session)
{
	struct registry_session row;

	if (ref.generation == 0 ||
	    !table_read_session(&r->table, ref.slot, &row) ||
	    !registry_ref_same(row.ref, ref))
		return false;
	*session = row;
	return true;
}

bool
registry_session_at(
    const struct registry *r, size_t slot, struct registry_session *session)
{
	return table_read_session(&r->table, (uint32_t)slot, session) &&
	       session->ref.generation != 0;
}

bool
registry_find_session(const struct registry *r, const char *label,
    struct registry_session *session)
{
	struct registry_session row;
	char digits[SLOT_DIGITS + 1] = "";

	/* How the slot is written does not matter: all of it is compared. */
	if (label[0] != '\0')
		strncpy(digits, label + 1, SLOT_DIGITS);
	if (!table_read_session(
		&r->table, (uint32_t)strtoul(digits, NULL, 16), &row) ||
	    row.ref.generation == 0 || strcmp(row.label, label) != 0)
		return false;
	*session = row;
	return true;
}

/* "s", the slot, 64 random bits: 24 lower-case letters and digits. */
static bool
make_label(char label[REGISTRY_LABEL_MAX + 1], uint32_t slot)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		return false;
	return snprintf(label, REGISTRY_LABEL_MAX + 1, "s%0*x%016llx",
		   SLOT_DIGITS, slot,
		   (unsigned long long)bits) == REGISTRY_LABEL_MAX;
}

static struct registry_seat
seat_of(const struct registry_session *session)
{
	return (struct registry_seat){
		.session = session->ref,
		.worker = session->worker,
		.member = session->member,
	};
}

/* The seat of a session, whatever its generation; NULL if it has none. */
static struct registry_seat *
find_seat(struct registry_tunnel *tunnel, uint32_t slot)
{
	for (uint32_t i = 0; i < tunnel->seats_n; i++)
		if (tunnel->seats[i].session.slot == slot)
			return &tunnel->seats[i];
	return NULL;
}

/* Takes a slot for a session of a tunnel and gives it a label; false if there
 * is none. What it is like otherwise is the caller's. */
static bool
take_session(struct registry *r, struct registry_session *session,
    struct registry_ref tunnel)
{
	if (!slots_next(&r->sessions, &session->ref))
		return false;
	memset(session->label, 0, sizeof(session->label));
	if (!make_label(session->label, session->ref.slot))
		return false;
	slots_take(&r->sessions);
	session->tunnel = tunnel;
	session->grace_end_ms = 0;
	if (session->member == 0)
		session->member = r->last_member = slots_after(r->last_member);
	return true;
}

/* Writes the row of a session that has a slot, and its place in the lists. */
static void
write_session(struct registry *r, const struct registry_session *session)
{
	table_write_session(&r->table, session->ref.slot, session);
	own(r, session->ref.slot, session->worker);
}

/* Gives the slot of a session back. */
static void
put_session(struct registry *r, uint32_t slot)
{
	struct registry_session gone = { .ref = { .slot = slot } };

	table_write_session(&r->table, slot, &gone);
	own(r, slot, REGISTRY_NO_WORKER);
	slots_put(&r->sessions, slot);
}

/* Writes the row of a tunnel, then puts it at the head of its chains: that of
 * its name, and that of its domain if it has one. */
static void
insert(struct registry *r, struct table_tunnel *row)
{
	_Atomic uint32_t *buckets[TABLE_KEYS];

	table_begin(&r->table);
	for (int key = 0; key < TABLE_KEYS; key++) {
		buckets[key] =
		    table_bucket(&r->table, key, table_text(row, key));
		row->next[key] =
		    atomic_load_explicit(buckets[key], memory_order_relaxed);
	}
	table_write_tunnel(&r->table, row->tunnel.ref.slot, row);
	for (int key = 0; key < TABLE_KEYS; key++)
		if (table_text(row, key)[0] != '\0')
			atomic_store_explicit(buckets[key],
			    row->tunnel.ref.slot + 1, memory_order_release);
	table_end(&r->table, registry_count(r) + 1);
}

bool
registry_add(struct registry *r, const char *name,
    struct registry_session *session, const struct registry_tunnel *like,
    struct registry_tunnel *made)
{
	size_t len = strnlen(name, LTP_NAME_MAX + 1);
	struct table_tunnel row = { 0 };
	struct registry_ref ref;

	assert(registry_is_master(r));
	if (len == 0 || len > LTP_NAME_MAX || registry_find(r, name, made) ||
	    (like != NULL && registry_find_domain(r, like->domain, made)))
		return false;
	session->member = 0;
	if (!slots_next(&r->tunnels, &ref) || !take_session(r, session, ref))
		return false;
	slots_take(&r->tunnels);
	if (like != NULL)
		row.tunnel = *like;
	memset(row.tunnel.name, 0, sizeof(row.tunnel.name));
	memcpy(row.tunnel.name, name, len);
	row.tunnel.ref = ref;
	row.tunnel.kind = session->kind;
	row.tunnel.seats_n = 1;
	row.tunnel.seats[0] = seat_of(session);
	write_session(r, session);
	insert(r, &row);
	*made = row.tunnel;
	return true;
}

bool
registry_join(struct registry *r, struct registry_ref tunnel,
    struct registry_session *session)
{
	struct table_tunnel row;

	assert(registry_is_master(r));
	if (!read_ref(r, tunnel, &row) ||
	    row.tunnel.seats_n == REGISTRY_SEATS_MAX ||
	    !take_session(r, session, tunnel))
		return false;
	session->kind = row.tunnel.kind;
	row.tunnel.seats[row.tunnel.seats_n++] = seat_of(session);
	write_session(r, session);
	table_write_tunnel(&r->table, tunnel.slot, &row);
	return true;
}

/* Writes a session that has another owner, under a new generation, and its
 * seat. */
static bool
hand(struct registry *r, struct registry_session *session, uint32_t worker)
{
	struct registry_seat *seat;
	struct table_tunnel row;

	if (!table_read_tunnel(&r->table, session->tunnel.slot, &row) ||
	    (seat = find_seat(&row.tunnel, session->ref.slot)) == NULL)
		return false;
	session->worker = worker;
	session->ref.generation = slots_renew(&r->sessions, session->ref.slot);
	*seat = seat_of(session);
	write_session(r, session);
	table_write_tunnel(&r->table, session->tunnel.slot, &row);
	return true;
}

bool
registry_move(struct registry *r, struct registry_ref ref, uint32_t worker,
    const struct net_addr *peer, struct registry_session *session)
{
	assert(registry_is_master(r) && worker != REGISTRY_NO_WORKER);
	if (!registry_session(r, ref, session))
		return false;
	session->peer = *peer;
	session->grace_end_ms = 0;
	return hand(r, session, worker);
}

bool
registry_lose(struct registry *r, struct registry_ref ref,
    uint64_t grace_end_ms, struct registry_session *now)
{
	assert(registry_is_master(r) && grace_end_ms != 0);
	if (!registry_session(r, ref, now))
		return false;
	now->grace_end_ms = grace_end_ms;
	return hand(r, now, REGISTRY_NO_WORKER);
}

/* Takes a tunnel out of a chain: whatever pointed to it, the bucket or a row,
 * then points to what came after it. */
static void
take_out(struct registry *r, const struct table_tunnel *out, enum table_key key)
{
	_Atomic uint32_t *bucket =
	    table_bucket(&r->table, key, table_text(out, key));
	uint32_t self = out->tunnel.ref.slot + 1;
	uint32_t at = atomic_load_explicit(bucket, memory_order_relaxed);
	struct table_tunnel row;

	if (table_text(out, key)[0] == '\0')
		return;
	if (at == self) {
		atomic_store_explicit(
		    bucket, out->next[key], memory_order_release);
		return;
	}
	for (size_t steps = 0; at != 0 && steps < r->table.size; steps++) {
		if (!table_read_tunnel(&r->table, at - 1, &row))
			return;
		if (row.next[key] == self) {
			row.next[key] = out->next[key];
			table_write_tunnel(&r->table, at - 1, &row);
			return;
		}
		at = row.next[key];
	}
}

bool
registry_remove(struct registry *r, struct registry_ref ref)
{
	static const struct table_tunnel no_tunnel;
	struct table_tunnel row;

	assert(registry_is_master(r));
	if (!read_ref(r, ref, &row))
		return false;
	table_begin(&r->table);
	for (int key = 0; key < TABLE_KEYS; key++)
		take_out(r, &row, key);
	table_write_tunnel(&r->table, ref.slot, &no_tunnel);
	table_end(&r->table, registry_count(r) - 1);
	for (uint32_t i = 0; i < row.tunnel.seats_n; i++)
		put_session(r, row.tunnel.seats[i].session.slot);
	slots_put(&r->tunnels, ref.slot);
	return true;
}

bool
registry_drop(struct registry *r, struct registry_ref ref)
{
	struct registry_session session;
	struct registry_seat *seat;
	struct table_tunnel row;

	assert(registry_is_master(r));
	if (!registry_session(r, ref, &session) ||
	    !read_ref(r, session.tunnel, &row) ||
	    (seat = find_seat(&row.tunnel, ref.slot)) == NULL)
		return false;
	if (row.tunnel.seats_n == 1)
		return registry_remove(r, session.tunnel);
	*seat = row.tunnel.seats[--row.tunnel.seats_n];
	table_write_tunnel(&r->table, session.tunnel.slot, &row);
	put_session(r, ref.slot);
	return true;
}

void
registry_each_of(struct registry *r, uint32_t worker,
    void (*fn)(void *arg, const struct registry_session *), void *arg)
{
	struct registry_session session;
	struct owned *o, *next;

	assert(registry_is_master(r) && worker < OWNERS);
	for (o = LIST_FIRST(&r->owners[worker]); o != NULL; o = next) {
		next = LIST_NEXT(o, entry);
		if (table_read_session(
			&r->table, (uint32_t)(o - r->owned), &session))
			fn(arg, &session);
	}
}
