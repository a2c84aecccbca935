/* SPDX-License-Identifier: ISC
 *
 * What is read out of a ClientHello, made here or by real programs, however
 * it is cut into records and pieces; what is refused, with which alert. Run
 * from the top of the tree, where the corpus of the fuzz target is.
 */
#include "common/hello.h"

#include <check.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORPUS	 "tests/fuzz/corpus/hello"
#define HEADER	 5     /* of a record */
#define SIZE	 70000 /* of the largest test */
#define WHOLE	 16384 /* the largest record */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A literal with its length, since most hold a NUL. */
#define BYTES(s) s, sizeof(s) - 1

/* The parts of a body: version and random, session id, suites, methods. */
#define RANDOM "0123456789abcdef0123456789ABCDEF"
#define START  "\3\3" RANDOM "\0\0\2\x13\1\1\0"

/* Extensions. */
#define SNI	 "\0\0\0\x0e\0\x0c\0\0\11a.example"
#define ALPN	 "\0\x10\0\6\0\4\3ltp"
#define VERSIONS "\0\x2b\0\3\2\3\4"

static uint8_t body[SIZE], message[SIZE], out[SIZE];
static struct hello hello;

/* --- making hellos ------------------------------------------------------- */

/* Cuts bytes into records of `size`; how many bytes that makes, in `out`. */
static size_t
records(const void *bytes, size_t len, size_t size, uint8_t minor)
{
	size_t n = 0;

	for (size_t at = 0; at < len; at += size) {
		size_t piece = len - at < size ? len - at : size;

		ck_assert_uint_le(n + HEADER + piece, sizeof(out));
		memcpy(out + n, "\x16\3", 2);
		out[n + 2] = minor;
		out[n + 3] = (uint8_t)(piece >> 8);
		out[n + 4] = (uint8_t)piece;
		memcpy(out + n + HEADER, (const uint8_t *)bytes + at, piece);
		n += HEADER + piece;
	}
	return n;
}

/* A ClientHello with this body, in records of `size`. */
static size_t
wrap(const void *text, size_t len, size_t size)
{
	memcpy(message, "\1\0", 2);
	message[2] = (uint8_t)(len >> 8);
	message[3] = (uint8_t)len;
	memcpy(message + 4, text, len);
	return records(message, 4 + len, size, 1);
}

/* One with these extensions and a right length before them. */
static size_t
extend(const void *extensions, size_t len, size_t size)
{
	size_t n = sizeof(START) - 1;

	memcpy(body, BYTES(START));
	body[n++] = (uint8_t)(len >> 8);
	body[n++] = (uint8_t)len;
	memcpy(body + n, extensions, len);
	return wrap(body, n + len, size);
}

/* One with this SNI. */
static size_t
named(const char *name, size_t len)
{
	uint8_t text[1024] = { 0, 0, 0, (uint8_t)(len + 5), 0,
		(uint8_t)(len + 3), 0, 0, (uint8_t)len };

	ck_assert_uint_le(len, 300);
	text[2] = (uint8_t)((len + 5) >> 8);
	text[4] = (uint8_t)((len + 3) >> 8);
	text[7] = (uint8_t)(len >> 8);
	memcpy(text + 9, name, len);
	return extend(text, 9 + len, WHOLE);
}

/* --- reading them -------------------------------------------------------- */

/* A heap block of exactly its size shows a read past its end under ASan. */
static enum hello_result
parse(struct hello *h, const uint8_t *bytes, size_t len)
{
	uint8_t *block = calloc(1, len);
	enum hello_result r;

	memcpy(block, bytes, len);
	r = hello_parse(h, block, len);
	free(block);
	return r;
}

static void
same(const struct hello *x, const struct hello *y)
{
	ck_assert_str_eq(x->sni, y->sni);
	ck_assert(x->has_alpn == y->has_alpn);
	ck_assert(x->offers_ltp == y->offers_ltp);
	ck_assert(x->offers_http == y->offers_http);
	ck_assert_uint_eq(x->need, y->need);
	ck_assert_int_eq(x->alert, y->alert);
	ck_assert_pstr_eq(x->why, y->why);
}

