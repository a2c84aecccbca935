/* SPDX-License-Identifier: ISC
 *
 * Hosts to names by whole labels, and names, labels and loads to workers,
 * from a real registry.
 */
#include "server/route.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "server/room.h"

#define WORKERS 4

static struct registry *registry;
static struct counters *counters;
static struct registry_tunnel tunnel;
static struct registry_session session; /* of tunnel "demo", worker 2 */

static void
setup(void)
{
	registry = registry_new(16);
	counters = counters_new(WORKERS, 16);
	ck_assert_ptr_nonnull(registry);
	ck_assert_ptr_nonnull(counters);
	for (size_t i = 0; i < WORKERS; i++)
		counter_set(&counters_worker(counters, i)->room, 1000);
	memset(&session, 0, sizeof(session));
	session.worker = 2;
	session.dialect = REGISTRY_EXT;
	ck_assert(registry_add(registry, "demo", &session, NULL, &tunnel));
}

static void
teardown(void)
{
	registry_free(registry);
	counters_free(counters);
}

static void
lose(void)
{
	ck_assert(
	    registry_lose(registry, session.ref, clock_ms() + 60000, &session));
}

static void
leads_to(const char *host, const char *domain, const char *name)
{
	char found[LTP_NAME_MAX + 1] = "";

	ck_assert_msg(route_host(host, domain, found) == ROUTE_HOST_TUNNEL,
	    "%s below %s", host, domain);
	ck_assert_str_eq(found, name);
}

static void
is_other(const char *host, const char *domain)
{
	char found[LTP_NAME_MAX + 1];

	ck_assert_msg(route_host(host, domain, found) == ROUTE_HOST_OTHER,
	    "%s below %s", host, domain);
}

/* A custom domain leads to its tunnel, and no other host does. */
START_TEST(custom_domains)
{
	struct registry_tunnel like = { .domain = "app.example.org" }, made;
	struct registry_session s = { .worker = 1 };
	char name[LTP_NAME_MAX + 1];

	ck_assert(registry_add(registry, "shop", &s, &like, &made));
	ck_assert_int_eq(
	    route_name(registry, "app.example.org", "example.com", name),
	    ROUTE_HOST_TUNNEL);
	ck_assert_str_eq(name, "shop");
	ck_assert_int_eq(
	    route_name(registry, "a.demo.example.com", "example.com", name),
	    ROUTE_HOST_TUNNEL);
	ck_assert_str_eq(name, "demo");
	ck_assert_int_eq(
	    route_name(registry, "example.com", "example.com", name),
	    ROUTE_HOST_BASE);
	ck_assert_int_eq(
	    route_name(registry, "x.app.example.org", "example.com", name),
	    ROUTE_HOST_OTHER);
	ck_assert_int_eq(
	    route_name(registry, "example.org", "example.com", name),
	    ROUTE_HOST_OTHER);
	ck_assert_int_eq(
	    route_name(registry, "", "example.com", name), ROUTE_HOST_OTHER);
}
END_TEST

START_TEST(hosts)
{
	char found[LTP_NAME_MAX + 1];
	char long_label[80];

	leads_to("demo.example.com", "example.com", "demo");
	leads_to("a.b.demo.example.com", "example.com", "demo");
	leads_to("demo.localhost", "localhost", "demo");
	leads_to("x-1.example.com", "example.com", "x-1");
	leads_to("_x.demo.example.com", "example.com", "demo");
	ck_assert_int_eq(
	    route_host("example.com", "example.com", found), ROUTE_HOST_BASE);
	is_other("demoexample.com", "example.com");
	is_other("xexample.com", "example.com");
	is_other("demo.example.com.org", "example.com");
	is_other("demo.example.org", "example.com");
	is_other("com", "example.com");
	is_other("", "example.com");
	is_other(".example.com", "example.com");
	is_other("demo..example.com", "example.com");
	is_other("demo_1.example.com", "example.com");
	is_other("-demo.example.com", "example.com");
	is_other("127.0.0.1", "localhost");
	memset(long_label, 'a', 63);
	strcpy(long_label + 63, ".localhost");
	ck_assert_int_eq(
	    route_host(long_label, "localhost", found), ROUTE_HOST_TUNNEL);
	memset(long_label, 'a', 64);
	strcpy(long_label + 64, ".localhost");
	is_other(long_label, "localhost");
}
END_TEST

