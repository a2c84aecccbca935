/* SPDX-License-Identifier: ISC
 *
 * The rules about names, one test each, with workers that only take notes.
 * The registry is looked over after every step.
 */
#include "server/claim.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "server/handoff.h"
#include "server/tokens.h"

#define SIZE  3
#define LOG   64
#define ALL   1000 /* as the receiver: every worker */
#define PORTS 2

struct note {
	uint32_t to;
	struct channel_msg msg;
	int fd; /* the book's own number; it stays open there */
};

static struct event_base *base;
static struct registry *reg;
static struct tokens *tokens;
static struct claim_book *book;
static struct config config;
static struct note notes[LOG];
static size_t notes_n;
static struct channel_claim claim;

/* The ports of the system: descriptors of /dev/null, numbered. */
static uint16_t last_port;
static uint16_t asked_listener;
static unsigned ports_open;
static int port_error; /* of the next one that is wished for */
static uint32_t heir;  /* who is picked */

static void
take_note(void *arg, uint32_t worker, const struct channel_msg *msg, int fd)
{
	ck_assert_ptr_eq(arg, &config);
	ck_assert_uint_lt(notes_n, LOG);
	notes[notes_n++] = (struct note){ worker, *msg, fd };
}

static void
take_note_for_all(void *arg, const struct channel_msg *msg)
{
	take_note(arg, ALL, msg, -1);
}