/* Whatever part of it is there, the verdict is that of the whole or none. */
static void
splits(const uint8_t *bytes, size_t len, enum hello_result whole, size_t step)
{
	size_t verdict = SIZE, needed = 0;
	struct hello h;

	for (size_t i = 0; i < len; i += step) {
		if (parse(&h, bytes, i) == HELLO_MORE) {
			ck_assert_uint_eq(verdict, SIZE);
			ck_assert_uint_gt(h.need, i);
			ck_assert_uint_ge(h.need, needed);
			needed = h.need;
			continue;
		}
		same(&h, &hello);
		ck_assert(whole != HELLO_MORE);
		ck_assert(whole != HELLO_OK || i >= needed);
		verdict = i;
	}
}

static void
good(size_t len)
{
	enum hello_result r = parse(&hello, out, len);

	ck_assert_msg(r == HELLO_OK, "%d: %s", (int)r, hello.why);
	ck_assert_ptr_null(hello.why);
	splits(out, len, r, len > 4096 ? 97 : 1);
	ck_assert_int_eq(parse(&hello, out, len - 1), HELLO_MORE);
	memset(out + len, 'x', 100); /* whatever comes behind */
	ck_assert_int_eq(parse(&hello, out, len + 100), HELLO_OK);
}

static void
bad(size_t len, enum hello_alert alert, const char *what)
{
	enum hello_result r = parse(&hello, out, len);

	ck_assert_msg(r == HELLO_BAD, "%s: not refused", what);
	ck_assert_msg(hello.alert == alert, "%s: %d (%s), not %d", what,
	    hello.alert, hello.why, alert);
	ck_assert_ptr_nonnull(hello.why);
	splits(out, len, r, len > 4096 ? 97 : 1);
}

/* --- good hellos --------------------------------------------------------- */

START_TEST(name_and_protocol)
{
	good(extend(BYTES(SNI VERSIONS ALPN), WHOLE));
	ck_assert_str_eq(hello.sni, "a.example");
	ck_assert(hello.has_alpn && hello.offers_ltp && !hello.offers_http);
}
END_TEST

START_TEST(neither)
{
	good(wrap(BYTES(START), WHOLE));
	ck_assert_str_eq(hello.sni, "");
	ck_assert(!hello.has_alpn && !hello.offers_ltp && !hello.offers_http);
	good(extend(BYTES(""), WHOLE));
	ck_assert_str_eq(hello.sni, "");
}
END_TEST

START_TEST(alpn)
{
	good(extend(BYTES("\0\x10\0\x12\0\x10\2h2\x08http/1.1\3ltp"), WHOLE));
	ck_assert(hello.has_alpn && hello.offers_ltp && hello.offers_http);
	good(extend(BYTES("\0\x10\0\x13\0\x11\4ltpx\x08http/1.0\2lt"), WHOLE));
	ck_assert(hello.has_alpn && !hello.offers_ltp && !hello.offers_http);
	good(extend(BYTES("\0\x10\0\7\0\5\4\3ltp"), WHOLE));
	ck_assert(hello.has_alpn && !hello.offers_ltp);
}
END_TEST

START_TEST(longest_protocol)
{
	char text[6 + 256] = "\0\x10\1\x02\1\0\xff";

	memset(text + 7, 'p', 255);
	good(extend(text, sizeof(text), WHOLE));
	ck_assert(hello.has_alpn && !hello.offers_ltp);
}
END_TEST

START_TEST(other_name_types)
{
	good(extend(BYTES("\0\0\0\x0b\0\x09\7\0\1x\0\0\2ab"), WHOLE));
	ck_assert_str_eq(hello.sni, "ab");
	good(extend(BYTES("\0\0\0\x0b\0\x09\0\0\2ab\xff\0\1x"), WHOLE));
	ck_assert_str_eq(hello.sni, "ab");
	good(extend(BYTES("\0\0\0\6\0\4\1\0\1x"), WHOLE));
	ck_assert_str_eq(hello.sni, "");
}
END_TEST

START_TEST(grease)
{
	good(extend(
	    BYTES("\x0a\x0a\0\0" SNI "\x7a\x7a\0\1\0" ALPN "\xfa\xfa\0\0"),
	    WHOLE));
	ck_assert_str_eq(hello.sni, "a.example");
	ck_assert(hello.offers_ltp);
}
END_TEST