static void
is_session(struct route r, enum route_where where)
{
	ck_assert_int_eq(r.where, where);
	ck_assert(registry_ref_same(r.tunnel, tunnel.ref));
	ck_assert(registry_ref_same(r.session, session.ref));
}

static struct route
to_visit(const char *name)
{
	return route_visitor(registry, counters, 0, 0, name);
}

START_TEST(visitors)
{
	struct route r = to_visit("demo");

	is_session(r, ROUTE_WORKER);
	ck_assert_uint_eq(r.worker, 2);
	ck_assert_int_eq(to_visit("nobody").where, ROUTE_NONE);
	lose();
	r = to_visit("demo");
	ck_assert_int_eq(r.where, ROUTE_AWAY);
	ck_assert(registry_ref_same(r.tunnel, tunnel.ref));
	ck_assert_uint_eq(r.session.generation, 0);
	ck_assert(
	    registry_move(registry, session.ref, 3, &session.peer, &session));
	r = to_visit("demo");
	is_session(r, ROUTE_WORKER);
	ck_assert_uint_eq(r.worker, 3);
	ck_assert(registry_remove(registry, tunnel.ref));
	ck_assert_int_eq(to_visit("demo").where, ROUTE_NONE);
}
END_TEST

static struct registry_session
another(uint32_t worker, uint32_t member)
{
	struct registry_session s = {
		.worker = worker, .member = member, .dialect = REGISTRY_EXT
	};

	ck_assert(registry_join(registry, tunnel.ref, &s));
	return s;
}

static void
busy(const struct registry_session *s, uint64_t n)
{
	counter_set(&counters_session(counters, s->ref.slot)->busy, n);
}

static void
idle(const struct registry_session *s, uint64_t n)
{
	counter_set(&counters_session(counters, s->ref.slot)->idle, n);
}

static uint32_t
visit_from(uint32_t self, uint32_t turn)
{
	struct route r = route_visitor(registry, counters, self, turn, "demo");

	ck_assert_int_eq(r.where, ROUTE_WORKER);
	return r.worker;
}

/* Nor to one that has no room for visitors. */
START_TEST(who_has_no_room)
{
	counter *room = &counters_worker(counters, session.worker)->room;
	struct registry_session b = another(0, session.member);

	busy(&b, 9);
	ck_assert_uint_eq(visit_from(1, 0), session.worker);
	counter_set(room, ROOM_VISITOR + 1);
	ck_assert_uint_eq(visit_from(1, 0), session.worker);
	counter_set(room, ROOM_VISITOR);
	ck_assert_uint_eq(visit_from(1, 0), 0);
}
END_TEST

/* Nobody is sent to a worker that stands still, unless there is no other. */
START_TEST(who_stands_still)
{
	struct registry_session b = another(0, session.member);
	struct ltp_message m = { .type = LTP_CONTROL, .name = "other" };

	for (size_t i = 0; i < WORKERS; i++) {
		counter_set(&counters_worker(counters, i)->ready, 1);
		counter_set(
		    &counters_worker(counters, i)->pulse_ms, clock_ms());
	}
	busy(&b, 9);
	ck_assert_uint_eq(visit_from(1, 0), session.worker);
	counter_set(&counters_worker(counters, session.worker)->pulse_ms, 1);
	ck_assert_uint_eq(visit_from(1, 0), 0);
	counter_set(&counters_worker(counters, 0)->pulse_ms, 1);
	ck_assert_uint_eq(visit_from(1, 0), session.worker);
	for (uint32_t i = 0; i < WORKERS; i++)
		ck_assert_uint_eq(
		    route_control(registry, counters, i, &m).worker,
		    i == 0 || i == session.worker ? 1 : i);
}
END_TEST

