/* SPDX-License-Identifier: ISC
 *
 * The tunnels and sessions. The master makes the table in shared memory and
 * writes it, and keeps an index of its own beside it in private memory: free
 * slots, who owns what, generations. Workers only read the table.
 *
 * A tunnel and its session have the same slot. Readers do not rely on that:
 * they follow the refs in the rows.
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

#include "server/config.h"
#include "server/table.h"

#define SLOT_DIGITS 7 /* of the slot in a label, hexadecimal */
#define SLOTS_MAX   ((size_t)1 << (4 * SLOT_DIGITS))
#define OWNERS	    (4 * CONFIG_WORKERS_MAX) /* more than worker slots */

/* What the master knows of a tunnel and its session. */
struct slot {
	STAILQ_ENTRY(slot) free;
	LIST_ENTRY(slot) owned;
	bool is_owned;		     /* it is in a list of owners */
	uint32_t tunnel_generation;  /* the last one that was used */
	uint32_t session_generation; /* the same */
};

STAILQ_HEAD(slot_queue, slot);
LIST_HEAD(slot_list, slot);

struct registry {
	struct table table;

	/* The master's own. */
	struct slot *slots;	/* NULL in a worker */
	struct slot_queue free; /* FIFO: a slot rests as long as it can */
	struct slot_list owned[OWNERS];
};

struct registry *
registry_new(size_t tunnels)
{
	struct registry *r;
	int saved_errno;

	if (tunnels == 0 || tunnels > SLOTS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->slots = calloc(tunnels, sizeof(*r->slots));
	r->table.fd = -1;
	if (r->slots == NULL || table_init(&r->table, tunnels) == -1) {
		saved_errno = errno;
		registry_free(r);
		errno = saved_errno;
		return NULL;
	}
	STAILQ_INIT(&r->free);
	for (size_t i = 0; i < tunnels; i++)
		STAILQ_INSERT_TAIL(&r->free, &r->slots[i], free);
	return r;
}

int
registry_read_only(struct registry *r)
{
	free(r->slots);
	r->slots = NULL;
	return table_read_only(&r->table);
}

void
registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	table_fini(&r->table);
	free(r->slots);
	free(r);
}

size_t
registry_size(const struct registry *r)
{
	return r->table.size;
}

size_t
registry_count(const struct registry *r)
{
	return table_count(&r->table);
}