START_TEST(many_extensions)
{
	uint8_t text[4 * 4000] = { 0 };

	for (size_t i = 0; i < 4000; i++) {
		text[4 * i] = (uint8_t)((i + 17) >> 8);
		text[4 * i + 1] = (uint8_t)(i + 17);
	}
	good(extend(text, sizeof(text), WHOLE));
}
END_TEST

START_TEST(names)
{
	static const char *const pairs[][2] = {
		{ "Demo.EXAMPLE.com", "demo.example.com" },
		{ "demo.example.com.", "demo.example.com" },
		{ "localhost", "localhost" },
		{ "1.2.3.4a", "1.2.3.4a" },
		{ "10.example", "10.example" },
		{ "x_y.a-b.example", "x_y.a-b.example" },
		{ "xn--caf-dma.example", "xn--caf-dma.example" },
	};

	for (size_t i = 0; i < COUNT(pairs); i++) {
		good(named(pairs[i][0], strlen(pairs[i][0])));
		ck_assert_str_eq(hello.sni, pairs[i][1]);
	}
}
END_TEST

START_TEST(longest_name)
{
	char name[300];

	memset(name, 'a', sizeof(name));
	for (size_t i = 63; i < sizeof(name); i += 64)
		name[i] = '.';
	good(named(name, 253));
	ck_assert_uint_eq(strlen(hello.sni), 253);
	bad(named(name, 254), HELLO_UNRECOGNIZED_NAME, "254");
	bad(named(name, 300), HELLO_UNRECOGNIZED_NAME, "300");
	name[253] = '.';
	good(named(name, 254));
	ck_assert_uint_eq(strlen(hello.sni), 253);
	name[254] = '.';
	bad(named(name, 255), HELLO_UNRECOGNIZED_NAME, "two dots");
	name[63] = 'a';
	bad(named(name, 64), HELLO_UNRECOGNIZED_NAME, "label");
}
END_TEST

START_TEST(record_versions)
{
	for (uint8_t minor = 0; minor <= 4; minor++) {
		size_t len = extend(BYTES(SNI), WHOLE) - HEADER;

		good(records(message, len, 20, minor));
		ck_assert_str_eq(hello.sni, "a.example");
	}
}
END_TEST

START_TEST(client_versions)
{
	static const char versions[][2] = { "\3\1", "\3\2", "\3\3", "\3\4" };

	for (size_t i = 0; i < COUNT(versions); i++) {
		extend(BYTES(SNI), WHOLE);
		memcpy(out + HEADER + 4, versions[i], 2);
		good(HEADER + 4 + sizeof(START) - 1 + 2 + sizeof(SNI) - 1);
	}
}
END_TEST

/* Each size of record, down to one byte, and all that is in front of a name. */
START_TEST(fragments)
{
	for (size_t size = 1; size < 100; size++) {
		good(extend(BYTES(VERSIONS SNI ALPN), size));
		ck_assert_str_eq(hello.sni, "a.example");
		ck_assert(hello.offers_ltp);
	}
}
END_TEST

/* A key share of post-quantum size before the name. */
START_TEST(big_key_share)
{
	static const size_t sizes[] = { 1, 536, 1400, WHOLE };
	uint8_t text[1700] = { 0, 0x33, 0x06, 0x26, 0x06, 0x24, 0x02, 0x02,
		0x06, 0x20 };

	memset(text + 10, 0xa5, 1568);
	memcpy(text + 10 + 1568, BYTES(SNI ALPN));
	for (size_t i = 0; i < COUNT(sizes); i++) {
		good(extend(text,
		    10 + 1568 + sizeof(SNI) - 1 + sizeof(ALPN) - 1, sizes[i]));
		ck_assert_str_eq(hello.sni, "a.example");
		ck_assert(hello.offers_ltp);
	}
}
END_TEST

/* Extensions that make a message of just `len` bytes. */
static size_t
padded(size_t len, size_t size)
{
	static uint8_t text[SIZE];
	size_t pad = len - 4 - (sizeof(START) - 1) - 2 - (sizeof(SNI) - 1) - 4;

	memset(text, 0, sizeof(text));
	memcpy(text, BYTES("\0\x15"));
	text[2] = (uint8_t)(pad >> 8);
	text[3] = (uint8_t)pad;
	memcpy(text + 4 + pad, BYTES(SNI));
	return extend(text, 4 + pad + sizeof(SNI) - 1, size);
}

