/* SPDX-License-Identifier: ISC
 *
 * The registry, as the master writes it and as other processes read it while
 * it is written. After every change the auditor looks at all of it.
 */
#define _GNU_SOURCE

#include "server/registry.h"

#include <assert.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct registry *reg;

static void
sound(void)
{
	ck_assert_pstr_eq(registry_check(reg), NULL);
}

static void
make(size_t size)
{
	reg = registry_new(size);
	ck_assert_ptr_nonnull(reg);
	sound();
}

static void
end(void)
{
	sound();
	registry_free(reg);
}

/* A tunnel whose session belongs to `worker`; the rest follows from `mark`. */
static bool
add(const char *name, uint32_t worker, uint8_t mark,
    struct registry_tunnel *tunnel, struct registry_session *session)
{
	bool added;

	memset(session, 0, sizeof(*session));
	session->worker = worker;
	session->dialect = mark & 1 ? REGISTRY_EXT : REGISTRY_OLD;
	memset(session->secret, mark, sizeof(session->secret));
	memset(session->client, mark, sizeof(session->client));
	ck_assert_int_eq(net_addr_from(&session->peer, "192.0.2.1", mark), 0);
	added = registry_add(reg, name, session, NULL, tunnel);
	sound();
	return added;
}

START_TEST(added_tunnel_is_found)
{
	struct registry_tunnel t, found;
	struct registry_session s, got;

	make(8);
	ck_assert_uint_eq(registry_size(reg), 8);
	ck_assert(!registry_find(reg, "demo", &found));
	ck_assert(add("demo", 3, 7, &t, &s));
	ck_assert_uint_eq(registry_count(reg), 1);
	ck_assert(t.ref.generation != 0 && s.ref.generation != 0);
	ck_assert(registry_find(reg, "demo", &found));
	ck_assert(registry_ref_same(found.ref, t.ref));
	ck_assert(registry_ref_same(found.seats[0].session, s.ref));
	ck_assert(registry_is_live(&found));
	ck_assert_str_eq(found.name, "demo");
	ck_assert(registry_session(reg, found.seats[0].session, &got));
	ck_assert_mem_eq(&got, &s, sizeof(got));
	ck_assert_uint_eq(got.worker, 3);
	ck_assert(got.dialect == REGISTRY_EXT && got.secret[31] == 7 &&
		  got.client[0] == 7);
	ck_assert_uint_eq(net_addr_port(&got.peer), 7);
	ck_assert(!registry_find(reg, "dem", &found));
	ck_assert(!registry_find(reg, "demos", &found));
	ck_assert(!registry_find(reg, "", &found));
	end();
}
END_TEST

START_TEST(label_is_a_random_dns_label)
{
	struct registry_tunnel t;
	struct registry_session a, b, got;
	char label[REGISTRY_LABEL_MAX + 1];

	make(1);
	ck_assert(add("demo", 0, 1, &t, &a));
	ck_assert(a.label[0] >= 'a' && a.label[0] <= 'z');
	ck_assert_uint_eq(strspn(a.label, "abcdefghijklmnopqrstuvwxyz012345"
					  "6789"),
	    strlen(a.label));
	ck_assert(registry_find_session(reg, a.label, &got));
	ck_assert(registry_ref_same(got.ref, a.ref));

	/* Every character counts. */
	for (size_t i = 0; a.label[i] != '\0'; i++) {
		strcpy(label, a.label);
		label[i] = label[i] == '0' ? '1' : '0';
		ck_assert(!registry_find_session(reg, label, &got));
	}
	strcpy(label, a.label);
	label[strlen(label) - 1] = '\0';
	ck_assert(!registry_find_session(reg, label, &got));
	ck_assert(!registry_find_session(reg, "", &got));
	ck_assert(!registry_find_session(reg, "s", &got));
	ck_assert(!registry_find_session(reg, "s-1", &got));
	ck_assert(!registry_find_session(reg, "sfffffff", &got));

	/* The next one in the same slot has another. */
	do {
		ck_assert(registry_remove(reg, t.ref));
		ck_assert(add("demo", 0, 1, &t, &b));
	} while (a.ref.slot != b.ref.slot);
	ck_assert_str_ne(a.label, b.label);
	ck_assert(!registry_find_session(reg, a.label, &got));
	end();
}
END_TEST