static int
open_port(void *arg, bool is_tcp, uint16_t listener, uint16_t *port)
{
	ck_assert_ptr_eq(arg, &config);
	ck_assert_int_eq(is_tcp, claim.kind == REGISTRY_TCP);
	asked_listener = listener;
	if (*port != 0) {
		errno = port_error;
		if (port_error == 0)
			ports_open++;
		return port_error != 0
			   ? -1
			   : open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (ports_open == PORTS) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	ports_open++;
	*port = ++last_port;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
close_port(void *arg, bool is_tcp, int fd, uint16_t port)
{
	ck_assert_ptr_eq(arg, &config);
	ck_assert(is_tcp || port <= last_port);
	ck_assert_int_eq(close(fd), 0);
	ports_open--;
}

static uint32_t
pick(void *arg)
{
	ck_assert_ptr_eq(arg, &config);
	return heir;
}

static void
set_up(void)
{
	static const struct claim_ops ops = { take_note, take_note_for_all,
		open_port, close_port, pick };

	base = event_base_new();
	reg = registry_new(SIZE);
	memset(&config, 0, sizeof(config));
	config.grace = 1000;
	config.grace_old = 1000;
	config.sessions = 1;
	tokens = tokens_new();
	book = claim_book_new(base, reg, &config, tokens, &ops, &config);
	ck_assert(base != NULL && reg != NULL && book != NULL);
	notes_n = 0;
	ports_open = 0;
	port_error = 0;
	last_port = 0;
	heir = REGISTRY_NO_WORKER;
}

static void
tear_down(void)
{
	ck_assert_pstr_eq(registry_check(reg), NULL);
	claim_book_free(book);
	claim_book_free(NULL);
	tokens_free(tokens);
	registry_free(reg);
	event_base_free(base);
}

/* The claim of a client that knows ext and offers no secret. A new session
 * would get the secret `fresh`. */
static void
prepare(const char *name, uint8_t fresh)
{
	memset(&claim, 0, sizeof(claim));
	strcpy(claim.name, name);
	claim.dialect = REGISTRY_EXT;
	claim.kind = REGISTRY_HTTP;
	memset(claim.secret, fresh, sizeof(claim.secret));
	ck_assert_int_eq(net_addr_from(&claim.peer, "192.0.2.1", fresh), 0);
}

static void
prepare_old(const char *name, uint8_t client, const char *address)
{
	prepare(name, 0);
	claim.dialect = REGISTRY_OLD;
	memset(claim.client, client, sizeof(claim.client));
	ck_assert_int_eq(net_addr_from(&claim.peer, address, 7), 0);
}

static void
prepare_node(const char *name, const char *address)
{
	prepare_old(name, 0, address);
	claim.dialect = REGISTRY_NODE;
	claim.listener = 3;
}

static void
offer(uint8_t secret)
{
	claim.has_proof = true;
	memset(claim.proof, secret, sizeof(claim.proof));
}

/* The next note that was taken. */
static struct channel_msg
next(uint32_t to, enum channel_type type)
{
	struct note n = notes[0];

	ck_assert_uint_gt(notes_n, 0);
	memmove(notes, notes + 1, --notes_n * sizeof(notes[0]));
	ck_assert_uint_eq(n.to, to);
	ck_assert_uint_eq(n.msg.type, type);
	ck_assert_pstr_eq(registry_check(reg), NULL);
	return n.msg;
}

static void
no_more(void)
{
	ck_assert_uint_eq(notes_n, 0);
	ck_assert_pstr_eq(registry_check(reg), NULL);
}

/* Reads the answer to a claim, and the word to all if it was a good one. */
static struct channel_claimed
answer(uint32_t worker, enum channel_verdict verdict)
{
	int fd = notes[0].fd;
	struct channel_msg msg = next(worker, CHANNEL_CLAIMED);
	struct registry_session s;

	ck_assert_uint_eq(msg.id, 42);
	ck_assert_int_eq(msg.claimed.verdict, verdict);
	if (verdict == CHANNEL_GRANTED || verdict == CHANNEL_RESUMED ||
	    verdict == CHANNEL_FURTHER) {
		ck_assert(registry_ref_same(
		    next(ALL, CHANNEL_UP).tunnel, msg.claimed.tunnel));
		ck_assert(registry_session(reg, msg.claimed.session, &s));
		ck_assert_uint_eq(s.worker, worker);
		ck_assert_str_eq(s.label, msg.claimed.label);
		ck_assert_int_eq(msg.claimed.kind, s.kind);
		ck_assert(net_addr_same_host(&msg.claimed.peer, &s.peer));
		ck_assert_int_eq(msg.claimed.port != 0,
		    s.dialect == REGISTRY_NODE || s.kind == REGISTRY_TCP);
		ck_assert_int_eq(fd != -1, msg.claimed.port != 0);
	}
	no_more();
	return msg.claimed;
}

/* Makes the claim that was prepared; no live session is in the way. */
static struct channel_claimed
ask(uint32_t worker, enum channel_verdict verdict)
{
	claim_answer(book, worker, 42, &claim);
	return answer(worker, verdict);
}

/* The same, and it takes over what `old` is. */
static struct channel_claimed
take_over(uint32_t worker, uint32_t owner, const struct channel_claimed *old)
{
	struct channel_claimed c;

	claim_answer(book, worker, 42, &claim);
	ck_assert(registry_ref_same(
	    next(owner, CHANNEL_TAKEN).session, old->session));
	c = answer(worker, CHANNEL_RESUMED);
	ck_assert(registry_ref_same(c.tunnel, old->tunnel));
	ck_assert(!registry_ref_same(c.session, old->session));
	ck_assert_str_eq(c.label, old->label);
	ck_assert_str_eq(c.name, old->name);
	return c;
}

static struct channel_claimed
granted(const char *name, uint8_t secret, uint32_t worker)
{
	prepare(name, secret);
	return ask(worker, CHANNEL_GRANTED);
}

static bool
is_held(const char *name)
{
	struct registry_tunnel t;

	return registry_find(reg, name, &t) && !registry_is_live(&t);
}

static bool
is_free(const char *name)
{
	struct registry_tunnel t;

	return !registry_find(reg, name, &t);
}

START_TEST(free_name_is_granted)
{
	struct channel_claimed c, d;

	c = granted("Demo", 1, 5);
	ck_assert_str_eq(c.name, "demo");
	d = granted("other", 2, 5);
	ck_assert_str_ne(c.label, d.label);
	ck_assert(!registry_ref_same(c.tunnel, d.tunnel));
}
END_TEST

START_TEST(live_name_is_refused_without_the_secret)
{
	granted("demo", 1, 5);
	prepare("demo", 2);
	ask(6, CHANNEL_TAKEN_NAME);
	prepare("DEMO", 2);
	offer(2);
	ask(6, CHANNEL_TAKEN_NAME);
	memset(claim.proof, 1, sizeof(claim.proof));
	claim.proof[31] = 0;
	ask(6, CHANNEL_TAKEN_NAME);
	/* The right one, but it is not said to be one. */
	offer(1);
	claim.has_proof = false;
	ask(6, CHANNEL_TAKEN_NAME);
}
END_TEST

START_TEST(secret_resumes_a_live_session)
{
	struct channel_claimed c = granted("demo", 1, 5);
	struct registry_session s;

	/* By label, from another worker. */
	prepare("demo", 9);
	strcpy(claim.session, c.label);
	offer(1);
	c = take_over(6, 5, &c);

	/* By name alone; the same worker. The secret stays the same. */
	prepare("demo", 9);
	offer(1);
	c = take_over(6, 6, &c);

	/* By name, with the label of a session that is no more. */
	strcpy(claim.session, "s0000000deadbeefdeadbeef");
	ck_assert_int_eq(net_addr_from(&claim.peer, "2001:db8::7", 1), 0);
	c = take_over(4, 6, &c);
	ck_assert(registry_session(reg, c.session, &s));
	ck_assert(net_addr_same_host(&s.peer, &claim.peer));
	prepare("demo", 9);
	offer(9);
	ask(4, CHANNEL_TAKEN_NAME);

	/* A tunnel never becomes one of another kind; another name is free to
	 * be one, whatever session is named. */
	prepare("demo", 9);
	strcpy(claim.session, c.label);
	offer(1);
	claim.kind = REGISTRY_TLS;
	ask(4, CHANNEL_TAKEN_NAME);
	strcpy(claim.name, "other");
	ask(4, CHANNEL_GRANTED);
}
END_TEST

START_TEST(secret_alone_is_one_more_session)
{
	struct channel_claimed c = granted("demo", 1, 5), d, e;
	struct registry_session first, s;
	struct registry_tunnel t;

	config.sessions = 3;
	ck_assert(registry_session(reg, c.session, &first));
	prepare("demo", 9);
	offer(1);
	d = ask(6, CHANNEL_FURTHER);
	e = ask(7, CHANNEL_FURTHER);
	ck_assert(registry_ref_same(d.tunnel, c.tunnel));
	ck_assert_str_ne(d.label, c.label);
	ck_assert(registry_session(reg, e.session, &s));
	ck_assert_uint_eq(s.member, first.member);
	/* Not more than there may be: then the first one again. */
	take_over(7, 5, &c);

	/* One that was lost comes before a new one; and it is lost without a
	 * word to those who wait, since the tunnel is up. */
	claim_down(book, 6, d.session, CHANNEL_LOST);
	ck_assert(registry_ref_same(next(ALL, CHANNEL_UP).tunnel, d.tunnel));
	no_more();
	e = ask(4, CHANNEL_RESUMED);
	ck_assert_str_eq(e.label, d.label);

	/* The secret of each is the one that was presented. */
	prepare("demo", 9);
	strcpy(claim.session, e.label);
	offer(1);
	take_over(4, 4, &e);

	/* Goodbye to one is not the end of the others. */
	ck_assert(registry_find(reg, "demo", &t));
	for (uint32_t n = t.seats_n; n > 0; n--) {
		ck_assert(registry_find(reg, "demo", &t));
		ck_assert_uint_eq(t.seats_n, n);
		claim_down(book, t.seats[0].worker, t.seats[0].session,
		    CHANNEL_CLOSED);
		next(ALL, n > 1 ? CHANNEL_UP : CHANNEL_GONE);
		no_more();
	}
	ck_assert(is_free("demo"));
}
END_TEST

static void
show_group(uint8_t key)
{
	claim.has_group = true;
	memset(claim.group, key, sizeof(claim.group));
}

START_TEST(group_key_shares_the_name)
{
	struct registry_session a, b;
	struct channel_claimed c, d;

	config.sessions = 2;
	prepare("demo", 1);
	show_group(7);
	c = ask(5, CHANNEL_GRANTED);
	/* Another client with that key, with another, and without. */
	prepare("demo", 2);
	show_group(7);
	d = ask(6, CHANNEL_GRANTED);
	ck_assert(registry_ref_same(c.tunnel, d.tunnel));
	ck_assert(registry_session(reg, c.session, &a));
	ck_assert(registry_session(reg, d.session, &b));
	ck_assert_uint_ne(a.member, b.member);
	prepare("demo", 3);
	show_group(8);
	ask(6, CHANNEL_TAKEN_NAME);
	prepare("demo", 3);
	ask(6, CHANNEL_TAKEN_NAME);
	prepare("demo", 3);
	show_group(7);
	claim.kind = REGISTRY_TLS;
	ask(6, CHANNEL_TAKEN_NAME);
	/* Each has sessions of its own. */
	prepare("demo", 9);
	offer(2);
	ask(7, CHANNEL_FURTHER);
	ck_assert(registry_find_session(reg, d.label, &b));
	take_over(7, 6, &d);
	/* Whose name was given without a key is not shared by one. */
	granted("other", 4, 5);
	prepare("other", 5);
	show_group(7);
	ask(6, CHANNEL_TAKEN_NAME);
	/* One leaves: the other one keeps the name. */
	claim_down(book, 5, c.session, CHANNEL_CLOSED);
	next(ALL, CHANNEL_UP);
	no_more();
	ck_assert(!is_free("demo") && !is_held("demo"));
}
END_TEST

static void
prepare_tcp(const char *name, uint8_t secret, uint16_t port)
{
	prepare(name, secret);
	claim.kind = REGISTRY_TCP;
	claim.port = port;
}

START_TEST(tcp_has_a_port)
{
	struct channel_claimed c, d;

	config.sessions = 2;
	prepare_tcp("ssh", 1, 30022);
	c = ask(5, CHANNEL_GRANTED);
	ck_assert_uint_eq(c.port, 30022);
	/* A further session has the same one, whatever it wishes for. */
	prepare_tcp("ssh", 9, 30023);
	offer(1);
	d = ask(6, CHANNEL_FURTHER);
	ck_assert_uint_eq(d.port, 30022);
	ck_assert_uint_eq(ports_open, 1);
	/* It is kept while the name is. */
	claim_down(book, 5, c.session, CHANNEL_LOST);
	next(ALL, CHANNEL_UP);
	claim_down(book, 6, d.session, CHANNEL_LOST);
	no_more();
	ck_assert_uint_eq(ports_open, 1);
	c = ask(6, CHANNEL_RESUMED);
	ck_assert_uint_eq(c.port, 30022);
	/* Refusals leave nothing. */
	port_error = EADDRINUSE;
	prepare_tcp("other", 2, 30022);
	ask(6, CHANNEL_PORT_TAKEN);
	port_error = ERANGE;
	ask(6, CHANNEL_PORT_RANGE);
	ck_assert(is_free("other"));
	prepare_tcp("other", 2, 0);
	d = ask(6, CHANNEL_GRANTED);
	ck_assert_uint_eq(ports_open, 2);
	claim_down(book, 6, d.session, CHANNEL_CLOSED);
	next(ALL, CHANNEL_GONE);
	ck_assert_uint_eq(ports_open, 1);
}
END_TEST

START_TEST(label_wins_over_the_name)
{
	struct channel_claimed c = granted("demo", 1, 5);
	struct channel_claimed d = granted("other", 2, 5);

	prepare("", 9);
	strcpy(claim.session, c.label);
	offer(1);
	c = take_over(6, 5, &c);
	prepare("other", 9);
	strcpy(claim.session, c.label);
	offer(1);
	c = take_over(5, 6, &c);
	ck_assert_str_eq(c.name, "demo");

	/* With the secret of the name, not of the label, it is the name. */
	offer(2);
	d = take_over(7, 5, &d);
	ck_assert_str_eq(d.name, "other");

	/* With neither it is nobody's. */
	offer(3);
	ask(7, CHANNEL_TAKEN_NAME);
}
END_TEST

START_TEST(what_the_registry_shows_is_no_proof)
{
	struct channel_claimed c = granted("demo", 1, 5);
	struct registry_session s;

	ck_assert(registry_session(reg, c.session, &s));
	prepare("demo", 9);
	strcpy(claim.session, c.label);
	claim.has_proof = true;
	memcpy(claim.proof, s.secret, sizeof(claim.proof));
	ask(6, CHANNEL_TAKEN_NAME);

	prepare_old("old", 1, "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	ck_assert(registry_session(reg, c.session, &s));
	memcpy(claim.client, s.client, sizeof(claim.client));
	ask(6, CHANNEL_TAKEN_NAME);
}
END_TEST

START_TEST(old_client_resumes_by_string_and_address)
{
	struct channel_claimed c;

	prepare_old("demo", 1, "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	prepare_old("demo", 2, "192.0.2.1");
	ask(6, CHANNEL_TAKEN_NAME);
	prepare_old("demo", 1, "192.0.2.2");
	ask(6, CHANNEL_TAKEN_NAME);
	prepare_old("demo", 1, "192.0.2.1");
	memset(&claim.peer, 0, sizeof(claim.peer));
	ask(6, CHANNEL_TAKEN_NAME);
	prepare_old("demo", 1, "192.0.2.1");
	claim.peer.in.sin_port = 0;
	c = take_over(6, 5, &c);

	claim_down(book, 6, c.session, CHANNEL_LOST);
	no_more();
	prepare_old("demo", 2, "192.0.2.1");
	ask(7, CHANNEL_TAKEN_NAME);
	prepare_old("demo", 1, "192.0.2.1");
	ck_assert_str_eq(ask(7, CHANNEL_RESUMED).label, c.label);
}
END_TEST

START_TEST(old_and_new_clients_do_not_mix)
{
	struct channel_claimed c;

	/* Client string and address are the same throughout. */
	prepare_old("old", 1, "192.0.2.1");
	ask(5, CHANNEL_GRANTED);
	prepare_old("new", 1, "192.0.2.1");
	claim.dialect = REGISTRY_EXT;
	c = ask(5, CHANNEL_GRANTED);

	prepare_old("new", 1, "192.0.2.1");
	ask(6, CHANNEL_TAKEN_NAME);
	offer(0);
	ask(6, CHANNEL_TAKEN_NAME);
	prepare_old("old", 1, "192.0.2.1");
	claim.dialect = REGISTRY_EXT;
	ask(6, CHANNEL_TAKEN_NAME);
	/* A session made for an old client has no secret, not even this. */
	offer(0);
	ask(6, CHANNEL_TAKEN_NAME);

	/* Nor in the grace period. */
	claim_down(book, 5, c.session, CHANNEL_LOST);
	prepare_old("new", 1, "192.0.2.1");
	ask(6, CHANNEL_TAKEN_NAME);
}
END_TEST

START_TEST(bad_names_are_refused)
{
	static const char *const names[] = { "", "-a", "a-", "a.b", "a_b",
		"a b", "\xc3\xa4", "a/" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		prepare(names[i], 1);
		ask(5, CHANNEL_TAKEN_NAME);
	}
	ck_assert_uint_eq(registry_count(reg), 0);
}
END_TEST

START_TEST(full_table_says_so)
{
	struct channel_claimed c = granted("a", 1, 5);

	granted("b", 2, 5);
	granted("c", 3, 5);
	prepare("d", 4);
	ask(5, CHANNEL_FULL);
	prepare("a", 4);
	ask(5, CHANNEL_TAKEN_NAME);
	offer(1);
	c = take_over(6, 5, &c);
	claim_down(book, 6, c.session, CHANNEL_CLOSED);
	next(ALL, CHANNEL_GONE);
	granted("d", 4, 5);
}
END_TEST

START_TEST(goodbye_frees_the_name)
{
	struct channel_claimed c = granted("demo", 1, 5);

	claim_down(book, 5, c.session, CHANNEL_CLOSED);
	ck_assert(registry_ref_same(next(ALL, CHANNEL_GONE).tunnel, c.tunnel));
	no_more();
	ck_assert(is_free("demo"));
	granted("demo", 2, 6);
	/* Said twice, it does not hit the next one. */
	claim_down(book, 5, c.session, CHANNEL_CLOSED);
	no_more();
	ck_assert(!is_free("demo"));
}
END_TEST

/* Killed, started again, and ended before all its sessions were back. */
START_TEST(goodbye_is_for_all_sessions_of_a_client)
{
	struct channel_claimed c, d, e, f;

	config.sessions = 3;
	c = granted("demo", 1, 5);
	prepare("demo", 9);
	offer(1);
	d = ask(6, CHANNEL_FURTHER);
	e = ask(7, CHANNEL_FURTHER);
	claim_down(book, 6, d.session, CHANNEL_LOST);
	next(ALL, CHANNEL_UP);
	/* One was lost before the goodbye, one is after it. */
	claim_down(book, 5, c.session, CHANNEL_CLOSED);
	next(ALL, CHANNEL_UP);
	next(ALL, CHANNEL_UP);
	no_more();
	claim_down(book, 7, e.session, CHANNEL_LOST);
	next(ALL, CHANNEL_GONE);
	no_more();
	ck_assert(is_free("demo"));

	/* Taken again meanwhile, a session is its client's as before. */
	c = granted("demo", 1, 5);
	prepare("demo", 9);
	offer(1);
	d = ask(6, CHANNEL_FURTHER);
	claim_down(book, 5, c.session, CHANNEL_CLOSED);
	next(ALL, CHANNEL_UP);
	prepare("", 9);
	strcpy(claim.session, d.label);
	offer(1);
	f = take_over(7, 6, &d);
	claim_down(book, 7, f.session, CHANNEL_LOST);
	no_more();
	ck_assert(is_held("demo"));

	/* The goodbye of another client is none of this one's. */
	prepare("shared", 2);
	show_group(7);
	c = ask(5, CHANNEL_GRANTED);
	prepare("shared", 3);
	show_group(7);
	d = ask(6, CHANNEL_GRANTED);
	claim_down(book, 5, c.session, CHANNEL_CLOSED);
	next(ALL, CHANNEL_UP);
	claim_down(book, 6, d.session, CHANNEL_LOST);
	no_more();
	ck_assert(is_held("shared"));
}
END_TEST

START_TEST(only_the_owner_ends_a_session)
{
	struct channel_claimed c = granted("demo", 1, 5), d;
	struct registry_ref nowhere = { UINT32_MAX, 1 };

	claim_down(book, 6, c.session, CHANNEL_CLOSED);
	claim_down(book, 6, c.session, CHANNEL_LOST);
	claim_down(book, REGISTRY_NO_WORKER, c.session, CHANNEL_LOST);
	claim_down(book, 5, nowhere, CHANNEL_CLOSED);
	no_more();
	ck_assert(!is_free("demo") && !is_held("demo"));

	/* Word of the old owner that crosses the take-over is late. */
	prepare("demo", 1);
	offer(1);
	d = take_over(5, 5, &c);
	claim_down(book, 5, c.session, CHANNEL_CLOSED);
	no_more();
	ck_assert(!is_free("demo") && !is_held("demo"));

	/* Nonsense for a cause is no goodbye. */
	claim_down(book, 5, d.session, (enum channel_cause)77);
	no_more();
	ck_assert(is_held("demo"));
}
END_TEST

START_TEST(held_name_waits_for_its_owner)
{
	struct channel_claimed c = granted("demo", 1, 5), d;
	struct registry_session s;
	struct registry_tunnel t;
	uint64_t before = clock_ms();

	claim_down(book, 5, c.session, CHANNEL_LOST);
	no_more();
	ck_assert(registry_find(reg, "demo", &t));
	ck_assert(registry_session(reg, t.seats[0].session, &s));
	ck_assert_uint_ge(s.grace_end_ms, before + 1000 * 1000);
	prepare("demo", 2);
	ask(6, CHANNEL_TAKEN_NAME);
	strcpy(claim.session, c.label);
	offer(2);
	ask(6, CHANNEL_TAKEN_NAME);
	offer(1);
	d = ask(6, CHANNEL_RESUMED); /* nobody is told that it is taken */
	ck_assert_str_eq(d.label, c.label);
	ck_assert_str_eq(d.name, "demo");
	ck_assert(!is_held("demo"));
}
END_TEST

START_TEST(no_grace_frees_at_once)
{
	struct channel_claimed c = granted("demo", 1, 5);

	config.grace = 0;
	claim_down(book, 5, c.session, CHANNEL_LOST);
	next(ALL, CHANNEL_GONE);
	no_more();
	ck_assert(is_free("demo"));

	config.grace_old = 0;
	config.grace = 1000;
	prepare_old("demo", 1, "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	claim_down(book, 5, c.session, CHANNEL_LOST);
	next(ALL, CHANNEL_GONE);
	ck_assert(is_free("demo"));
}
END_TEST

START_TEST(grace_ends)
{
	struct channel_claimed kept, lost, c;

	config.grace = 1;
	kept = granted("kept", 1, 5);
	lost = granted("lost", 2, 5);
	claim_down(book, 5, kept.session, CHANNEL_LOST);
	claim_down(book, 5, lost.session, CHANNEL_LOST);
	prepare("kept", 1);
	offer(1);
	ask(5, CHANNEL_RESUMED);

	/* The one timer that is left fires, then the loop has nothing. */
	event_base_dispatch(base);
	ck_assert(
	    registry_ref_same(next(ALL, CHANNEL_GONE).tunnel, lost.tunnel));
	no_more();
	ck_assert(is_free("lost"));
	ck_assert(!is_free("kept") && !is_held("kept"));

	/* The slot can be used, held and freed again. */
	for (int i = 0; i < SIZE - 1; i++)
		granted(i == 0 ? "x" : "y", 3, 6);
	prepare("x", 3);
	offer(3);
	claim_worker_gone(book, 6);
	no_more();
	c = ask(5, CHANNEL_RESUMED);
	event_base_dispatch(base);
	next(ALL, CHANNEL_GONE);
	no_more();
	ck_assert(is_free("y") && !is_free("x"));
	claim_down(book, 5, c.session, CHANNEL_CLOSED);
	next(ALL, CHANNEL_GONE);
}
END_TEST

START_TEST(dead_worker_loses_only_its_own)
{
	struct channel_claimed c;

	granted("mine", 1, 5);
	granted("too", 2, 5);
	granted("theirs", 3, 6);
	claim_worker_gone(book, 5);
	no_more();
	ck_assert(is_held("mine") && is_held("too"));
	ck_assert(!is_held("theirs") && !is_free("theirs"));
	claim_worker_gone(book, 5);
	claim_worker_gone(book, 7);
	no_more();
	prepare("mine", 9);
	offer(1);
	c = ask(6, CHANNEL_RESUMED);
	ck_assert_str_eq(c.name, "mine");

	/* All of them at once, without any grace. */
	config.grace = 0;
	claim_worker_gone(book, 6);
	next(ALL, CHANNEL_GONE);
	next(ALL, CHANNEL_GONE);
	no_more();
	ck_assert(is_free("mine") && is_free("theirs") && is_held("too"));
}
END_TEST

/* Reads the word to a worker that it goes on with a node session. */
static struct channel_claimed
adopted(uint32_t worker, const struct channel_claimed *old)
{
	int fd = notes[0].fd;
	struct channel_claimed c = next(worker, CHANNEL_ADOPT).claimed;
	struct registry_session s;

	ck_assert(registry_ref_same(next(ALL, CHANNEL_UP).tunnel, old->tunnel));
	ck_assert(registry_ref_same(c.tunnel, old->tunnel));
	ck_assert(!registry_ref_same(c.session, old->session));
	ck_assert_str_eq(c.name, old->name);
	ck_assert_uint_eq(c.port, old->port);
	ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
	ck_assert(net_addr_same_host(&c.peer, &old->peer));
	ck_assert_int_eq(c.kind, REGISTRY_HTTP);
	ck_assert(registry_session(reg, c.session, &s));
	ck_assert_uint_eq(s.worker, worker);
	ck_assert(!is_held(c.name));
	return c;
}

START_TEST(node_session_has_a_port)
{
	struct channel_claimed c;

	prepare_node("demo", "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	ck_assert_uint_eq(asked_listener, 3);
	ck_assert_uint_eq(ports_open, 1);
	claim_down(book, 5, c.session, CHANNEL_CLOSED);
	next(ALL, CHANNEL_GONE);
	ck_assert_uint_eq(ports_open, 0);

	/* The slot is not stained by it. */
	granted("demo", 1, 5);
	granted("b", 1, 5);
	granted("c", 1, 5);
	ck_assert_uint_eq(ports_open, 0);

	/* No room: the port is given back. */
	prepare_node("node", "192.0.2.1");
	ask(5, CHANNEL_FULL);
	ck_assert_uint_eq(ports_open, 0);
}
END_TEST

START_TEST(node_session_is_of_kind_http)
{
	prepare_node("demo", "192.0.2.1");
	claim.kind = REGISTRY_TLS;
	ask(5, CHANNEL_TAKEN_NAME);
	ck_assert_uint_eq(ports_open, 0);
}
END_TEST

START_TEST(without_a_port_there_is_none)
{
	struct channel_claimed c;

	prepare_node("one", "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	prepare_node("two", "192.0.2.1");
	ask(5, CHANNEL_GRANTED);
	prepare_node("three", "192.0.2.1");
	ask(5, CHANNEL_NO_PORT);
	ck_assert(is_free("three"));
	claim_down(book, 5, c.session, CHANNEL_LOST);
	ask(5, CHANNEL_NO_PORT); /* held, and the port with it */
	prepare("three", 1);
	ask(5, CHANNEL_GRANTED); /* others need none */
}
END_TEST

START_TEST(node_name_is_its_own_while_in_use)
{
	struct channel_claimed c;

	prepare_node("demo", "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	ask(5, CHANNEL_TAKEN_NAME);

	/* Only its owner says that it is not in use, of this session. */
	claim_empty(book, 6, c.session, true);
	claim_empty(book, 5, (struct registry_ref){ UINT32_MAX, 1 }, true);
	ask(6, CHANNEL_TAKEN_NAME);
	claim_empty(book, 5, c.session, true);
	claim_empty(book, 5, c.session, false);
	ask(6, CHANNEL_TAKEN_NAME);

	claim_empty(book, 5, c.session, true);
	prepare_node("demo", "192.0.2.2");
	ask(6, CHANNEL_TAKEN_NAME);
	prepare_node("demo", "192.0.2.1");
	claim.listener = 4; /* there the port may be out of reach */
	ask(6, CHANNEL_TAKEN_NAME);
	claim.listener = 3;
	ck_assert_uint_eq(take_over(6, 5, &c).port, c.port);
	ck_assert_uint_eq(ports_open, 1);

	/* The new one is in use. */
	ask(7, CHANNEL_TAKEN_NAME);
}
END_TEST

START_TEST(dialects_do_not_mix)
{
	struct channel_claimed c;

	prepare_node("demo", "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	claim_empty(book, 5, c.session, true);
	prepare_old("demo", 0, "192.0.2.1");
	ask(5, CHANNEL_TAKEN_NAME);
	prepare("demo", 0);
	offer(0);
	strcpy(claim.session, c.label);
	ask(5, CHANNEL_TAKEN_NAME);

	prepare_old("old", 0, "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	claim_empty(book, 5, c.session, true);
	prepare_node("old", "192.0.2.1");
	ask(5, CHANNEL_TAKEN_NAME);
}
END_TEST

START_TEST(node_session_outlives_its_owner)
{
	struct channel_claimed c, d;

	prepare_node("demo", "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	claim_empty(book, 5, c.session, true);
	granted("other", 1, 5);
	heir = 7;
	claim_worker_gone(book, 5);
	d = adopted(7, &c);
	no_more();
	ck_assert(is_held("other"));

	/* What the dead one has said does not count any more. */
	prepare_node("demo", "192.0.2.1");
	ask(6, CHANNEL_TAKEN_NAME);
	claim_down(book, 5, c.session, CHANNEL_CLOSED);
	claim_down(book, 7, c.session, CHANNEL_CLOSED);
	ck_assert(!is_free("demo"));

	/* The heir dies too; nobody is ready. Then somebody is. */
	heir = REGISTRY_NO_WORKER;
	claim_worker_gone(book, 7);
	no_more();
	ck_assert(is_held("demo"));
	ck_assert_uint_eq(ports_open, 1);
	claim_worker_ready(book, 5);
	d = adopted(5, &d);
	no_more();
	claim_worker_ready(book, 6);
	no_more();
	claim_down(book, 5, d.session, CHANNEL_CLOSED);
	next(ALL, CHANNEL_GONE);
	ck_assert_uint_eq(ports_open, 0);
}
END_TEST

/* Its client cannot be told, so it goes to somebody else at once; others are
 * told by their worker. */
START_TEST(node_session_leaves_first)
{
	struct channel_claimed c, d;
	struct registry_session s;

	prepare_node("demo", "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	d = granted("other", 1, 5);
	claim_worker_leaves(book, 5); /* nobody is there who could */
	no_more();
	heir = 7;
	claim_worker_leaves(book, 5);
	c = adopted(7, &c);
	next(5, CHANNEL_TAKEN);
	no_more();
	ck_assert(registry_session(reg, d.session, &s));
	ck_assert_uint_eq(s.worker, 5);
	claim_worker_gone(book, 5);
	ck_assert(is_held("other"));
	ck_assert(registry_session(reg, c.session, &s));
	ck_assert_uint_eq(s.worker, 7);
}
END_TEST

static void
port_adopted(void *arg, bool is_tcp, uint16_t port)
{
	ck_assert_ptr_eq(arg, &config);
	ck_assert(!is_tcp);
	ck_assert_uint_eq(port, last_port);
	ports_open++;
}

/* The same program, in place of another one: it has a copy of each descriptor,
 * and closes its own. */
static void
hand_over(void)
{
	static const struct claim_ops ops = { take_note, take_note_for_all,
		open_port, close_port, pick };
	struct handoff *h = handoff_new();
	json_t *list, *part;
	size_t i;

	claim_save(book, h);
	list = json_object_get(handoff_root(h), "ports");
	json_array_foreach(list, i, part)
	{
		json_t *fd = json_object_get(part, "fd");

		json_integer_set(fd, dup((int)json_integer_value(fd)));
	}
	claim_book_free(book);
	ports_open = 0;
	book = claim_book_new(base, reg, &config, tokens, &ops, &config);
	claim_adopt(book, h, port_adopted);
	handoff_free(h);
}

START_TEST(handed_over)
{
	struct channel_claimed c, d;

	config.grace = 1;
	prepare_node("demo", "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	d = granted("other", 1, 5);
	claim_down(book, 5, d.session, CHANNEL_LOST);
	ck_assert(is_held("other"));
	hand_over();
	ck_assert_uint_eq(ports_open, 1);
	no_more();
	/* The session is where it was, with its port. */
	heir = 7;
	claim_worker_leaves(book, 5);
	c = adopted(7, &c);
	next(5, CHANNEL_TAKEN);
	/* What was held is held no longer than before. */
	event_base_loop(base, EVLOOP_ONCE);
	next(ALL, CHANNEL_GONE);
	ck_assert(is_free("other"));
	/* One that was lost goes to whoever is ready first. */
	heir = REGISTRY_NO_WORKER;
	claim_worker_gone(book, 7);
	hand_over();
	claim_worker_ready(book, 5);
	c = adopted(5, &c);
	claim_down(book, 5, c.session, CHANNEL_CLOSED);
	next(ALL, CHANNEL_GONE);
	ck_assert_uint_eq(ports_open, 0);
}
END_TEST

/* A claim for a new tunnel from there; the session that it got. */
static struct channel_claimed
ask_from(const char *name, const char *address, enum channel_verdict verdict)
{
	prepare(name, 1);
	ck_assert_int_eq(net_addr_from(&claim.peer, address, 7), 0);
	return ask(5, verdict);
}

/* Held names are counted, and so are all addresses of a /64; who comes back is
 * no new one; and the next program counts the same. */
START_TEST(an_address_has_so_many)
{
	struct channel_claimed a, b;

	config.tunnels_per_address = 2;
	a = ask_from("a", "2001:db8:1:2::1", CHANNEL_GRANTED);
	b = ask_from("b", "2001:db8:1:2::2", CHANNEL_GRANTED);
	claim_down(book, 5, b.session, CHANNEL_LOST);
	ask_from("c", "2001:db8:1:2::3", CHANNEL_ADDRESS_FULL);
	claim = (struct channel_claim){ .peer = claim.peer,
		.name = "b",
		.dialect = REGISTRY_EXT,
		.kind = REGISTRY_HTTP };
	offer(1);
	ask(5, CHANNEL_RESUMED);
	hand_over();
	ask_from("c", "2001:db8:1:2::3", CHANNEL_ADDRESS_FULL);
	ask_from("c", "2001:db8:1:3::3", CHANNEL_GRANTED);
	claim_down(book, 5, a.session, CHANNEL_CLOSED);
	next(ALL, CHANNEL_GONE);
	ask_from("d", "2001:db8:1:2::3", CHANNEL_GRANTED);
	config.tunnels_per_address = 0;
	ask_from("e", "2001:db8:1:2::3", CHANNEL_FULL);
}
END_TEST

/* Proxies, on this machine or trusted, have the clients of many. */
START_TEST(a_proxy_has_any_number)
{
	const char *wrong;

	config.tunnels_per_address = 1;
	ask_from("a", "127.0.0.1", CHANNEL_GRANTED);
	ask_from("b", "127.0.0.1", CHANNEL_GRANTED);
	ask_from("c", "192.0.2.1", CHANNEL_GRANTED);
	ask_from("d", "192.0.2.1", CHANNEL_ADDRESS_FULL);
	ck_assert(
	    cidr_list_add(&config.trusted_proxies.list, "192.0.2.1", &wrong));
	ask_from("d", "192.0.2.1", CHANNEL_FULL);
}
END_TEST

/* Nobody gets ready in time, or the grace period is none. */
START_TEST(orphans_do_not_live_for_ever)
{
	struct channel_claimed c;

	config.grace_old = 1;
	prepare_node("demo", "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	claim_worker_gone(book, 5);
	no_more();
	event_base_dispatch(base);
	ck_assert(registry_ref_same(next(ALL, CHANNEL_GONE).tunnel, c.tunnel));
	ck_assert_uint_eq(ports_open, 0);
	claim_worker_ready(book, 5);
	no_more();

	config.grace_old = 0;
	ask(5, CHANNEL_GRANTED);
	claim_worker_gone(book, 5);
	next(ALL, CHANNEL_GONE);
	no_more();
	ck_assert_uint_eq(ports_open, 0);
	claim_worker_ready(book, 5);
	no_more();
}
END_TEST

/* The operator's word: whoever has it is told, and the name is free, for
 * another client too. */
START_TEST(operator_closes_a_live_tunnel)
{
	struct channel_claimed c = granted("demo", 1, 5);

	ck_assert(!claim_close(book, "nobody"));
	no_more();
	ck_assert(claim_close(book, "demo"));
	ck_assert(registry_ref_same(next(ALL, CHANNEL_GONE).tunnel, c.tunnel));
	ck_assert(registry_ref_same(next(5, CHANNEL_CLOSE).session, c.session));
	no_more();
	ck_assert(is_free("demo"));
	ck_assert(!claim_close(book, "demo"));
	/* What its owner says about it comes too late. */
	claim_down(book, 5, c.session, CHANNEL_LOST);
	no_more();
	granted("demo", 2, 6);
}
END_TEST

/* Nobody has it: there is nobody to tell. */
START_TEST(operator_closes_a_held_name)
{
	struct channel_claimed c = granted("demo", 1, 5);

	claim_down(book, 5, c.session, CHANNEL_LOST);
	ck_assert(is_held("demo"));
	ck_assert(claim_close(book, "demo"));
	ck_assert(registry_ref_same(next(ALL, CHANNEL_GONE).tunnel, c.tunnel));
	no_more();
	ck_assert(is_free("demo"));
}
END_TEST

START_TEST(operator_closes_a_node_session)
{
	struct channel_claimed c;

	prepare_node("demo", "192.0.2.1");
	c = ask(5, CHANNEL_GRANTED);
	ck_assert_uint_eq(ports_open, 1);
	ck_assert(claim_close(book, "demo"));
	ck_assert_uint_eq(ports_open, 0);
	next(ALL, CHANNEL_GONE);
	ck_assert(registry_ref_same(next(5, CHANNEL_CLOSE).session, c.session));
	no_more();
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { free_name_is_granted,
		live_name_is_refused_without_the_secret,
		secret_resumes_a_live_session, secret_alone_is_one_more_session,
		group_key_shares_the_name, tcp_has_a_port,
		label_wins_over_the_name, what_the_registry_shows_is_no_proof,
		old_client_resumes_by_string_and_address,
		old_and_new_clients_do_not_mix, bad_names_are_refused,
		full_table_says_so, goodbye_frees_the_name,
		goodbye_is_for_all_sessions_of_a_client,
		only_the_owner_ends_a_session, held_name_waits_for_its_owner,
		no_grace_frees_at_once, grace_ends,
		dead_worker_loses_only_its_own, node_session_has_a_port,
		node_session_is_of_kind_http, without_a_port_there_is_none,
		node_name_is_its_own_while_in_use, dialects_do_not_mix,
		node_session_outlives_its_owner, node_session_leaves_first,
		handed_over, an_address_has_so_many, a_proxy_has_any_number,
		orphans_do_not_live_for_ever, operator_closes_a_live_tunnel,
		operator_closes_a_held_name, operator_closes_a_node_session };
	Suite *suite = suite_create("claim");
	TCase *tc = tcase_create("claim");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