START_TEST(sessions_of_one_client)
{
	struct registry_session b = another(0, session.member);
	struct registry_session c = another(3, session.member);

	/* The one here, else the least busy one. */
	ck_assert_uint_eq(visit_from(0, 0), 0);
	ck_assert_uint_eq(visit_from(2, 0), 2);
	busy(&session, 2);
	busy(&b, 1);
	busy(&c, 3);
	ck_assert_uint_eq(visit_from(2, 1), 2);
	ck_assert_uint_eq(visit_from(1, 0), 0);
	busy(&b, 4);
	ck_assert_uint_eq(visit_from(1, 0), 2);
	/* Before all that, where a proxy connection is idle. */
	idle(&c, 1);
	ck_assert_uint_eq(visit_from(1, 0), 3);
	ck_assert_uint_eq(visit_from(2, 0), 3);
	idle(&session, 1);
	ck_assert_uint_eq(visit_from(2, 0), 2);
	ck_assert_uint_eq(visit_from(1, 0), 2);
	/* One that is lost does not count. */
	lose();
	ck_assert_uint_eq(visit_from(1, 0), 3);
}
END_TEST

START_TEST(clients_of_one_group)
{
	struct registry_session b = another(0, 0);
	struct registry_session b2 = another(1, b.member);

	/* As busy: in turn, whatever each has where. */
	ck_assert_uint_eq(visit_from(2, 0), 2);
	ck_assert_uint_eq(visit_from(0, 1), 0);
	ck_assert_uint_eq(visit_from(0, 2), 2);
	ck_assert_uint_eq(visit_from(1, 3), 1);
	/* The least busy client, all its sessions taken together. */
	busy(&session, 3);
	busy(&b, 2);
	busy(&b2, 2);
	for (uint32_t turn = 0; turn < 4; turn++)
		ck_assert_uint_eq(visit_from(0, turn), 2);
	busy(&session, 5);
	for (uint32_t turn = 0; turn < 4; turn++)
		ck_assert_uint_eq(visit_from(1, turn), 1);
	lose();
	ck_assert_uint_eq(visit_from(0, 1), 0);
}
END_TEST

START_TEST(proxies)
{
	struct ltp_message m = { .type = LTP_PROXY, .name = "nobody" };

	ck_assert_int_eq(route_proxy(registry, &m).where, ROUTE_NONE);
	m.name = "not a name";
	ck_assert_int_eq(route_proxy(registry, &m).where, ROUTE_NONE);
	m.name = "DEMO";
	is_session(route_proxy(registry, &m), ROUTE_WORKER);
	/* A label says it all; a wrong one is not made good by a name. */
	m.session = session.label;
	m.name = "nobody";
	is_session(route_proxy(registry, &m), ROUTE_WORKER);
	m.session = "nothing";
	m.name = "demo";
	ck_assert_int_eq(route_proxy(registry, &m).where, ROUTE_NONE);
	lose();
	m.session = session.label;
	is_session(route_proxy(registry, &m), ROUTE_AWAY);
}
END_TEST

static void
load(size_t slot, bool is_ready, uint64_t sessions)
{
	counter_set(&counters_worker(counters, slot)->ready, is_ready);
	counter_set(&counters_worker(counters, slot)->sessions, sessions);
}

static uint32_t
control_of(uint32_t self, const struct ltp_message *m)
{
	struct route r = route_control(registry, counters, self, m);

	ck_assert_int_eq(r.where, ROUTE_WORKER);
	return r.worker;
}

START_TEST(controls)
{
	struct ltp_message m = { .type = LTP_CONTROL, .name = "other" };

	/* Nobody is ready: it stays where it is. */
	ck_assert_uint_eq(control_of(1, &m), 1);
	load(0, true, 5);
	load(1, true, 3);
	load(2, true, 3);
	load(3, false, 0);
	ck_assert_uint_eq(control_of(0, &m), 1);
	ck_assert_uint_eq(control_of(1, &m), 1);
	ck_assert_uint_eq(control_of(2, &m), 2);
	/* Who is not ready does not count, itself included. */
	ck_assert_uint_ne(control_of(3, &m), 3);
	/* A live session leads to its owner, however busy it is. */
	load(2, true, 900);
	m.session = session.label;
	is_session(route_control(registry, counters, 0, &m), ROUTE_WORKER);
	ck_assert_uint_eq(control_of(0, &m), 2);
	/* One that has lost its owner may go anywhere. */
	lose();
	ck_assert_uint_eq(control_of(0, &m), 1);
	ck_assert_uint_eq(
	    route_control(registry, counters, 0, &m).session.generation, 0);
	m.session = "nothing";
	ck_assert_uint_eq(control_of(0, &m), 1);
}
END_TEST