START_TEST(move_makes_old_refs_stale)
{
	struct registry_tunnel t, found;
	struct registry_session s, moved, got;
	struct net_addr peer;

	make(4);
	ck_assert(add("demo", 1, 5, &t, &s));
	ck_assert_int_eq(net_addr_from(&peer, "2001:db8::1", 9), 0);
	ck_assert(registry_move(reg, s.ref, 2, &peer, &moved));
	sound();
	ck_assert_uint_eq(moved.worker, 2);
	ck_assert_uint_eq(moved.ref.slot, s.ref.slot);
	ck_assert_uint_ne(moved.ref.generation, s.ref.generation);
	ck_assert_str_eq(moved.label, s.label);
	ck_assert(net_addr_same_host(&moved.peer, &peer));
	ck_assert(!registry_session(reg, s.ref, &got));
	ck_assert(registry_session(reg, moved.ref, &got));
	ck_assert_mem_eq(&got, &moved, sizeof(got));
	ck_assert(registry_tunnel(reg, t.ref, &found));
	ck_assert(registry_ref_same(found.seats[0].session, moved.ref));
	ck_assert(!registry_move(reg, s.ref, 3, &peer, &got));
	ck_assert(!registry_lose(reg, s.ref, 1, &got));

	/* To the same worker again: a new generation all the same. */
	ck_assert(registry_move(reg, moved.ref, 2, &peer, &got));
	ck_assert_uint_ne(moved.ref.generation, got.ref.generation);
	end();
}
END_TEST

START_TEST(lost_session_holds_the_name)
{
	struct registry_tunnel t, found;
	struct registry_session s, now, got;

	make(4);
	ck_assert(add("demo", 1, 5, &t, &s));
	ck_assert(registry_lose(reg, s.ref, 12345, &now));
	sound();
	ck_assert_uint_eq(now.worker, REGISTRY_NO_WORKER);
	ck_assert(!registry_session(reg, s.ref, &got));
	ck_assert(registry_find(reg, "demo", &found));
	ck_assert(!registry_is_live(&found));
	ck_assert_uint_eq(now.grace_end_ms, 12345);
	ck_assert(registry_ref_same(found.ref, t.ref));
	ck_assert(registry_session(reg, found.seats[0].session, &got));
	ck_assert_uint_eq(got.worker, REGISTRY_NO_WORKER);
	ck_assert(registry_find_session(reg, s.label, &got));
	ck_assert(!add("demo", 1, 5, &found, &got));

	ck_assert(registry_move(reg, now.ref, 1, &s.peer, &got));
	sound();
	ck_assert(registry_find(reg, "demo", &found));
	ck_assert(registry_is_live(&found));
	ck_assert_uint_eq(got.grace_end_ms, 0);
	end();
}
END_TEST

/* One more session for a tunnel, of a client that is there or of another. */
static bool
join(const struct registry_tunnel *t, uint32_t worker, uint32_t member,
    struct registry_session *session)
{
	bool joined;

	memset(session, 0, sizeof(*session));
	session->worker = worker;
	session->dialect = REGISTRY_EXT;
	session->member = member;
	joined = registry_join(reg, t->ref, session);
	sound();
	return joined;
}