bool
registry_find(
    const struct registry *r, const char *name, struct registry_tunnel *tunnel)
{
	struct table_tunnel row;

	if (!table_find(&r->table, name, &row))
		return false;
	*tunnel = row.tunnel;
	return true;
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
registry_find_session(const struct registry *r, const char *label,
    struct registry_session *session)
{
	struct registry_session row;
	unsigned slot;

	/* How the slot is written does not matter: all of it is compared. */
	if (sscanf(label, "s%7x", &slot) != 1 ||
	    !table_read_session(&r->table, slot, &row) ||
	    row.ref.generation == 0 || strcmp(row.label, label) != 0)
		return false;
	*session = row;
	return true;
}

static bool
is_master(const struct registry *r)
{
	return r->slots != NULL;
}

/* The next generation of a slot; none is 0. */
static uint32_t
renew(uint32_t *generation)
{
	if (++*generation == 0)
		++*generation;
	return *generation;
}

/* Puts the session of a slot into the list of its owner, if it has one. */
static void
own(struct registry *r, struct slot *s, uint32_t worker)
{
	if (s->is_owned)
		LIST_REMOVE(s, owned);
	s->is_owned = worker != REGISTRY_NO_WORKER;
	if (!s->is_owned)
		return;
	assert(worker < OWNERS);
	LIST_INSERT_HEAD(&r->owned[worker], s, owned);
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

/* Writes both rows, then puts the tunnel at the head of its chain. */
static void
insert(struct registry *r, const struct registry_session *session,
    struct table_tunnel *row)
{
	_Atomic uint32_t *bucket = table_bucket(&r->table, row->tunnel.name);

	table_begin(&r->table);
	row->next = atomic_load_explicit(bucket, memory_order_relaxed);
	table_write_session(&r->table, session->ref.slot, session);
	table_write_tunnel(&r->table, row->tunnel.ref.slot, row);
	atomic_store_explicit(
	    bucket, row->tunnel.ref.slot + 1, memory_order_release);
	table_end(&r->table, registry_count(r) + 1);
}

bool
registry_add(struct registry *r, const char *name,
    struct registry_session *session, struct registry_tunnel *made)
{
	size_t len = strnlen(name, LTP_NAME_MAX + 1);
	struct slot *s = STAILQ_FIRST(&r->free);
	struct table_tunnel row;
	uint32_t slot;

	assert(is_master(r));
	if (s == NULL || len == 0 || len > LTP_NAME_MAX ||
	    registry_find(r, name, made))
		return false;
	slot = (uint32_t)(s - r->slots);
	memset(session->label, 0, sizeof(session->label));
	if (!make_label(session->label, slot))
		return false;
	STAILQ_REMOVE_HEAD(&r->free, free);
	memset(&row, 0, sizeof(row));
	memcpy(row.tunnel.name, name, len);
	row.tunnel.ref.slot = slot;
	row.tunnel.ref.generation = renew(&s->tunnel_generation);
	session->tunnel = row.tunnel.ref;
	session->ref.slot = slot;
	session->ref.generation = renew(&s->session_generation);
	row.tunnel.session = session->ref;
	insert(r, session, &row);
	own(r, s, session->worker);
	*made = row.tunnel;
	return true;
}

/* Writes a session that has another owner, under a new generation, and the
 * tunnel that refers to it. */
static bool
hand(struct registry *r, struct registry_session *session, uint32_t worker,
    uint64_t grace_end_ms)
{
	struct slot *s = &r->slots[session->ref.slot];
	struct table_tunnel row;

	if (!table_read_tunnel(&r->table, session->tunnel.slot, &row))
		return false;
	session->worker = worker;
	session->ref.generation = renew(&s->session_generation);
	row.tunnel.session = session->ref;
	row.tunnel.grace_end_ms = grace_end_ms;
	table_write_session(&r->table, session->ref.slot, session);
	table_write_tunnel(&r->table, session->tunnel.slot, &row);
	own(r, s, worker);
	return true;
}

bool
registry_move(struct registry *r, struct registry_ref ref, uint32_t worker,
    const struct net_addr *peer, struct registry_session *session)
{
	assert(is_master(r) && worker != REGISTRY_NO_WORKER);
	if (!registry_session(r, ref, session))
		return false;
	session->peer = *peer;
	return hand(r, session, worker, 0);
}

bool
registry_lose(struct registry *r, struct registry_ref ref,
    uint64_t grace_end_ms, struct registry_session *now)
{
	assert(is_master(r) && grace_end_ms != 0);
	if (!registry_session(r, ref, now))
		return false;
	return hand(r, now, REGISTRY_NO_WORKER, grace_end_ms);
}

/* Takes a tunnel out of its chain: whatever pointed to it, the bucket or a
 * row, then points to what came after it. */
static void
take_out(struct registry *r, const struct table_tunnel *out)
{
	_Atomic uint32_t *bucket = table_bucket(&r->table, out->tunnel.name);
	uint32_t self = out->tunnel.ref.slot + 1;
	uint32_t at = atomic_load_explicit(bucket, memory_order_relaxed);
	struct table_tunnel row;

	if (at == self) {
		atomic_store_explicit(bucket, out->next, memory_order_release);
		return;
	}
	for (size_t steps = 0; at != 0 && steps < r->table.size; steps++) {
		if (!table_read_tunnel(&r->table, at - 1, &row))
			return;
		if (row.next == self) {
			row.next = out->next;
			table_write_tunnel(&r->table, at - 1, &row);
			return;
		}
		at = row.next;
	}
}

bool
registry_remove(struct registry *r, struct registry_ref ref)
{
	static const struct table_tunnel no_tunnel;
	struct registry_session gone = { .ref = { .slot = ref.slot } };
	struct table_tunnel row;
	struct slot *s;

	assert(is_master(r));
	if (!read_ref(r, ref, &row))
		return false;
	s = &r->slots[ref.slot];
	table_begin(&r->table);
	take_out(r, &row);
	table_write_tunnel(&r->table, ref.slot, &no_tunnel);
	table_write_session(&r->table, ref.slot, &gone);
	table_end(&r->table, registry_count(r) - 1);
	own(r, s, REGISTRY_NO_WORKER);
	STAILQ_INSERT_TAIL(&r->free, s, free);
	return true;
}

void
registry_each_of(struct registry *r, uint32_t worker,
    void (*fn)(void *arg, const struct registry_session *), void *arg)
{
	struct registry_session session;
	struct slot *s, *next;

	assert(is_master(r) && worker < OWNERS);
	for (s = LIST_FIRST(&r->owned[worker]); s != NULL; s = next) {
		next = LIST_NEXT(s, owned);
		if (table_read_session(
			&r->table, (uint32_t)(s - r->slots), &session))
			fn(arg, &session);
	}
}

/* A tunnel that is in use, and its session. */
static const char *
check_pair(const struct registry *r, const struct registry_tunnel *t)
{
	struct registry_session session, found;
	struct registry_tunnel again;

	if (!registry_session(r, t->session, &session))
		return "a tunnel without its session";
	if (!registry_ref_same(session.tunnel, t->ref))
		return "a session of another tunnel";
	if ((session.worker == REGISTRY_NO_WORKER) != (t->grace_end_ms != 0))
		return "a tunnel that is held and live, or neither";
	if (!registry_find(r, t->name, &again) ||
	    !registry_ref_same(again.ref, t->ref))
		return "a tunnel that is not found by its name";
	if (!registry_find_session(r, session.label, &found) ||
	    !registry_ref_same(found.ref, session.ref))
		return "a session that is not found by its label";
	if (is_master(r) && r->slots[session.ref.slot].is_owned !=
				(session.worker != REGISTRY_NO_WORKER))
		return "a session in no list, or in one too many";
	return NULL;
}

/* The rows one by one; *used counts those in use. */
static const char *
check_rows(const struct registry *r, size_t *used)
{
	struct registry_session session;
	struct table_tunnel row;
	const char *wrong;

	for (uint32_t i = 0; i < r->table.size; i++) {
		if (!table_read_tunnel(&r->table, i, &row) ||
		    !table_read_session(&r->table, i, &session))
			return "a row that is being written for ever";
		if ((row.tunnel.ref.generation == 0) !=
		    (session.ref.generation == 0))
			return "a session without its tunnel";
		if (row.tunnel.ref.generation == 0)
			continue;
		++*used;
		if (row.tunnel.ref.slot != i)
			return "a row that names another slot";
		if ((wrong = check_pair(r, &row.tunnel)) != NULL)
			return wrong;
	}
	return NULL;
}

/* All chains; a circle, or a row in two of them, has more links than rows. */
static const char *
check_chains(const struct registry *r, size_t used)
{
	struct table_tunnel row;
	size_t links = 0;

	for (size_t i = 0; i < r->table.buckets_n; i++)
		for (uint32_t at = r->table.buckets[i]; at != 0;
		     at = row.next) {
			if (++links > used)
				return "a chain too long";
			if (!table_read_tunnel(&r->table, at - 1, &row))
				return "a chain that leads out of the table";
			if (table_bucket(&r->table, row.tunnel.name) !=
			    &r->table.buckets[i])
				return "a tunnel in another name's chain";
		}
	return links == used ? NULL : "a tunnel in no chain";
}

/* The master's own index. */
static const char *
check_index(const struct registry *r, size_t used)
{
	struct registry_session session;
	const struct slot *s;
	size_t n = 0;

	STAILQ_FOREACH (s, &r->free, free)
		if (++n > r->table.size)
			return "the free list is a circle";
	if (n + used != r->table.size)
		return "a slot is lost, or used while it is free";
	n = 0;
	for (uint32_t i = 0; i < OWNERS; i++)
		LIST_FOREACH (s, &r->owned[i], owned) {
			if (++n > used)
				return "an owner's list is a circle";
			if (!table_read_session(&r->table,
				(uint32_t)(s - r->slots), &session) ||
			    session.worker != i)
				return "a session in another owner's list";
		}
	return NULL;
}

const char *
registry_check(const struct registry *r)
{
	const char *wrong;
	size_t used = 0;

	if (!table_is_sound(&r->table))
		return "not a registry";
	if ((wrong = check_rows(r, &used)) != NULL ||
	    (wrong = check_chains(r, used)) != NULL)
		return wrong;
	if (used != registry_count(r))
		return "the count is wrong";
	return is_master(r) ? check_index(r, used) : NULL;
}