START_TEST(largest)
{
	good(padded(HELLO_MAX, WHOLE));
	ck_assert_str_eq(hello.sni, "a.example");
	good(padded(HELLO_MAX, 1000));
	good(padded(HELLO_MAX, 6));
	ck_assert_str_eq(hello.sni, "a.example");
	bad(padded(HELLO_MAX + 1, 1000), HELLO_ILLEGAL_PARAMETER, "16385");
	bad(HEADER + 4, HELLO_ILLEGAL_PARAMETER, "its header alone");
	padded(HELLO_MAX + 1, 4);
	ck_assert_int_eq(parse(&hello, out, HEADER + 3), HELLO_MORE);
}
END_TEST

START_TEST(too_many_records)
{
	size_t len = padded(HELLO_MAX, 4);

	ck_assert_uint_gt(len, HELLO_WIRE_MAX);
	ck_assert_int_eq(parse(&hello, out, HELLO_WIRE_MAX - 1), HELLO_MORE);
	ck_assert_uint_eq(hello.need, HELLO_WIRE_MAX);
	bad(HELLO_WIRE_MAX, HELLO_ILLEGAL_PARAMETER, "as many as are read");
	bad(len, HELLO_ILLEGAL_PARAMETER, "more");
}
END_TEST

/* --- how often it is asked ----------------------------------------------- */

/* How many times a caller asks who waits for what is needed. */
static int
asked(size_t len)
{
	enum hello_result r = HELLO_MORE;
	int n = 0;

	hello.need = 0;
	while (r == HELLO_MORE) {
		ck_assert_uint_le(hello.need, len);
		r = parse(&hello, out, hello.need);
		n++;
	}
	ck_assert_int_eq(r, HELLO_OK);
	return n;
}

START_TEST(need)
{
	ck_assert_int_eq(parse(&hello, out, 0), HELLO_MORE);
	ck_assert_uint_gt(hello.need, 0);
	ck_assert_int_le(asked(extend(BYTES(SNI), WHOLE)), 6);
	ck_assert_int_le(asked(padded(HELLO_MAX, WHOLE)), 6);
	ck_assert_int_le(asked(padded(HELLO_MAX, 1400)), 20);
	ck_assert_int_le(asked(padded(HELLO_MAX, 6)), 40);
	ck_assert_int_le(asked(padded(HELLO_WIRE_MAX / 6, 1)), 80);
}
END_TEST

START_TEST(nothing)
{
	ck_assert_int_eq(hello_parse(&hello, NULL, 0), HELLO_MORE);
}
END_TEST

/* --- what is refused ----------------------------------------------------- */

/* From here on: what is wrong, its bytes, the alert. */
struct wrong {
	const char *what;
	const char *bytes;
	size_t len;
	enum hello_alert alert;
};

static const struct wrong connections[] = {
	{ "SSLv2", BYTES("\x80"), 10 },
	{ "HTTP", BYTES("G"), 10 },
	{ "LTP", BYTES("L"), 10 },
	{ "alert", BYTES("\x15"), 10 },
	{ "change cipher spec", BYTES("\x14"), 10 },
	{ "application data", BYTES("\x17"), 10 },
	{ "record 2.0", BYTES("\x16\2"), 70 },
	{ "record 4.0", BYTES("\x16\4"), 70 },
	{ "DTLS", BYTES("\x16\xfe"), 70 },
	{ "empty record", BYTES("\x16\3\1\0\0"), 10 },
	{ "empty second record", BYTES("\x16\3\1\0\1\1\x16\3\1\0\0"), 10 },
	{ "16385", BYTES("\x16\3\1\x40\1"), 22 },
	{ "65535", BYTES("\x16\3\3\xff\xff"), 22 },
	{ "second 16385", BYTES("\x16\3\1\0\1\1\x16\3\1\x40\1"), 22 },
	{ "second is an alert", BYTES("\x16\3\1\0\1\1\x15"), 10 },
	{ "second is 2.0", BYTES("\x16\3\1\0\1\1\x16\2"), 70 },
	{ "ServerHello", BYTES("\x16\3\1\0\x2d\2"), 10 },
	{ "HelloRequest", BYTES("\x16\3\1\0\4\0"), 10 },
	{ "16 MB", BYTES("\x16\3\1\x40\0\1\xff\xff\xff"), 47 },
	{ "65 kB", BYTES("\x16\3\1\x40\0\1\1\0\0"), 47 },
	{ "16381 and its header", BYTES("\x16\3\1\x40\0\1\0\x3f\xfd"), 47 },
};

