/* SPDX-License-Identifier: ISC
 *
 * The rules about names, one test each, with workers that only take notes.
 * The registry is looked over after every step.
 */
#include "server/claim.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"

#define SIZE 3
#define LOG  64
#define ALL  1000 /* as the receiver: every worker */

struct note {
	uint32_t to;
	struct channel_msg msg;
};

static struct event_base *base;
static struct registry *reg;
static struct claim_book *book;
static struct config config;
static struct note notes[LOG];
static size_t notes_n;
static struct channel_claim claim;

static void
take_note(void *arg, uint32_t worker, const struct channel_msg *msg)
{
	ck_assert_ptr_eq(arg, &config);
	ck_assert_uint_lt(notes_n, LOG);
	notes[notes_n++] = (struct note){ worker, *msg };
}

static void
take_note_for_all(void *arg, const struct channel_msg *msg)
{
	take_note(arg, ALL, msg);
}

static void
set_up(void)
{
	static const struct claim_ops ops = { take_note, take_note_for_all };

	base = event_base_new();
	reg = registry_new(SIZE);
	config.grace = 1000;
	config.grace_old = 1000;
	book = claim_book_new(base, reg, &config, &ops, &config);
	ck_assert(base != NULL && reg != NULL && book != NULL);
	notes_n = 0;
}

static void
tear_down(void)
{
	ck_assert_pstr_eq(registry_check(reg), NULL);
	claim_book_free(book);
	claim_book_free(NULL);
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
	claim.has_ext = true;
	memset(claim.secret, fresh, sizeof(claim.secret));
	ck_assert_int_eq(net_addr_from(&claim.peer, "192.0.2.1", fresh), 0);
}

static void
prepare_old(const char *name, uint8_t client, const char *address)
{
	prepare(name, 0);
	claim.has_ext = false;
	memset(claim.client, client, sizeof(claim.client));
	ck_assert_int_eq(net_addr_from(&claim.peer, address, 7), 0);
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
	static size_t at;
	struct channel_msg msg;

	ck_assert_uint_gt(notes_n, 0);
	at = 0;
	ck_assert_uint_eq(notes[at].to, to);
	ck_assert_uint_eq(notes[at].msg.type, type);
	msg = notes[at].msg;
	memmove(notes, notes + 1, --notes_n * sizeof(notes[0]));
	ck_assert_pstr_eq(registry_check(reg), NULL);
	return msg;
}

/* Makes the claim that was prepared; all that is said in answer, checked. */
static struct channel_claimed
ask(uint32_t worker, enum channel_verdict verdict)
{
	static uint32_t id;
	struct channel_msg msg;
	struct registry_session s;

	ck_assert_uint_eq(notes_n, 0);
	claim_answer(book, worker, ++id, &claim);
	if (notes_n > 1 && notes[0].msg.type == CHANNEL_TAKEN)
		ck_assert_uint_eq(verdict, CHANNEL_RESUMED);
	if (notes[0].msg.type == CHANNEL_TAKEN) {
		memmove(&notes[LOG - 1], &notes[0], sizeof(notes[0]));
		(void)next(notes[0].to, CHANNEL_TAKEN);
	}
	msg = next(worker, CHANNEL_CLAIMED);
	ck_assert_uint_eq(msg.id, id);
	ck_assert_int_eq(msg.claimed.verdict, verdict);
	if (verdict != CHANNEL_GRANTED && verdict != CHANNEL_RESUMED) {
		ck_assert_uint_eq(notes_n, 0);
		return msg.claimed;
	}
	ck_assert(registry_ref_same(
	    next(ALL, CHANNEL_UP).tunnel, msg.claimed.tunnel));
	ck_assert(registry_session(reg, msg.claimed.session, &s));
	ck_assert_uint_eq(s.worker, worker);
	ck_assert_str_eq(s.label, msg.claimed.label);
	ck_assert_uint_eq(notes_n, 0);
	return msg.claimed;
}