START_TEST(sessions_share_a_tunnel)
{
	struct registry_session s[3], now, got;
	struct registry_tunnel t, found;

	make(2);
	ck_assert(add("demo", 1, 5, &t, &s[0]));
	ck_assert(join(&t, 2, s[0].member, &s[1]));
	ck_assert(join(&t, 3, 0, &s[2]));
	ck_assert_uint_eq(s[1].member, s[0].member);
	ck_assert_uint_ne(s[2].member, s[0].member);
	ck_assert_str_ne(s[1].label, s[0].label);
	ck_assert(registry_find(reg, "demo", &found));
	ck_assert_uint_eq(found.seats_n, 3);
	ck_assert_uint_eq(found.seats[1].worker, 2);
	ck_assert(registry_ref_same(found.seats[2].session, s[2].ref));
	ck_assert_uint_eq(registry_count(reg), 1);

	/* It is live as long as one of them is. */
	ck_assert(registry_lose(reg, s[0].ref, 1, &now));
	ck_assert(registry_lose(reg, s[2].ref, 1, &s[2]));
	sound();
	ck_assert(registry_find(reg, "demo", &found));
	ck_assert(registry_is_live(&found));
	ck_assert(registry_lose(reg, s[1].ref, 1, &s[1]));
	ck_assert(registry_find(reg, "demo", &found));
	ck_assert(!registry_is_live(&found));

	/* Each goes by itself, the last one with the tunnel. */
	ck_assert(registry_drop(reg, now.ref));
	ck_assert(!registry_drop(reg, now.ref));
	ck_assert(!registry_session(reg, now.ref, &got));
	sound();
	ck_assert(registry_drop(reg, s[1].ref));
	sound();
	ck_assert_uint_eq(registry_count(reg), 1);
	ck_assert(registry_drop(reg, s[2].ref));
	sound();
	ck_assert_uint_eq(registry_count(reg), 0);
	ck_assert(!join(&t, 1, 0, &got));
	end();
}
END_TEST

START_TEST(seats_run_out)
{
	struct registry_tunnel t, other;
	struct registry_session s;

	make(16);
	ck_assert_uint_eq(registry_sessions(reg), 16 * REGISTRY_SHARE);
	ck_assert(add("demo", 1, 5, &t, &s));
	for (int i = 1; i < REGISTRY_SEATS_MAX; i++)
		ck_assert(join(&t, (uint32_t)i % 4, 0, &s));
	ck_assert(!join(&t, 1, 0, &s));
	/* And so do sessions. */
	ck_assert(add("b", 1, 5, &other, &s));
	for (int i = 1; i < REGISTRY_SEATS_MAX; i++)
		ck_assert(join(&other, 1, 0, &s));
	ck_assert(add("c", 1, 5, &other, &s));
	for (int i = 1; i < REGISTRY_SEATS_MAX; i++)
		ck_assert(join(&other, 1, 0, &s));
	ck_assert(add("d", 1, 5, &other, &s));
	for (int i = 1; i < REGISTRY_SEATS_MAX; i++)
		ck_assert(join(&other, 1, 0, &s));
	ck_assert(!add("e", 1, 5, &other, &s));
	ck_assert(registry_remove(reg, t.ref));
	sound();
	ck_assert(add("e", 1, 5, &other, &s));
	end();
}
END_TEST

START_TEST(removed_tunnel_leaves_nothing)
{
	struct registry_tunnel t, again, found;
	struct registry_session s, next, got;

	make(1);
	ck_assert(add("demo", 1, 5, &t, &s));
	ck_assert(registry_remove(reg, t.ref));
	sound();
	ck_assert_uint_eq(registry_count(reg), 0);
	ck_assert(!registry_remove(reg, t.ref));
	ck_assert(!registry_find(reg, "demo", &found));
	ck_assert(!registry_tunnel(reg, t.ref, &found));
	ck_assert(!registry_session(reg, s.ref, &got));
	ck_assert(!registry_find_session(reg, s.label, &got));

	/* The slot is used again, the refs are not. */
	ck_assert(add("other", 1, 5, &again, &next));
	ck_assert_uint_eq(again.ref.slot, t.ref.slot);
	ck_assert(!registry_ref_same(again.ref, t.ref));
	ck_assert(!registry_ref_same(next.ref, s.ref));
	ck_assert(!registry_tunnel(reg, t.ref, &found));
	ck_assert(!registry_session(reg, s.ref, &got));
	ck_assert(!registry_remove(reg, t.ref));
	end();
}
END_TEST

