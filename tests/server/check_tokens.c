/* SPDX-License-Identifier: ISC
 *
 * The file of tokens as a table, and what the book of claims does with it. The
 * registry is looked over after every step.
 */
#include "server/tokens.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/sha.h>

#include "server/claim.h"
#include "server/handoff.h"
#include "server/rights.h"

#define SIZE 8
#define LOG  32

static char path[] = "/tmp/check_tokens.XXXXXX";
static char why[TOKENS_WHY_MAX];
static struct tokens *tokens;
static struct event_base *base;
static struct registry *reg;
static struct claim_book *book;
static struct config config;
static struct channel_claim claim;
static struct channel_msg log_of[LOG]; /* what workers were sent */
static size_t log_n;
static uint16_t busy; /* a port that somebody has */
static unsigned reviews;
static unsigned compared; /* hashes */
static char reserved[] = "www,mail*";

/* --- a file, and a master without workers ----------------------------------
 */

static bool
read_text(const char *text)
{
	FILE *out = fopen(path, "w");

	ck_assert_ptr_nonnull(out);
	fputs(text, out);
	fclose(out);
	strcpy(why, "");
	return tokens_read(tokens, path, why);
}

/* A line for the token "NAME", whose text is its name. */
static char *
line(char out[512], const char *name, const char *rights)
{
	uint8_t hash[TOKEN_HASH_LEN];
	int n = snprintf(out, 512, "%s ", name);

	token_hash(name, hash);
	for (size_t i = 0; i < sizeof(hash); i++)
		n += snprintf(out + n, 512 - (size_t)n, "%02x", hash[i]);
	snprintf(out + n, 512 - (size_t)n, " %s\n", rights);
	return out;
}

/* The file has this one alone. */
static void
only(const char *name, const char *rights)
{
	char text[512];

	ck_assert_msg(read_text(line(text, name, rights)), "%s", why);
}

static struct tokens_row *
find(const char *token)
{
	uint8_t hash[TOKEN_HASH_LEN], kept[REGISTRY_HASH_LEN];

	token_hash(token, hash);
	SHA256(hash, sizeof(hash), kept);
	return tokens_find(tokens, kept);
}

static void
note(void *arg, uint32_t worker, const struct channel_msg *msg, int fd)
{
	(void)arg;
	(void)worker;
	(void)fd;
	ck_assert_uint_lt(log_n, LOG);
	log_of[log_n++] = *msg;
}

static void
note_for_all(void *arg, const struct channel_msg *msg)
{
	(void)arg;
	(void)msg;
}

