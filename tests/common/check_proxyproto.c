/* SPDX-License-Identifier: ISC
 *
 * PROXY headers: what is one, in whatever pieces it comes; what is none; and
 * what is written can be read again.
 */
#include "common/proxyproto.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGN	 "\r\n\r\n\0\r\nQUIT\n"
#define V4_BYTES "\xcb\0\x71\x07\xc0\0\x02\x01\x9c\xb0\0\x50"
#define V6_BYTES                                                               \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                           \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x9c\xb0\0\x50"
#define UNIX_12 "\0\0\0\0\0\0\0\0\0\0\0\0"
#define UNIX_108                                                               \
	UNIX_12 UNIX_12 UNIX_12 UNIX_12 UNIX_12 UNIX_12 UNIX_12 UNIX_12 UNIX_12

/* Of the length of the literal, NULs and all. */
#define BYTES(s) (s), sizeof(s) - 1

struct header {
	const char *bytes;
	size_t len;
	const char *peer; /* "-": none; of one that is none: why */
};

static const struct header good[] = {
	{ BYTES("PROXY TCP4 203.0.113.7 192.0.2.1 40112 80\r\n"),
	    "203.0.113.7:40112" },
	{ BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
	    "255.255.255.255:65535" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n"), "1.2.3.4:0" },
	{ BYTES("PROXY TCP6 2001:db8::1 2001:DB8::2 40112 80\r\n"),
	    "[2001:db8::1]:40112" },
	{ BYTES("PROXY TCP6 "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ BYTES("PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n"), "203.0.113.7:1" },
	{ BYTES("PROXY UNKNOWN\r\n"), "-" },
	{ BYTES("PROXY UNKNOWN whatever  there is\r\n"), "-" },
	{ BYTES("PROXY UNKNOWN "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	    "-" },
	{ BYTES(SIGN "\x21\x11\0\x0c" V4_BYTES), "203.0.113.7:40112" },
	{ BYTES(SIGN "\x21\x21\0\x24" V6_BYTES), "[2001:db8::1]:40112" },
	/* TLVs: an empty one, and the SSL one of haproxy. */
	{ BYTES(SIGN "\x21\x11\0\x0f" V4_BYTES "\x04\0\0"),
	    "203.0.113.7:40112" },
	{ BYTES(SIGN "\x21\x11\0\x1c" V4_BYTES
		     "\x20\0\x0d\x01\0\0\0\0\x21\0\x05TLSv1"),
	    "203.0.113.7:40112" },
	{ BYTES(SIGN "\x21\x31\0\xd8" UNIX_108 UNIX_108), "-" },
	/* The family of LOCAL means nothing, nor does what follows. */
	{ BYTES(SIGN "\x20\0\0\0"), "-" },
	{ BYTES(SIGN "\x20\x11\0\x0c" V4_BYTES), "-" },
	{ BYTES(SIGN "\x20\xff\0\x02xx"), "-" },
	{ BYTES(SIGN "\x21\0\0\0"), "-" },
	{ BYTES(SIGN "\x21\0\0\x03xyz"), "-" },
};

static const struct header none[] = {
	{ BYTES("GET / HTTP/1.1\r\n\r\n"), "no PROXY header" },
	{ BYTES("PROXYTCP4"), "no PROXY header" },
	{ BYTES("proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n"), "no PROXY header" },
	{ BYTES("\r\n\r\nGET"), "no PROXY header" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"), "no good end" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rx"), "no good end" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n"), "no good end" },
	{ BYTES("PROXY UNKNOWN x\ny\r\n"), "no good end" },
	{ BYTES("PROXY UNKNOWN "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535x\r\n"),
	    "no good end" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"), "five parts" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"), "five parts" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"), "five parts" },
	{ BYTES("PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n"), "five parts" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\0\r\n"), "five parts" },
	{ BYTES("PROXY UNKNOWNX\r\n"), "five parts" },
	{ BYTES("PROXY \r\n"), "five parts" },
	{ BYTES("PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n"), "no TCP" },
	{ BYTES("PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n"), "no TCP" },
	{ BYTES("PROXY TCP4 ::1 ::2 1 2\r\n"), "address" },
	{ BYTES("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"), "address" },
	{ BYTES("PROXY TCP4 1.2.3.4 ::1 1 2\r\n"), "address" },
	{ BYTES("PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n"), "address" },
	{ BYTES("PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n"), "address" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n"), "address" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"), "address" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 00 2\r\n"), "address" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n"), "address" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 x:1 2\r\n"), "address" },
	{ BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 -\r\n"), "address" },
	{ BYTES(SIGN "\x11\x11\0\x0c" V4_BYTES), "version" },
	{ BYTES(SIGN "\x22\x11\0\x0c" V4_BYTES), "version" },
	{ BYTES(SIGN "\x21\x12\0\x0c" V4_BYTES), "no TCP" },
	{ BYTES(SIGN "\x21\x41\0\x0c" V4_BYTES), "no TCP" },
	{ BYTES(SIGN "\x21\x13\0\x0c" V4_BYTES), "no TCP" },
	{ BYTES(SIGN "\x21\x11\0\x0b" V4_BYTES), "length" },
	{ BYTES(SIGN "\x21\x21\0\x0c" V4_BYTES), "length" },
	{ BYTES(SIGN "\x21\x11\0\0"), "length" },
	{ BYTES(SIGN "\x21\x11\0\x0e" V4_BYTES "\x04\0"), "length" },
	{ BYTES(SIGN "\x21\x11\0\x0f" V4_BYTES "\x04\0\x01"), "length" },
	{ BYTES(SIGN "\x21\x11\0\x10" V4_BYTES "\x04\xff\xff."), "length" },
	{ BYTES(SIGN "\x21\x11\x0f\xf1"), "too long" },
	{ BYTES(SIGN "\x20\x11\xff\xff"), "too long" },
};

/* In whatever pieces it comes, and whatever stands behind it. */
START_TEST(headers)
{
	const struct header *h = &good[_i];
	char buf[PROXYPROTO_MAX], text[NET_TEXT_MAX];
	struct proxyproto p;

	for (size_t len = 0; len < h->len; len++)
		ck_assert_int_eq(
		    proxyproto_parse(&p, h->bytes, len), PROXYPROTO_MORE);
	memset(buf, '\n', sizeof(buf));
	memcpy(buf, h->bytes, h->len);
	ck_assert_int_eq(proxyproto_parse(&p, buf, sizeof(buf)), PROXYPROTO_OK);
	ck_assert_uint_eq(p.len, h->len);
	ck_assert_str_eq(net_addr_text(&p.peer, text), h->peer);
}
END_TEST

START_TEST(no_headers)
{
	const struct header *h = &none[_i];
	struct proxyproto p;
	char text[NET_TEXT_MAX];
	bool was_bad = false;

	ck_assert_int_eq(
	    proxyproto_parse(&p, h->bytes, h->len), PROXYPROTO_BAD);
	ck_assert_msg(strstr(p.why, h->peer) != NULL, "%d: %s", _i, p.why);
	ck_assert_str_eq(net_addr_text(&p.peer, text), "-");
	/* What was bad once stays so; what is a part is never good. */
	for (size_t len = 0; len < h->len; len++) {
		enum proxyproto_result r = proxyproto_parse(&p, h->bytes, len);

		ck_assert_int_ne(r, PROXYPROTO_OK);
		ck_assert(!was_bad || r == PROXYPROTO_BAD);
		was_bad = r == PROXYPROTO_BAD;
	}
}
END_TEST

/* As late as its largest buffer it comes to a verdict. */
START_TEST(no_end)
{
	static char buf[PROXYPROTO_MAX];
	struct proxyproto p;

	memset(buf, ' ', sizeof(buf));
	memcpy(buf, "PROXY", 5);
	ck_assert_int_eq(proxyproto_parse(&p, buf, 106), PROXYPROTO_MORE);
	ck_assert_int_eq(proxyproto_parse(&p, buf, 107), PROXYPROTO_BAD);
	memset(buf, 0, sizeof(buf));
	memcpy(buf, SIGN "\x21\0\x0f\xf0", 16);
	ck_assert_int_eq(
	    proxyproto_parse(&p, buf, sizeof(buf) - 1), PROXYPROTO_MORE);
	ck_assert_int_eq(proxyproto_parse(&p, buf, sizeof(buf)), PROXYPROTO_OK);
}
END_TEST

static const struct {
	const char *from, *to; /* a literal; NULL: none */
	const char *v1;
	const char *peer;
} written[] = {
	{ "203.0.113.7", "192.0.2.1",
	    "PROXY TCP4 203.0.113.7 192.0.2.1 40112 80\r\n",
	    "203.0.113.7:40112" },
	{ "2001:db8::1", "2001:db8::2",
	    "PROXY TCP6 2001:db8::1 2001:db8::2 40112 80\r\n",
	    "[2001:db8::1]:40112" },
	{ "2001:db8::1", "192.0.2.1",
	    "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 40112 80\r\n",
	    "[2001:db8::1]:40112" },
	{ "203.0.113.7", "::1", "PROXY TCP4 203.0.113.7 0.0.0.0 40112 80\r\n",
	    "203.0.113.7:40112" },
	{ "::ffff:203.0.113.7", "::ffff:192.0.2.1",
	    "PROXY TCP4 203.0.113.7 192.0.2.1 40112 80\r\n",
	    "203.0.113.7:40112" },
	{ "203.0.113.7", NULL, "PROXY TCP4 203.0.113.7 0.0.0.0 40112 0\r\n",
	    "203.0.113.7:40112" },
	{ "2001:db8::1", NULL, "PROXY TCP6 2001:db8::1 :: 40112 0\r\n",
	    "[2001:db8::1]:40112" },
	{ NULL, "192.0.2.1", "PROXY UNKNOWN\r\n", "-" },
	{ NULL, NULL, "PROXY UNKNOWN\r\n", "-" },
};

START_TEST(read_again)
{
	char out[PROXYPROTO_WRITE_MAX], text[NET_TEXT_MAX];
	struct net_addr from = { 0 }, to = { 0 };
	struct proxyproto p;
	size_t len;

	if (written[_i].from != NULL)
		net_addr_from(&from, written[_i].from, 40112);
	if (written[_i].to != NULL)
		net_addr_from(&to, written[_i].to, 80);
	len = proxyproto_write(out, 1, &from, &to);
	ck_assert_uint_eq(len, strlen(written[_i].v1));
	ck_assert_mem_eq(out, written[_i].v1, len);
	ck_assert_int_eq(proxyproto_parse(&p, out, len), PROXYPROTO_OK);
	ck_assert_str_eq(net_addr_text(&p.peer, text), written[_i].peer);

	len = proxyproto_write(out, 2, &from, &to);
	ck_assert_int_eq(proxyproto_parse(&p, out, len), PROXYPROTO_OK);
	ck_assert_uint_eq(p.len, len);
	ck_assert_str_eq(net_addr_text(&p.peer, text), written[_i].peer);
}
END_TEST

/* To the byte, as other programs expect it. */
START_TEST(version_2)
{
	char out[PROXYPROTO_WRITE_MAX];
	struct net_addr from, to, nobody = { 0 };

	net_addr_from(&from, "203.0.113.7", 40112);
	net_addr_from(&to, "192.0.2.1", 80);
	ck_assert_uint_eq(proxyproto_write(out, 2, &from, &to), 28);
	ck_assert_mem_eq(out, SIGN "\x21\x11\0\x0c" V4_BYTES, 28);
	net_addr_from(&from, "2001:db8::1", 40112);
	net_addr_from(&to, "2001:db8::2", 80);
	ck_assert_uint_eq(proxyproto_write(out, 2, &from, &to), 52);
	ck_assert_mem_eq(out, SIGN "\x21\x21\0\x24" V6_BYTES, 52);
	ck_assert_uint_eq(proxyproto_write(out, 2, &nobody, &to), 16);
	ck_assert_mem_eq(out, SIGN "\x20\0\0\0", 16);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("proxyproto");
	TCase *tcase = tcase_create("proxyproto");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, headers, 0, COUNT(good));
	tcase_add_loop_test(tcase, no_headers, 0, COUNT(none));
	tcase_add_test(tcase, no_end);
	tcase_add_loop_test(tcase, read_again, 0, COUNT(written));
	tcase_add_test(tcase, version_2);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