START_TEST(wrong_connection)
{
	const struct wrong *w = &connections[_i];

	memcpy(out, w->bytes, w->len);
	bad(w->len, w->alert, w->what);
	ck_assert_int_eq(parse(&hello, out, w->len - 1), HELLO_MORE);
}
END_TEST

static const struct wrong bodies[] = {
	{ "nothing", BYTES(""), 50 },
	{ "half a version", BYTES("\3"), 50 },
	{ "SSL 3.0", BYTES("\3\0" RANDOM "\0\0\2\x13\1\1\0"), 70 },
	{ "SSL 2.0", BYTES("\0\2" RANDOM "\0\0\2\x13\1\1\0"), 70 },
	{ "a short random", BYTES("\3\3abcdefghij"), 50 },
	{ "no session id", BYTES("\3\3" RANDOM), 50 },
	{ "a session id of 33",
	    BYTES("\3\3" RANDOM "\x21" RANDOM "!\0\2\x13\1\1\0"), 50 },
	{ "a session id that overruns", BYTES("\3\3" RANDOM "\40ab"), 50 },
	{ "no suites", BYTES("\3\3" RANDOM "\0"), 50 },
	{ "an empty list of suites", BYTES("\3\3" RANDOM "\0\0\0\1\0"), 50 },
	{ "one byte of suites", BYTES("\3\3" RANDOM "\0\0\1a\1\0"), 50 },
	{ "half a suite", BYTES("\3\3" RANDOM "\0\0\3abc\1\0"), 50 },
	{ "suites that overrun", BYTES("\3\3" RANDOM "\0\0\6ab\1\0"), 50 },
	{ "no methods", BYTES("\3\3" RANDOM "\0\0\2ab"), 50 },
	{ "an empty list of methods", BYTES("\3\3" RANDOM "\0\0\2ab\0"), 50 },
	{ "methods that overrun", BYTES("\3\3" RANDOM "\0\0\2ab\2\0"), 50 },
	{ "half a length of extensions", BYTES(START "\0"), 50 },
	{ "extensions that overrun", BYTES(START "\0\x13" SNI), 50 },
	{ "bytes behind the extensions", BYTES(START "\0\x11" SNI), 50 },
	{ "bytes behind no extensions", BYTES(START "\0\0" SNI), 50 },
};

START_TEST(wrong_body)
{
	const struct wrong *w = &bodies[_i];

	bad(wrap(w->bytes, w->len, WHOLE), w->alert, w->what);
	bad(wrap(w->bytes, w->len, 7), w->alert, w->what);
}
END_TEST