START_TEST(refs_from_nowhere_are_refused)
{
	static const struct registry_ref refs[] = { { 0, 0 }, { 1, 0 },
		{ 0, 77 }, { 4, 1 }, { UINT32_MAX, 1 }, { UINT32_MAX, 0 } };
	struct registry_tunnel t;
	struct registry_session s;
	struct net_addr peer = { 0 };

	make(4);
	ck_assert(add("demo", 1, 5, &t, &s));
	for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
		ck_assert(!registry_tunnel(reg, refs[i], &t));
		ck_assert(!registry_session(reg, refs[i], &s));
		ck_assert(!registry_move(reg, refs[i], 1, &peer, &s));
		ck_assert(!registry_lose(reg, refs[i], 1, &s));
		ck_assert(!registry_remove(reg, refs[i]));
		sound();
	}
	end();
}
END_TEST

/* A full table of tunnels with a domain each: found by either, in whatever
 * order they go. */
START_TEST(domains)
{
	enum { N = 64 };
	struct registry_tunnel like = { 0 }, t[N], found;
	struct registry_session s = { .kind = REGISTRY_HTTP };
	char name[16];

	make(N);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		memset(like.domain, 0, sizeof(like.domain));
		snprintf(like.domain, sizeof(like.domain), "d%d.example", i);
		like.has_token = true;
		memset(like.token, i, sizeof(like.token));
		ck_assert(registry_add(reg, name, &s, &like, &t[i]));
		sound();
	}
	/* One of a length that fills the field is told from others. */
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		ck_assert(registry_find_domain(reg, name, &found));
		ck_assert(registry_ref_same(found.ref, t[i].ref));
		ck_assert_str_eq(found.domain, name);
		ck_assert(found.has_token && found.token[31] == i);
	}
	for (int i = 0; i < N; i++) {
		int k = i * 37 % N;

		ck_assert(registry_remove(reg, t[k].ref));
		sound();
		ck_assert(!registry_find_domain(reg, t[k].domain, &found));
	}
	/* One domain, one tunnel; without one there is no look-up. */
	ck_assert(registry_add(reg, "a", &s, &like, &t[0]));
	ck_assert(!registry_add(reg, "b", &s, &like, &t[1]));
	memset(&like, 0, sizeof(like));
	ck_assert(registry_add(reg, "b", &s, &like, &t[1]));
	ck_assert(registry_add(reg, "c", &s, NULL, &t[2]));
	ck_assert(!registry_find_domain(reg, "", &found));
	memset(like.domain, 'x', REGISTRY_DOMAIN_MAX);
	ck_assert(registry_add(reg, "long", &s, &like, &t[3]));
	ck_assert(registry_find_domain(reg, like.domain, &found));
	like.domain[REGISTRY_DOMAIN_MAX - 1] = 'y';
	ck_assert(!registry_find_domain(reg, like.domain, &found));
	end();
}
END_TEST

START_TEST(bad_sizes_and_names_are_refused)
{
	struct registry_tunnel t;
	struct registry_session s;
	char longest[LTP_NAME_MAX + 2];

	errno = 0;
	ck_assert_ptr_null(registry_new(0));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(registry_new((size_t)1 << 40));
	registry_free(NULL);
	make(2);
	memset(longest, 'x', sizeof(longest));
	longest[LTP_NAME_MAX + 1] = '\0';
	ck_assert(!add(longest, 1, 1, &t, &s));
	ck_assert(!add("", 1, 1, &t, &s));
	longest[LTP_NAME_MAX] = '\0';
	ck_assert(add(longest, 1, 1, &t, &s));
	ck_assert(registry_find(reg, longest, &t));
	ck_assert(!add(longest, 1, 1, &t, &s));
	end();
}
END_TEST

#define MANY 64