START_TEST(further_sessions)
{
	struct ltp_message m = { .type = LTP_CONTROL, .name = "demo" };

	load(0, true, 5);
	load(1, true, 3);
	load(2, true, 1);
	load(3, true, 4);
	/* Where the tunnel has none yet, then where there are the fewest. */
	ck_assert_uint_eq(control_of(2, &m), 1);
	another(1, session.member);
	ck_assert_uint_eq(control_of(2, &m), 3);
	another(3, session.member);
	ck_assert_uint_eq(control_of(2, &m), 0);
	ck_assert_uint_eq(route_client(registry, counters, 2,
			      "demo.example.com", "example.com")
			      .worker,
	    0);
	another(0, session.member);
	ck_assert_uint_eq(control_of(1, &m), 2);
}
END_TEST

static const char *
sni_of(const char *label, const char *rest)
{
	static char sni[8][256];
	static int next;
	char *out = sni[next++ % 8];

	snprintf(out, sizeof(sni[0]), "%s.%s", label, rest);
	return out;
}

START_TEST(clients_over_tls)
{
	struct route r;

	load(0, true, 5);
	load(1, true, 3);
	load(2, true, 900);
	load(3, true, 4);
	/* The name of a session leads to its owner, however busy. */
	is_session(
	    route_client(registry, counters, 0,
		sni_of(session.label, "demo.example.com"), "example.com"),
	    ROUTE_WORKER);
	/* Everything else is a client that may go anywhere. */
	for (int i = 0; i < 6; i++) {
		const char *snis[] = { "", "example.com", "demo.example.com",
			sni_of("nothing", "demo.example.com"),
			sni_of(session.label, "example.com"),
			sni_of(session.label, "x.demo.example.com") };

		r = route_client(registry, counters, 0, snis[i], "example.com");
		ck_assert_int_eq(r.where, ROUTE_WORKER);
		ck_assert_msg(r.worker == 1, "%s", snis[i]);
		ck_assert_uint_eq(r.session.generation, 0);
	}
	lose();
	ck_assert_uint_eq(
	    route_client(registry, counters, 0,
		sni_of(session.label, "demo.example.com"), "example.com")
		.worker,
	    1);
}
END_TEST

static bool
fits(const char *sni, const struct ltp_message *m)
{
	return route_sni_fits(registry, sni, "example.com", m);
}

START_TEST(server_names_and_requests)
{
	struct ltp_message m = { .type = LTP_PROXY, .name = "demo" };
	const char *sni = sni_of(session.label, "demo.example.com");

	ck_assert(!fits(sni, &m));
	m.session = session.label;
	ck_assert(fits(sni, &m));
	m.name = "other";
	ck_assert(!fits(sni, &m));
	m.session = "another";
	m.name = "demo";
	ck_assert(!fits(sni, &m));
	/* A tunnel's name, and a request that means another one. */
	ck_assert(fits("demo.example.com", &m));
	m.name = "other";
	ck_assert(fits("demo.example.com", &m));
	m.secret = "00112233445566778899aabbccddeeff";
	ck_assert(!fits("demo.example.com", &m));
	/* Nobody's name: that of the server. */
	ck_assert(fits("www.example.com", &m));
	ck_assert(fits("example.com", &m));
	ck_assert(fits("tunnel.example.org", &m));
	ck_assert(fits("", &m));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("route");
	TCase *tcase = tcase_create("route");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, hosts);
	tcase_add_test(tcase, custom_domains);
	tcase_add_test(tcase, visitors);
	tcase_add_test(tcase, who_stands_still);
	tcase_add_test(tcase, who_has_no_room);
	tcase_add_test(tcase, sessions_of_one_client);
	tcase_add_test(tcase, clients_of_one_group);
	tcase_add_test(tcase, proxies);
	tcase_add_test(tcase, controls);
	tcase_add_test(tcase, further_sessions);
	tcase_add_test(tcase, clients_over_tls);
	tcase_add_test(tcase, server_names_and_requests);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