static const struct wrong lists[] = {
	{ "half a type", BYTES(SNI "\0"), 50 },
	{ "no length", BYTES(SNI "\0\x2b"), 50 },
	{ "half a length", BYTES(SNI "\0\x2b\0"), 50 },
	{ "it overruns", BYTES(SNI "\0\x2b\0\4\2\3\4"), 50 },
	{ "SNI twice", BYTES(SNI SNI), 47 },
	{ "ALPN twice", BYTES(ALPN SNI ALPN), 47 },
	{ "another twice", BYTES(VERSIONS SNI VERSIONS), 47 },
	{ "65535 twice", BYTES("\xff\xff\0\0\xff\xff\0\0"), 47 },
	{ "GREASE twice", BYTES("\x0a\x0a\0\0\x0a\x0a\0\0"), 47 },
	{ "SNI: empty", BYTES("\0\0\0\0"), 50 },
	{ "SNI: half a length", BYTES("\0\0\0\1\0"), 50 },
	{ "SNI: no names", BYTES("\0\0\0\2\0\0"), 50 },
	{ "SNI: list overruns", BYTES("\0\0\0\6\0\5\0\0\1a" VERSIONS), 50 },
	{ "SNI: list too short", BYTES("\0\0\0\7\0\4\0\0\1ab"), 50 },
	{ "SNI: a type alone", BYTES("\0\0\0\3\0\1\0"), 50 },
	{ "SNI: empty name", BYTES("\0\0\0\5\0\3\0\0\0"), 50 },
	{ "SNI: name overruns", BYTES("\0\0\0\6\0\4\0\0\2a" VERSIONS), 50 },
	{ "SNI: a long name overruns", BYTES("\0\0\0\6\0\4\0\377\377a"), 50 },
	{ "SNI: other overruns", BYTES("\0\0\0\6\0\4\7\0\2a" VERSIONS), 50 },
	{ "SNI: two hosts", BYTES("\0\0\0\x0a\0\x08\0\0\1a\0\0\1b"), 47 },
	{ "SNI: the same twice", BYTES("\0\0\0\x0a\0\x08\0\0\1a\0\0\1a"), 47 },
	{ "ALPN: empty", BYTES("\0\x10\0\0"), 50 },
	{ "ALPN: no names", BYTES("\0\x10\0\2\0\0"), 50 },
	{ "ALPN: empty name", BYTES("\0\x10\0\3\0\1\0"), 50 },
	{ "ALPN: empty last name", BYTES("\0\x10\0\7\0\5\3ltp\0"), 50 },
	{ "ALPN: list overruns", BYTES("\0\x10\0\6\0\5\3ltp" VERSIONS), 50 },
	{ "ALPN: list too short", BYTES("\0\x10\0\7\0\4\3ltpx"), 50 },
	{ "ALPN: name overruns", BYTES("\0\x10\0\6\0\4\4ltp" VERSIONS), 50 },
};

START_TEST(wrong_extension)
{
	const struct wrong *w = &lists[_i];

	bad(extend(w->bytes, w->len, WHOLE), w->alert, w->what);
	bad(extend(w->bytes, w->len, 1), w->alert, w->what);
}
END_TEST

static const struct wrong hosts[] = {
	{ "IPv4", BYTES("192.0.2.1"), 112 },
	{ "IPv4 with a dot", BYTES("192.0.2.1."), 112 },
	{ "a number", BYTES("3221225985"), 112 },
	{ "a number last", BYTES("a.example.10"), 112 },
	{ "IPv6", BYTES("2001:db8::1"), 112 },
	{ "IPv6 in brackets", BYTES("[2001:db8::1]"), 112 },
	{ "a port", BYTES("a.example:443"), 112 },
	{ "NUL", BYTES("a.example\0.b"), 112 },
	{ "NUL last", BYTES("a.example\0"), 112 },
	{ "NUL alone", BYTES("\0"), 112 },
	{ "a dot", BYTES("."), 112 },
	{ "a dot first", BYTES(".a.example"), 112 },
	{ "two dots", BYTES("a..example"), 112 },
	{ "two dots last", BYTES("a.example.."), 112 },
	{ "blank", BYTES("a example"), 112 },
	{ "newline", BYTES("a.example\n"), 112 },
	{ "slash", BYTES("a/b"), 112 },
	{ "star", BYTES("*.example"), 112 },
	{ "UTF-8", BYTES("caf\xc3\xa9.example"), 112 },
	{ "at", BYTES("a@b.example"), 112 },
};

START_TEST(wrong_name)
{
	const struct wrong *w = &hosts[_i];

	bad(named(w->bytes, w->len), w->alert, w->what);
}
END_TEST

/* The first fault decides, and what comes behind it is not waited for. */
START_TEST(early)
{
	extend(BYTES(SNI SNI ALPN), WHOLE);
	bad(HEADER + 4 + sizeof(START) - 1 + 2 + sizeof(SNI) - 1 + 2,
	    HELLO_ILLEGAL_PARAMETER, "twice");
	wrap(BYTES("\3\3" RANDOM "\x21" RANDOM "!"), WHOLE);
	bad(HEADER + 4 + 2 + 32 + 1, HELLO_DECODE_ERROR, "session id");
	wrap(BYTES("\3\0" RANDOM "\x21"), WHOLE);
	bad(HEADER + 4 + 2, HELLO_PROTOCOL_VERSION, "version");
}
END_TEST

/* --- what real programs say ---------------------------------------------- */