/* With as many names as buckets most share a chain with others. Each round
 * removes in another order, so from all places of chains. */
START_TEST(full_table_and_chains)
{
	struct registry_tunnel t[MANY], found;
	struct registry_session s;
	char name[32];

	make(MANY);
	for (int step = 1; step < MANY; step += 2) {
		for (int i = 0; i < MANY; i++) {
			snprintf(name, sizeof(name), "n%d-%d", step, i);
			ck_assert(add(name, i % 5, i, &t[i], &s));
		}
		ck_assert(!add("one-too-many", 0, 0, &found, &s));
		ck_assert_uint_eq(registry_count(reg), MANY);
		for (int i = 0; i < MANY; i++) {
			int k = i * step % MANY;

			ck_assert(registry_remove(reg, t[k].ref));
			sound();
			ck_assert(!registry_find(reg, t[k].name, &found));
		}
	}
	end();
}
END_TEST

START_TEST(freed_slots_rest_longest)
{
	struct registry_tunnel first, t;
	struct registry_session s;

	make(4);
	ck_assert(add("a", 0, 0, &first, &s));
	ck_assert(registry_remove(reg, first.ref));
	for (int i = 0; i < 3; i++) {
		ck_assert(add("a", 0, 0, &t, &s));
		ck_assert_uint_ne(t.ref.slot, first.ref.slot);
		ck_assert(registry_remove(reg, t.ref));
	}
	ck_assert(add("a", 0, 0, &t, &s));
	ck_assert_uint_eq(t.ref.slot, first.ref.slot);
	end();
}
END_TEST

static unsigned visits;

static void
lose_or_remove(void *arg, const struct registry_session *s)
{
	struct registry_session now;
	uint32_t *worker = arg;

	ck_assert_uint_eq(s->worker, *worker);
	if (visits++ % 2 == 0)
		ck_assert(registry_lose(reg, s->ref, 99, &now));
	else
		ck_assert(registry_remove(reg, s->tunnel));
	sound();
}

static unsigned
each_of(uint32_t worker)
{
	visits = 0;
	registry_each_of(reg, worker, lose_or_remove, &worker);
	return visits;
}

START_TEST(each_of_visits_what_a_worker_owns)
{
	struct registry_tunnel t;
	struct registry_session s, now;
	char name[16];

	make(32);
	for (int i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ck_assert(add(name, i % 4, 0, &t, &s));
	}
	ck_assert(registry_move(reg, s.ref, 7, &s.peer, &now));
	ck_assert_uint_eq(each_of(9), 0);
	ck_assert_uint_eq(each_of(3), 7);
	ck_assert_uint_eq(each_of(3), 0);
	ck_assert_uint_eq(each_of(7), 1);
	ck_assert_uint_eq(each_of(0), 8);
	ck_assert_uint_eq(registry_count(reg), 32 - 3 - 4);
	end();
}
END_TEST

/* What a program leaves the next one finds, and no reference of old can mean
 * anything new there. */
START_TEST(adopted_by_another_program)
{
	struct registry_tunnel a, b, t;
	struct registry_session sa, sb, s, held;
	struct registry_used used;
	struct registry *old;
	int fd;

	make(4);
	ck_assert(add("first", 1, 1, &a, &sa));
	ck_assert(add("second", 2, 3, &b, &sb));
	for (int i = 0; i < 5; i++) {
		ck_assert(add("third", 3, 5, &t, &s));
		ck_assert(registry_remove(reg, t.ref));
	}
	ck_assert(registry_lose(reg, sb.ref, 12345, &held));
	used = registry_used(reg);
	fd = dup(registry_fd(reg));
	old = reg;
	reg = registry_adopt(fd, 4, used);
	ck_assert_ptr_nonnull(reg);
	registry_free(old);
	sound();
	ck_assert_uint_eq(registry_count(reg), 2);
	ck_assert(registry_find(reg, "first", &t));
	ck_assert(registry_ref_same(t.ref, a.ref));
	ck_assert(registry_session(reg, sa.ref, &s));
	ck_assert_uint_eq(s.worker, 1);
	ck_assert(registry_session_at(reg, held.ref.slot, &s));
	ck_assert_uint_eq(s.grace_end_ms, 12345);
	ck_assert_uint_eq(each_of(1), 1);
	ck_assert_uint_eq(each_of(2), 0);
	/* The owner can be another one now, and slots are used again. */
	ck_assert(registry_move(reg, held.ref, 7, &sb.peer, &s));
	ck_assert_uint_eq(each_of(7), 1);
	ck_assert(add("third", 3, 5, &t, &s));
	ck_assert_uint_gt(t.ref.generation, used.generation);
	ck_assert_uint_gt(s.ref.generation, used.generation);
	ck_assert_uint_gt(s.member, used.member);
	ck_assert(add("fourth", 3, 5, &t, &s));
	ck_assert(!add("fifth", 3, 5, &t, &s));
	end();
}
END_TEST