static int
open_port(void *arg, bool is_tcp, uint16_t listener, uint16_t *port)
{
	(void)arg;
	(void)listener;
	ck_assert(is_tcp);
	if (*port == busy) {
		errno = EADDRINUSE;
		return -1;
	}
	if (*port == 0)
		*port = 1000;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
close_port(void *arg, bool is_tcp, int fd, uint16_t port)
{
	(void)arg;
	(void)is_tcp;
	(void)port;
	close(fd);
}

static uint32_t
pick(void *arg)
{
	(void)arg;
	return REGISTRY_NO_WORKER;
}

static void
set_up(void)
{
	static const struct claim_ops ops = { note, note_for_all, open_port,
		close_port, pick };
	int fd;

	strcpy(path, "/tmp/check_tokens.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ne(fd, -1);
	close(fd);
	tokens = tokens_new();
	base = event_base_new();
	reg = registry_new(SIZE);
	memset(&config, 0, sizeof(config));
	config.grace = 1000;
	config.sessions = 4;
	config.reserved_names = reserved;
	book = claim_book_new(base, reg, &config, tokens, &ops, NULL);
	log_n = 0;
	busy = 0;
}

static void
tear_down(void)
{
	ck_assert_pstr_eq(registry_check(reg), NULL);
	claim_book_free(book);
	registry_free(reg);
	tokens_free(tokens);
	event_base_free(base);
	unlink(path);
}

static void
prepare(const char *name, const char *token)
{
	memset(&claim, 0, sizeof(claim));
	strcpy(claim.name, name);
	claim.dialect = REGISTRY_EXT;
	claim.kind = REGISTRY_HTTP;
	memset(claim.secret, name[0], sizeof(claim.secret));
	ck_assert_int_eq(net_addr_from(&claim.peer, "192.0.2.1", 1), 0);
	claim.has_token = token != NULL;
	if (token != NULL)
		token_hash(token, claim.token);
}

/* What the master says to the claim that was prepared. */
static struct channel_claimed
ask(enum channel_verdict verdict)
{
	struct channel_claimed answer;

	log_n = 0;
	claim_answer(book, 1, 7, &claim);
	ck_assert_uint_ge(log_n, 1);
	answer = log_of[log_n - 1].claimed;
	ck_assert_int_eq(answer.verdict, verdict);
	ck_assert_pstr_eq(registry_check(reg), NULL);
	return answer;
}

static struct channel_claimed
want(const char *name, const char *token, enum channel_verdict verdict)
{
	prepare(name, token);
	return ask(verdict);
}

static bool
is_there(const char *name)
{
	struct registry_tunnel t;

	return registry_find(reg, name, &t);
}

/* --- the file --------------------------------------------------------------
 */

START_TEST(none_is_needed)
{
	ck_assert(!tokens_are_needed(tokens));
	ck_assert(tokens_read(tokens, "none", why));
	ck_assert(tokens_read(tokens, NULL, why));
	ck_assert(!tokens_are_needed(tokens));
	ck_assert_ptr_null(find("alice"));
	want("demo", NULL, CHANNEL_GRANTED);
	/* One that is shown is not looked at. */
	want("other", "whatever", CHANNEL_GRANTED);
}
END_TEST

START_TEST(rows)
{
	char text[2048] = "# first\n\n", one[512];

	strcat(text, line(one, "alice", "tunnels=2"));
	strcat(text, line(one, "bob", ""));
	text[strlen(text) - 1] = '\0'; /* the last line needs no end */
	ck_assert_msg(read_text(text), "%s", why);
	ck_assert(tokens_are_needed(tokens));
	ck_assert_str_eq(find("alice")->token.name, "alice");
	ck_assert_uint_eq(find("alice")->token.tunnels, 2);
	ck_assert_str_eq(find("bob")->token.name, "bob");
	ck_assert_ptr_null(find("Alice"));
	/* Nobody needs the hash that a claim brings, so nobody has it. */
	for (size_t i = 0; i < TOKEN_HASH_LEN; i++)
		ck_assert_uint_eq(find("bob")->token.hash[i], 0);
	/* An empty file lets nobody in. */
	ck_assert(read_text(""));
	ck_assert(tokens_are_needed(tokens));
	want("demo", "alice", CHANNEL_BAD_TOKEN);
}
END_TEST

START_TEST(many_rows)
{
	char one[512], name[32];
	FILE *out = fopen(path, "w");

	for (int i = 0; i < TOKENS_MAX; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		fputs(line(one, name, ""), out);
	}
	fclose(out);
	ck_assert_msg(tokens_read(tokens, path, why), "%s", why);
	for (int i = 0; i < TOKENS_MAX; i += 97) {
		snprintf(name, sizeof(name), "t%d", i);
		ck_assert_str_eq(find(name)->token.name, name);
	}
	ck_assert_ptr_null(find("t-1"));
}
END_TEST

/* Ours in place of the library's: it counts, and works as that does. */
int
CRYPTO_memcmp(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differs = 0;

	for (size_t i = 0; i < len; i++)
		differs |= x[i] ^ y[i];
	compared += len == REGISTRY_HASH_LEN;
	return differs;
}

/* The one who is nearly right must not learn from the time how far he is. */
START_TEST(constant_time)
{
	only("alice", "");
	compared = 0;
	ck_assert_ptr_nonnull(find("alice"));
	ck_assert_uint_eq(compared, 1);
	want("demo", "alice", CHANNEL_GRANTED);
	compared = 0;
	prepare("demo", "alice");
	claim.has_proof = true;
	ask(CHANNEL_TAKEN_NAME); /* the token, its tunnel, and the secret */
	ck_assert_uint_ge(compared, 3);
}
END_TEST

/* What is wrong is said with file, line and field; nothing changes. */
START_TEST(bad_files)
{
	char text[2048] = "", one[512];

	only("alice", "");
	strcat(text, line(one, "bob", ""));
	strcat(text, "\n");
	strcat(text, line(one, "eve", "kinds=htp"));
	ck_assert(!read_text(text));
	ck_assert_ptr_nonnull(strstr(why, path));
	ck_assert_ptr_nonnull(strstr(why, ":3: kinds: \"htp\""));
	ck_assert_ptr_nonnull(find("alice"));
	ck_assert_ptr_null(find("bob"));

	strcpy(text, line(one, "bob", ""));
	strcat(text, line(one, "bob", ""));
	ck_assert(!read_text(text));
	ck_assert_ptr_nonnull(strstr(why, ":2: a token of this name"));
	line(one, "bob", "");
	one[0] = 'c';
	strcpy(text, one);
	one[0] = 'b';
	strcat(text, one);
	ck_assert(!read_text(text));
	ck_assert_ptr_nonnull(strstr(why, ":2: this token is there already"));

	ck_assert(read_text(""));
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert(!tokens_read(tokens, path, why));
	ck_assert_ptr_nonnull(strstr(why, "chmod o-w"));
	ck_assert(!tokens_read(tokens, "/nowhere/tokens", why));
	ck_assert_ptr_nonnull(strstr(why, "/nowhere/tokens"));
	ck_assert_ptr_nonnull(strstr(why, "ltctl token add"));
	ck_assert(!tokens_read(tokens, "/", why));
	ck_assert_ptr_nonnull(strstr(why, "regular"));
	ck_assert(tokens_are_needed(tokens));
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert(!tokens_read(tokens, path, why));
}
END_TEST

/* --- claims ----------------------------------------------------------------
 */

START_TEST(who_is_let_in)
{
	only("alice", "");
	want("demo", NULL, CHANNEL_NO_TOKEN);
	want("demo", "alicf", CHANNEL_BAD_TOKEN);
	prepare("demo", "alice");
	claim.token[31] ^= 1;
	ask(CHANNEL_BAD_TOKEN);
	want("demo", "alice", CHANNEL_GRANTED);
	/* Old clients have none. */
	prepare("old", NULL);
	claim.dialect = REGISTRY_OLD;
	ask(CHANNEL_NO_TOKEN);
	ck_assert_uint_eq(registry_count(reg), 1);
}
END_TEST

START_TEST(expired)
{
	only("alice", "expires=2020-01-01");
	want("demo", "alice", CHANNEL_EXPIRED);
}
END_TEST

START_TEST(names)
{
	only("alice", "names=demo,team-*");
	want("demo", "alice", CHANNEL_GRANTED);
	want("TEAM-1", "alice", CHANNEL_GRANTED);
	want("other", "alice", CHANNEL_NOT_NAME);
	/* Those that nobody gets, but for a token that names them. */
	want("www", "alice", CHANNEL_NOT_NAME);
	only("alice", "");
	want("www", "alice", CHANNEL_RESERVED);
	want("mail7", "alice", CHANNEL_RESERVED);
	only("alice", "names=mail7");
	want("mail7", "alice", CHANNEL_GRANTED);
}
END_TEST

START_TEST(reserved_without_tokens)
{
	want("WWW", NULL, CHANNEL_RESERVED);
	prepare("www", NULL);
	claim.dialect = REGISTRY_NODE;
	ask(CHANNEL_RESERVED);
	prepare("www", NULL);
	claim.dialect = REGISTRY_OLD;
	ask(CHANNEL_RESERVED);
}
END_TEST

START_TEST(kinds_and_ports)
{
	only("alice", "kinds=tcp ports=30000,30005-30006");
	want("demo", "alice", CHANNEL_NOT_KIND);
	prepare("demo", "alice");
	claim.kind = REGISTRY_TCP;
	claim.port = 30001;
	ask(CHANNEL_NOT_PORT);
	claim.port = 30005;
	ck_assert_uint_eq(ask(CHANNEL_GRANTED).port, 30005);
	/* Any of those that it may have. */
	prepare("other", "alice");
	claim.kind = REGISTRY_TCP;
	busy = 30000;
	ck_assert_uint_eq(ask(CHANNEL_GRANTED).port, 30005);
	only("alice", "ports=30000");
	prepare("third", "alice");
	claim.kind = REGISTRY_TCP;
	ask(CHANNEL_NO_PORT);
}
END_TEST

START_TEST(domains)
{
	struct registry_tunnel t;

	only("alice", "domains=*.example.org");
	prepare("demo", "alice");
	strcpy(claim.domain, "app.example.net");
	ask(CHANNEL_NOT_DOMAIN);
	strcpy(claim.domain, "app.example.org");
	ck_assert_str_eq(ask(CHANNEL_GRANTED).domain, "app.example.org");
	ck_assert(registry_find_domain(reg, "app.example.org", &t));
	ck_assert_str_eq(t.name, "demo");
	ck_assert(!registry_find_domain(reg, "example.org", &t));
	ck_assert(!registry_find_domain(reg, "", &t));
	prepare("other", "alice");
	strcpy(claim.domain, "app.example.org");
	ask(CHANNEL_DOMAIN_TAKEN);
	/* It goes with its tunnel. */
	ck_assert(claim_close(book, "demo"));
	ck_assert(!registry_find_domain(reg, "app.example.org", &t));
	ask(CHANNEL_GRANTED);
	/* Without tokens nobody has one. */
	ck_assert(tokens_read(tokens, "none", why));
	prepare("third", NULL);
	strcpy(claim.domain, "b.example.org");
	ask(CHANNEL_NOT_DOMAIN);
}
END_TEST

START_TEST(how_many)
{
	struct channel_claimed c;

	only("alice", "tunnels=2");
	c = want("a", "alice", CHANNEL_GRANTED);
	want("b", "alice", CHANNEL_GRANTED);
	want("c", "alice", CHANNEL_TOKEN_FULL);
	/* One that is held counts, and can be had back. */
	claim_down(book, 1, c.session, CHANNEL_LOST);
	want("c", "alice", CHANNEL_TOKEN_FULL);
	prepare("a", "alice");
	claim.has_proof = true;
	memset(claim.proof, 'a', sizeof(claim.proof));
	c = ask(CHANNEL_RESUMED);
	/* Further sessions are not more tunnels. */
	ask(CHANNEL_FURTHER);
	claim_down(book, 1, c.session, CHANNEL_CLOSED);
	want("c", "alice", CHANNEL_TOKEN_FULL);
	ck_assert(claim_close(book, "b"));
	want("c", "alice", CHANNEL_GRANTED);
	ck_assert_uint_eq(find("alice")->tunnels, 2);
	/* Counted anew when the file is read again. */
	only("alice", "tunnels=2");
	claim_review(book);
	ck_assert_uint_eq(find("alice")->tunnels, 2);
	want("d", "alice", CHANNEL_TOKEN_FULL);
}
END_TEST

/* A tunnel stays with the token that it was opened with. */
START_TEST(other_token)
{
	char text[1024], one[512];
	struct channel_claimed c;

	strcpy(text, line(one, "alice", ""));
	strcat(text, line(one, "bob", ""));
	ck_assert(read_text(text));
	c = want("demo", "alice", CHANNEL_GRANTED);
	prepare("demo", "bob");
	claim.has_proof = true;
	memset(claim.proof, 'd', sizeof(claim.proof));
	ask(CHANNEL_OTHER_TOKEN);
	strcpy(claim.session, c.label);
	ask(CHANNEL_OTHER_TOKEN);
	token_hash("alice", claim.token);
	ask(CHANNEL_RESUMED);
	/* Nor is it shared with another one. */
	prepare("group", "alice");
	claim.has_group = true;
	ask(CHANNEL_GRANTED);
	ask(CHANNEL_GRANTED);
	token_hash("bob", claim.token);
	ask(CHANNEL_TAKEN_NAME);
}
END_TEST

/* What a worker sees to comes with the answer. A limit of bytes has all of a
 * tunnel in one session. */
START_TEST(limited)
{
	struct channel_claimed c;

	only("alice", "connections=5 bandwidth=1000");
	prepare("demo", "alice");
	claim.has_group = true;
	c = ask(CHANNEL_GRANTED);
	ck_assert_uint_eq(c.connections, 5);
	ck_assert_uint_eq(c.bandwidth, 1000);
	ask(CHANNEL_ALONE);
	claim.has_proof = true;
	memset(claim.proof, 'd', sizeof(claim.proof));
	c = ask(CHANNEL_RESUMED);
	ck_assert_uint_eq(c.connections, 5);
}
END_TEST

/* Where the token says nothing the settings do; and sessions that were there
 * before the limit have a share of it. */
START_TEST(limited_by_the_settings)
{
	struct channel_claimed c;

	only("alice", "connections=5");
	prepare("demo", "alice");
	claim.has_group = true;
	c = ask(CHANNEL_GRANTED);
	ck_assert_uint_eq(c.bandwidth, 0);
	ask(CHANNEL_GRANTED);
	config.bandwidth_per_tunnel = 1001;
	ask(CHANNEL_ALONE);
	strcpy(claim.session, c.label);
	claim.has_proof = true;
	memset(claim.proof, 'd', sizeof(claim.proof));
	c = ask(CHANNEL_RESUMED);
	ck_assert_uint_eq(c.connections, 5);
	ck_assert_uint_eq(c.bandwidth, 501);
	only("alice", "bandwidth=10");
	c = want("other", "alice", CHANNEL_GRANTED);
	ck_assert_uint_eq(c.bandwidth, 10);
}
END_TEST

/* How many CLOSE went out, and all of them for the sake of a token. */
static unsigned
closed(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < log_n; i++)
		if (log_of[i].type == CHANNEL_CLOSE) {
			ck_assert_uint_eq(log_of[i].id, CHANNEL_BY_TOKEN);
			n++;
		}
	return n;
}

START_TEST(revoked)
{
	char text[1024], one[512];

	strcpy(text, line(one, "alice", ""));
	strcat(text, line(one, "bob", ""));
	ck_assert(read_text(text));
	want("a", "alice", CHANNEL_GRANTED);
	want("b", "bob", CHANNEL_GRANTED);
	want("b2", "bob", CHANNEL_GRANTED);
	log_n = 0;
	claim_review(book);
	ck_assert_uint_eq(closed(), 0);
	only("alice", "");
	claim_review(book);
	ck_assert_uint_eq(closed(), 2);
	ck_assert(is_there("a") && !is_there("b") && !is_there("b2"));
	/* Rights that are narrower count for what is there. */
	only("alice", "names=x");
	log_n = 0;
	claim_review(book);
	ck_assert_uint_eq(closed(), 1);
	ck_assert(!is_there("a"));
	/* Those that were opened when none was needed. */
	ck_assert(tokens_read(tokens, "none", why));
	want("free", NULL, CHANNEL_GRANTED);
	only("alice", "");
	log_n = 0;
	claim_review(book);
	ck_assert_uint_eq(closed(), 1);
	ck_assert_uint_eq(registry_count(reg), 0);
}
END_TEST

static void
review(void *arg)
{
	(void)arg;
	reviews++;
	claim_review(book);
	event_base_loopexit(base, NULL);
}

/* The time of a token comes while its tunnel is there. */
START_TEST(expires)
{
	time_t soon = time(NULL) + 2;
	char rights[64];

	reviews = 0;
	tokens_start(tokens, base, review, NULL);
	strftime(rights, sizeof(rights), "expires=%Y-%m-%dT%H:%M:%SZ",
	    gmtime(&soon));
	only("alice", rights);
	want("demo", "alice", CHANNEL_GRANTED);
	event_base_dispatch(base);
	ck_assert_uint_eq(reviews, 1);
	ck_assert_int_ge(time(NULL), soon);
	ck_assert_uint_eq(closed(), 1);
	ck_assert(!is_there("demo"));
	want("demo", "alice", CHANNEL_EXPIRED);
}
END_TEST

/* --- another program -------------------------------------------------------
 */

/* The table of the next program takes the place of this one. */
static bool
hand_over(struct handoff *h)
{
	tokens_free(tokens);
	tokens = tokens_new();
	return tokens_adopt(tokens, h);
}

START_TEST(handed_over)
{
	static const char rights[] =
	    "names=demo,team-* kinds=tls,tcp ports=9,30-40 "
	    "domains=*.example.org tunnels=3 connections=1000000000 "
	    "bandwidth=1000G expires=2099-12-31";
	struct handoff *h = handoff_new();
	struct token before;
	char text[1024];

	line(text, "full", rights);
	line(text + strlen(text), "bare", "");
	ck_assert_msg(read_text(text), "%s", why);
	before = find("full")->token;
	find("full")->tunnels = 2;
	tokens_save(tokens, h);
	unlink(path);
	ck_assert(hand_over(h));
	ck_assert(tokens_are_needed(tokens));
	ck_assert_mem_eq(&find("full")->token, &before, sizeof(before));
	ck_assert_uint_eq(find("full")->tunnels, 0);
	ck_assert_str_eq(find("bare")->token.name, "bare");
	ck_assert_ptr_null(find("other"));
	ck_assert_ptr_null(tokens_at(tokens, 2));
	handoff_free(h);
}
END_TEST

START_TEST(none_handed_over)
{
	struct handoff *h = handoff_new();

	tokens_save(tokens, h);
	ck_assert(hand_over(h));
	ck_assert(!tokens_are_needed(tokens));
	/* Of none: all is refused. */
	ck_assert(read_text(""));
	tokens_save(tokens, h);
	ck_assert(hand_over(h));
	ck_assert(tokens_are_needed(tokens));
	ck_assert_ptr_null(find("full"));
	handoff_free(h);
}
END_TEST

/* Something that is wrong never opens the server. */
START_TEST(wrong_handed_over)
{
#define ROW	"[\"a\",\"" HASH "\",\"\",\"\",7,[],0,0,0,0]"
#define HASH	SIXTEEN SIXTEEN SIXTEEN SIXTEEN
#define SIXTEEN "0123456789abcdef"
	static const char *const wrong[] = {
		"{}",
		"{\"tokens\": 1}",
		"{\"tokens\": false}",
		"{\"tokens\": [1]}",
		"{\"tokens\": [[\"a\"]]}",
		"{\"tokens\": [" ROW "," ROW "]}",
		"{\"tokens\": [[\"a\",\"12\",\"\",\"\",7,[],0,0,0,0]]}",
		"{\"tokens\": [[\"a\",\"" HASH "\",\"\",\"\",7,[1],0,0,0,0]]}",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct handoff *h = handoff_new();
		json_t *root = json_loads(wrong[i], 0, NULL);

		ck_assert_ptr_nonnull(root);
		json_object_update(handoff_root(h), root);
		ck_assert_msg(!hand_over(h), "%s", wrong[i]);
		ck_assert(tokens_are_needed(tokens));
		json_decref(root);
		handoff_free(h);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("tokens");
	TCase *tcase = tcase_create("tokens");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, none_is_needed);
	tcase_add_test(tcase, rows);
	tcase_add_test(tcase, many_rows);
	tcase_add_test(tcase, bad_files);
	tcase_add_test(tcase, constant_time);
	tcase_add_test(tcase, who_is_let_in);
	tcase_add_test(tcase, expired);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, reserved_without_tokens);
	tcase_add_test(tcase, kinds_and_ports);
	tcase_add_test(tcase, domains);
	tcase_add_test(tcase, how_many);
	tcase_add_test(tcase, other_token);
	tcase_add_test(tcase, limited);
	tcase_add_test(tcase, limited_by_the_settings);
	tcase_add_test(tcase, revoked);
	tcase_add_test(tcase, expires);
	tcase_add_test(tcase, handed_over);
	tcase_add_test(tcase, none_handed_over);
	tcase_add_test(tcase, wrong_handed_over);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