static size_t
read_file(const char *name)
{
	char path[512];
	FILE *file;
	size_t len;

	snprintf(path, sizeof(path), CORPUS "/%s", name);
	file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s", path);
	len = fread(out, 1, sizeof(out), file);
	fclose(file);
	return len;
}

/* The names of the files begin with the verdict. */
START_TEST(corpus)
{
	static const char *const words[] = { "more-", "ok-", "bad-" };
	DIR *dir = opendir(CORPUS);
	int count[COUNT(words)] = { 0 };
	struct dirent *entry;

	ck_assert_msg(dir != NULL, "no " CORPUS " here");
	while ((entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;
		enum hello_result r;
		size_t len;

		if (name[0] == '.')
			continue;
		len = read_file(name);
		r = parse(&hello, out, len);
		ck_assert_msg(strncmp(name, words[r], strlen(words[r])) == 0,
		    "%s: not %s", name, words[r]);
		splits(out, len, r, len > 4096 ? 97 : 1);
		count[r]++;
	}
	closedir(dir);
	for (size_t i = 0; i < COUNT(words); i++)
		ck_assert_int_gt(count[i], 0);
}
END_TEST

static const struct {
	const char *file, *sni;
	bool has_alpn, offers_ltp, offers_http;
} real[] = {
	{ "ok-openssl-default", "demo.example.com", false, false, false },
	{ "ok-openssl-tls13-alpn", "demo.example.com", true, true, true },
	{ "ok-openssl-tls12", "demo.example.com", true, false, true },
	{ "ok-openssl-tls10", "demo.example.com", false, false, false },
	{ "ok-openssl-no-name", "", false, false, false },
	{ "ok-openssl-split-512", "demo.example.com", true, true, false },
	{ "ok-python-tls12", "python.example", true, false, true },
	{ "ok-python-tls13", "python.example", true, true, false },
	{ "ok-python-no-name", "", false, false, false },
	{ "ok-browser-post-quantum", "browser.example.com", true, false, true },
	{ "ok-browser-in-100s", "browser.example.com", true, false, true },
	{ "ok-kyber1024-name-last", "demo.example.com", true, true, false },
	{ "ok-early-data", "demo.example.com", true, true, false },
};

START_TEST(real_programs)
{
	size_t len = read_file(real[_i].file);

	ck_assert_int_eq(parse(&hello, out, len), HELLO_OK);
	ck_assert_str_eq(hello.sni, real[_i].sni);
	ck_assert(hello.has_alpn == real[_i].has_alpn);
	ck_assert(hello.offers_ltp == real[_i].offers_ltp);
	ck_assert(hello.offers_http == real[_i].offers_http);
}
END_TEST

static TCase *
good_hellos(void)
{
	TCase *tc = tcase_create("good");

	tcase_add_test(tc, name_and_protocol);
	tcase_add_test(tc, neither);
	tcase_add_test(tc, alpn);
	tcase_add_test(tc, longest_protocol);
	tcase_add_test(tc, other_name_types);
	tcase_add_test(tc, grease);
	tcase_add_test(tc, many_extensions);
	tcase_add_test(tc, names);
	tcase_add_test(tc, longest_name);
	tcase_add_test(tc, record_versions);
	tcase_add_test(tc, client_versions);
	tcase_add_test(tc, fragments);
	tcase_add_test(tc, big_key_share);
	tcase_add_test(tc, largest);
	tcase_add_test(tc, too_many_records);
	tcase_add_test(tc, need);
	tcase_add_test(tc, nothing);
	tcase_add_test(tc, corpus);
	tcase_add_loop_test(tc, real_programs, 0, COUNT(real));
	tcase_set_timeout(tc, 60);
	return tc;
}

static TCase *
bad_hellos(void)
{
	TCase *tc = tcase_create("bad");

	tcase_add_loop_test(tc, wrong_connection, 0, COUNT(connections));
	tcase_add_loop_test(tc, wrong_body, 0, COUNT(bodies));
	tcase_add_loop_test(tc, wrong_extension, 0, COUNT(lists));
	tcase_add_loop_test(tc, wrong_name, 0, COUNT(hosts));
	tcase_add_test(tc, early);
	return tc;
}

int
main(void)
{
	Suite *s = suite_create("hello");
	SRunner *sr;
	int failed;

	suite_add_tcase(s, good_hellos());
	suite_add_tcase(s, bad_hellos());
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
