/* SPDX-License-Identifier: ISC
 *
 * The auditor of the registry: says what is wrong with a table, for tests and
 * fuzzing. It changes nothing, and believes nothing that it has not seen.
 */
#include "server/registry.h"

#include "server/registry_index.h"

/* A session that is in use, and its seat. */
static const char *
check_seat(const struct registry *r, const struct registry_tunnel *t,
    const struct registry_seat *seat)
{
	struct registry_session session, found;

	if (!registry_session(r, seat->session, &session))
		return "a seat without its session";
	if (!registry_ref_same(session.tunnel, t->ref))
		return "a session of another tunnel";
	if (session.worker != seat->worker || session.member != seat->member ||
	    session.kind != t->kind)
		return "a session and a seat that differ";
	if ((session.worker == REGISTRY_NO_WORKER) !=
	    (session.grace_end_ms != 0))
		return "a session that is held and live, or neither";
	if (!registry_find_session(r, session.label, &found) ||
	    !registry_ref_same(found.ref, session.ref))
		return "a session that is not found by its label";
	if (registry_is_master(r) && r->owned[session.ref.slot].is_in !=
					 (session.worker != REGISTRY_NO_WORKER))
		return "a session in no list, or in one too many";
	return NULL;
}

/* A tunnel that is in use, and its seats. */
static const char *
check_tunnel(const struct registry *r, const struct registry_tunnel *t)
{
	struct registry_tunnel again;
	const char *wrong = NULL;

	if (t->seats_n == 0)
		return "a tunnel without sessions";
	for (uint32_t i = 0; i < t->seats_n && wrong == NULL; i++)
		wrong = check_seat(r, t, &t->seats[i]);
	if (wrong != NULL)
		return wrong;
	if (!registry_find(r, t->name, &again) ||
	    !registry_ref_same(again.ref, t->ref))
		return "a tunnel that is not found by its name";
	if (t->domain[0] != '\0' &&
	    (!registry_find_domain(r, t->domain, &again) ||
		!registry_ref_same(again.ref, t->ref)))
		return "a tunnel that is not found by its domain";
	return NULL;
}

/* The rows of tunnels one by one; counts those in use, those with a domain, and
 * their seats. */
static const char *
check_tunnels(const struct registry *r, size_t used[TABLE_KEYS], size_t *seats)
{
	struct table_tunnel row;
	const char *wrong;

	for (uint32_t i = 0; i < r->table.size; i++) {
		if (!table_read_tunnel(&r->table, i, &row))
			return "a row that is being written for ever";
		if (row.tunnel.ref.generation == 0)
			continue;
		used[TABLE_NAME]++;
		used[TABLE_DOMAIN] += row.tunnel.domain[0] != '\0';
		*seats += row.tunnel.seats_n;
		if (row.tunnel.ref.slot != i)
			return "a row that names another slot";
		if ((wrong = check_tunnel(r, &row.tunnel)) != NULL)
			return wrong;
	}
	return NULL;
}

/* The rows of sessions: as many in use as there are seats, which were looked
 * at before. */
static const char *
check_sessions(const struct registry *r, size_t seats)
{
	struct registry_session session;
	size_t used = 0;

	for (uint32_t i = 0; i < r->table.sessions_n; i++) {
		if (!table_read_session(&r->table, i, &session))
			return "a row that is being written for ever";
		used += session.ref.generation != 0;
	}
	return used == seats ? NULL : "a session without its tunnel";
}

/* The chains of one kind; a circle, or a row in two of them, has more links
 * than rows. */
static const char *
check_chains(const struct registry *r, enum table_key key, size_t used)
{
	struct table_tunnel row;
	size_t links = 0;

	for (size_t i = 0; i < r->table.buckets_n; i++)
		for (uint32_t at = r->table.buckets[key][i]; at != 0;
		     at = row.next[key]) {
			if (++links > used)
				return "a chain too long";
			if (!table_read_tunnel(&r->table, at - 1, &row))
				return "a chain that leads out of the table";
			if (table_bucket(
				&r->table, key, table_text(&row, key)) !=
			    &r->table.buckets[key][i])
				return "a tunnel in another name's chain";
		}
	return links == used ? NULL : "a tunnel in no chain";
}

/* The master's own index: what is free, */
static const char *
check_free(const struct registry *r, size_t used, size_t seats)
{
	if (slots_free(&r->tunnels) + used != r->table.size)
		return "a slot is lost, or used while it is free";
	if (slots_free(&r->sessions) + seats != r->table.sessions_n)
		return "a session's slot is lost, or used while it is free";
	return NULL;
}

/* and who owns what. */
static const char *
check_owners(const struct registry *r, size_t seats)
{
	struct registry_session session;
	const struct owned *o;
	size_t n = 0;

	for (uint32_t i = 0; i < OWNERS; i++)
		LIST_FOREACH (o, &r->owners[i], entry) {
			if (++n > seats)
				return "an owner's list is a circle";
			if (!table_read_session(&r->table,
				(uint32_t)(o - r->owned), &session) ||
			    session.worker != i)
				return "a session in another owner's list";
		}
	return NULL;
}

const char *
registry_check(const struct registry *r)
{
	const char *wrong;
	size_t used[TABLE_KEYS] = { 0 }, seats = 0;

	if (!table_is_sound(&r->table))
		return "not a registry";
	if ((wrong = check_tunnels(r, used, &seats)) != NULL ||
	    (wrong = check_sessions(r, seats)) != NULL ||
	    (wrong = check_chains(r, TABLE_NAME, used[TABLE_NAME])) != NULL ||
	    (wrong = check_chains(r, TABLE_DOMAIN, used[TABLE_DOMAIN])) != NULL)
		return wrong;
	if (used[TABLE_NAME] != registry_count(r))
		return "the count is wrong";
	if (!registry_is_master(r))
		return NULL;
	wrong = check_free(r, used[TABLE_NAME], seats);
	return wrong != NULL ? wrong : check_owners(r, seats);
}