START_TEST(of_another_size_is_refused)
{
	int fd;

	make(4);
	fd = dup(registry_fd(reg));
	ck_assert_ptr_null(registry_adopt(fd, 5, (struct registry_used){ 0 }));
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_ptr_null(registry_adopt(-1, 4, (struct registry_used){ 0 }));
	end();
}
END_TEST

/* In a worker: the mapping of the table cannot be made writable again. */
static int
try_to_write(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[512], mode[8];
	int found = 0;

	if (maps == NULL)
		return 2;
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (strstr(line, "ltserver-registry") == NULL ||
		    sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3)
			continue;
		found++;
		if (strcmp(mode, "r--s") != 0 ||
		    mprotect((void *)from, to - from, PROT_READ | PROT_WRITE) !=
			-1)
			return 3;
	}
	fclose(maps);
	return found == 1 ? 0 : 4;
}

static int
wait_for(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(workers_cannot_write)
{
	struct registry_tunnel t;
	struct registry_session s;
	pid_t pid;

	make(8);
	ck_assert(add("demo", 1, 1, &t, &s));
	pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		if (registry_read_only(reg) == -1 ||
		    registry_check(reg) != NULL ||
		    !registry_find(reg, "demo", &t))
			_exit(1);
		_exit(try_to_write());
	}
	ck_assert_int_eq(wait_for(pid), 0);
	end();
}
END_TEST

/* Some names come and go and some stay; in as many buckets most chains have
 * both. */
#define NAMES 8
#define STAYS 8
#define READS 200000

/* What a session must look like whenever it is seen: all of it from one
 * write. Returns 0 if it does. */
static int
torn_session(const struct registry_session *s)
{
	for (size_t i = 0; i < REGISTRY_HASH_LEN; i++)
		if (s->secret[i] != s->secret[0] ||
		    s->client[i] != s->secret[0])
			return 10;
	if (strlen(s->label) != REGISTRY_LABEL_MAX)
		return 11;
	return s->worker != REGISTRY_NO_WORKER &&
		       s->worker != net_addr_port(&s->peer) % 4u
		   ? 12
		   : 0;
}

static int
read_once(unsigned i)
{
	struct registry_tunnel t, again;
	struct registry_session s;
	char name[16];

	/* This one is never touched: it is found, always. */
	snprintf(name, sizeof(name), "stays%u", i % STAYS);
	if (!registry_find(reg, name, &t))
		return 1;
	snprintf(name, sizeof(name), "n%u", i % NAMES);
	if (!registry_find(reg, name, &t))
		return 0;
	if (strcmp(t.name, name) != 0 || t.ref.generation == 0)
		return 2;
	if (registry_tunnel(reg, t.ref, &again) &&
	    strcmp(again.name, name) != 0)
		return 3;
	if (!registry_session(reg, t.seats[0].session, &s))
		return 0;
	if (!registry_ref_same(s.ref, t.seats[0].session) ||
	    !registry_ref_same(s.tunnel, t.ref))
		return 4;
	/* The label stays when all else changes. */
	for (int k = 0; k < 8 && torn_session(&s) == 0; k++)
		if (!registry_find_session(reg, s.label, &s))
			return 0;
	return torn_session(&s);
}

static pid_t
start_reader(int ready)
{
	pid_t pid = fork();
	int wrong = 0;

	ck_assert_int_ne(pid, -1);
	if (pid != 0)
		return pid;
	if (registry_read_only(reg) == -1)
		_exit(99);
	if (write(ready, "", 1) != 1)
		_exit(98);
	for (unsigned i = 0; i < READS && wrong == 0; i++)
		wrong = read_once(i);
	_exit(wrong);
}

/* One change of a random tunnel: there, gone, moved or lost. A child that is
 * killed may be at it, and must not speak to the runner of the tests. */
static void
write_once(unsigned i)
{
	struct registry_tunnel t;
	struct registry_session s = { .worker = i % 4 };
	struct net_addr peer;
	char name[16];

	snprintf(name, sizeof(name), "n%d", rand() % NAMES);
	assert(net_addr_from(&peer, "192.0.2.7", i % 60000) == 0);
	if (!registry_find(reg, name, &t)) {
		memset(s.secret, (int)i, sizeof(s.secret));
		memset(s.client, (int)i, sizeof(s.client));
		s.peer = peer;
		assert(registry_add(reg, name, &s, NULL, &t));
		return;
	}
	switch (rand() % 3) {
	case 0:
		assert(registry_remove(reg, t.ref));
		return;
	case 1:
		assert(
		    registry_move(reg, t.seats[0].session, i % 4, &peer, &s));
		return;
	default:
		assert(registry_lose(reg, t.seats[0].session, i + 1, &s));
	}
}

static void
make_shared(void)
{
	struct registry_tunnel t;
	struct registry_session s;
	char name[32];

	make(NAMES + STAYS);
	srand(1);
	for (int i = 0; i < STAYS; i++) {
		snprintf(name, sizeof(name), "stays%d", i);
		ck_assert(add(name, 0, 0, &t, &s));
	}
}

/* Writes for as long as they read. */
START_TEST(readers_see_whole_rows)
{
	pid_t readers[2];
	int ready[2], status, left = 2;
	char byte;

	make_shared();
	ck_assert_int_eq(pipe(ready), 0);
	for (int i = 0; i < 2; i++)
		readers[i] = start_reader(ready[1]);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	for (unsigned i = 0; left > 0; i++) {
		write_once(i);
		if (i % 1000 == 0 &&
		    waitpid(readers[left - 1], &status, WNOHANG) != 0) {
			ck_assert_int_eq(status, 0);
			left--;
		}
	}
	close(ready[0]);
	close(ready[1]);
	end();
}
END_TEST

/* Whatever moment the writer is killed at, readers do not hang, and what is
 * found is whole. Here the child writes and we read. */
START_TEST(readers_outlive_the_writer)
{
	pid_t pid;

	make_shared();
	pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0)
		for (unsigned i = 0;; i++)
			write_once(i);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_int_eq(read_once(i), 0);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(wait_for(pid), -1);
	for (unsigned i = 0; i < NAMES; i++)
		ck_assert_int_le(read_once(i), 1);
	registry_free(reg);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { added_tunnel_is_found,
		label_is_a_random_dns_label, move_makes_old_refs_stale,
		lost_session_holds_the_name, sessions_share_a_tunnel,
		seats_run_out, removed_tunnel_leaves_nothing,
		refs_from_nowhere_are_refused, domains,
		bad_sizes_and_names_are_refused, full_table_and_chains,
		freed_slots_rest_longest, each_of_visits_what_a_worker_owns,
		adopted_by_another_program, of_another_size_is_refused,
		workers_cannot_write, readers_see_whole_rows,
		readers_outlive_the_writer };
	Suite *suite = suite_create("registry");
	TCase *tc = tcase_create("registry");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
