/* SPDX-License-Identifier: ISC
 *
 * Which request heads are believed, which are refused and with what status,
 * what is read out of a good one, and what edits leave of it.
 */
#include "common/http.h"

#include <check.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GET	 "GET / HTTP/1.1\r\n"
#define HOST	 "Host: a.example\r\n"
#define END	 "\r\n"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A literal with its length, since some hold a NUL. */
#define BYTES(s) s, sizeof(s) - 1

static struct http_head head;

static enum http_result
read_text(const char *text)
{
	return http_head(&head, text, strlen(text), NULL);
}

static void
good(const char *text)
{
	enum http_result r = read_text(text);

	ck_assert_msg(r == HTTP_OK, "%s: %s", text, head.why);
	ck_assert_uint_eq(head.len, strlen(text));
}

static void
text_eq(struct http_text text, const char *expected)
{
	ck_assert_msg(text.len == strlen(expected) &&
			  memcmp(text.at, expected, text.len) == 0,
	    "%.*s is not %s", (int)text.len, text.at, expected);
}

/* --- good heads ---------------------------------------------------------- */

START_TEST(plain_get)
{
	good("GET /a?b=c HTTP/1.1\r\nHost: Demo.Example.com:8000\r\n"
	     "Accept: */*\r\n\r\n");
	text_eq(head.method, "GET");
	text_eq(head.target, "/a?b=c");
	text_eq(head.path, "/a?b=c");
	text_eq(head.host, "Demo.Example.com:8000");
	ck_assert_str_eq(head.name, "demo.example.com");
	ck_assert(!head.wants_html && !head.is_upgrade && !head.is_chunked);
	ck_assert_uint_eq(head.content_length, 0);
}
END_TEST

START_TEST(bytes_behind_it)
{
	static const char text[] = GET HOST END "GET / and so on \n\n\0";

	ck_assert_int_eq(http_head(&head, BYTES(text), NULL), HTTP_OK);
	ck_assert_uint_eq(head.len, strlen(GET HOST END));
}
END_TEST

START_TEST(framing)
{
	good("POST / HTTP/1.1\r\n" HOST "Content-Length: 12 \r\n\r\n");
	ck_assert_uint_eq(head.content_length, 12);
	ck_assert(!head.is_chunked);
	good("POST / HTTP/1.1\r\n" HOST "transfer-encoding: Chunked\r\n\r\n");
	ck_assert_uint_eq(head.content_length, 0);
	ck_assert(head.is_chunked);
	good("GET / HTTP/1.0\r\n" HOST "Content-Length: 3\r\n\r\n");
	ck_assert_uint_eq(head.content_length, 3);
	good(GET HOST "Content-Length: 9223372036854775807\r\n\r\n");
	ck_assert_uint_eq(head.content_length, INT64_MAX);
}
END_TEST

START_TEST(upgrade)
{
	good(GET HOST "Connection: keep-alive, Upgrade\r\n"
		      "Upgrade: websocket\r\n\r\n");
	ck_assert(head.is_upgrade);
	good(GET HOST "Connection: keep-alive\r\nUpgrade: a\r\n"
		      "Connection: upgrade\r\n\r\n");
	ck_assert(head.is_upgrade);
	good(GET HOST "Connection: upgrade\r\n\r\n");
	ck_assert(!head.is_upgrade);
	good(GET HOST "Upgrade: websocket\r\n\r\n");
	ck_assert(!head.is_upgrade);
	good(GET HOST "Connection: upgraded\r\nUpgrade: websocket\r\n\r\n");
	ck_assert(!head.is_upgrade);
	good("POST / HTTP/1.1\r\n" HOST "Connection: upgrade\r\n"
	     "Upgrade: h2c\r\nContent-Length: 5\r\n\r\n");
	ck_assert(head.is_upgrade);
	ck_assert_uint_eq(head.content_length, 5);
	good("POST / HTTP/1.1\r\n" HOST "Connection: upgrade\r\n"
	     "Upgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n");
	ck_assert(head.is_upgrade && head.is_chunked);
}
END_TEST

START_TEST(html)
{
	good(GET HOST "Accept: text/html,*/*;q=0.8\r\n\r\n");
	ck_assert(head.wants_html);
	good(GET HOST "Accept: text/plain\r\naccept: x/y, TEXT/HTML\r\n\r\n");
	ck_assert(head.wants_html);
	good(GET HOST "Accept: text/htm\r\nX: text/html\r\n\r\n");
	ck_assert(!head.wants_html);
}
END_TEST

static const struct {
	const char *method, *target, *host, *path;
} targets[] = {
	{ "GET", "http://a.example/x?y", "a.example", "/x?y" },
	{ "GET", "HTTPS://A.example.:81/x", "a.EXAMPLE:81", "/x" },
	{ "GET", "http://a.example", "a.example", "/" },
	{ "GET", "http://a.example?q", "a.example", "?q" },
	{ "GET", "http://[::1]:8/", "[::1]:8", "/" },
	{ "GET", "//a//b", "a.example", "//a//b" },
	{ "GET", "/http://b.example/", "a.example", "/http://b.example/" },
	{ "OPTIONS", "*", "a.example", "*" },
	{ "DELETE", "/%00%zz~'()[]{}|\\^`\"<>", "a.example",
	    "/%00%zz~'()[]{}|\\^`\"<>" },
	{ "M-SEARCH", "/", "a.example", "/" },
};

START_TEST(good_targets)
{
	char text[256];

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n",
	    targets[_i].method, targets[_i].target, targets[_i].host);
	good(text);
	text_eq(head.method, targets[_i].method);
	text_eq(head.target, targets[_i].target);
	text_eq(head.path, targets[_i].path);
}
END_TEST

/* --- hosts --------------------------------------------------------------- */

static const struct {
	const char *value;
	const char *name; /* NULL: refused */
} hosts[] = {
	{ "a", "a" },
	{ " \t a.B-c_d.EXAMPLE \t", "a.b-c_d.example" },
	{ "a.example.", "a.example" },
	{ "a.example.:80", "a.example" },
	{ "a.example:", "a.example" },
	{ "a.example:0", "a.example" },
	{ "a.example:65535", "a.example" },
	{ "a.example:00080", "a.example" },
	{ "192.0.2.1:80", "192.0.2.1" },
	{ "[2001:DB8::1]", "[2001:db8::1]" },
	{ "[::ffff:192.0.2.1]:443", "[::ffff:192.0.2.1]" },
	{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
	{ "", NULL },
	{ " ", NULL },
	{ ".", NULL },
	{ "..", NULL },
	{ ".a", NULL },
	{ "a..", NULL },
	{ "a..b", NULL },
	{ ":80", NULL },
	{ "a:65536", NULL },
	{ "a:99999999999999999999999999", NULL },
	{ "a:8x", NULL },
	{ "a:-1", NULL },
	{ "a:80:80", NULL },
	{ "a b", NULL },
	{ "a,b", NULL },
	{ "a, a", NULL },
	{ "a\tb", NULL },
	{ "a/b", NULL },
	{ "a\\b", NULL },
	{ "a?b", NULL },
	{ "a#b", NULL },
	{ "u@a", NULL },
	{ "a%2eb", NULL },
	{ "a;b", NULL },
	{ "a'b", NULL },
	{ "a\"b", NULL },
	{ "<a>", NULL },
	{ "http://a", NULL },
	{ "b\xc3\xbc"
	  "cher.example",
	    NULL },
	{ "\xe2\x84\xaa.example", NULL }, /* the sign Kelvin, not a k */
	{ "::1", NULL },
	{ "[", NULL },
	{ "[]", NULL },
	{ "[::1", NULL },
	{ "[::1]x", NULL },
	{ "[::1].", NULL },
	{ "[::1%25lo]", NULL },
	{ "[v1.a]", NULL },
	{ "[a.example]", NULL },
	{ "[1:2:3:4:5:6:7:8:9]", NULL },
	{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", NULL },
	{ "]", NULL },
};

START_TEST(host_values)
{
	char text[256];

	snprintf(text, sizeof(text), GET "Host:%s\r\n\r\n", hosts[_i].value);
	if (hosts[_i].name != NULL) {
		good(text);
		ck_assert_str_eq(head.name, hosts[_i].name);
	} else {
		ck_assert_msg(
		    read_text(text) == HTTP_BAD, "Host: %s", hosts[_i].value);
		ck_assert_int_eq(head.status, 400);
	}
}
END_TEST

START_TEST(longest_host)
{
	char name[300], text[400];

	memset(name, 'A', sizeof(name));
	name[253] = '\0';
	snprintf(text, sizeof(text), GET "Host: %s.:1\r\n\r\n", name);
	good(text);
	ck_assert_uint_eq(strlen(head.name), 253);
	name[253] = 'A';
	name[254] = '\0';
	snprintf(text, sizeof(text), GET "Host: %s\r\n\r\n", name);
	ck_assert_int_eq(read_text(text), HTTP_BAD);
	ck_assert_int_eq(head.status, 400);
}
END_TEST

/* --- bad heads ----------------------------------------------------------- */

#define TE "Transfer-Encoding: "
#define CL "Content-Length: "

static const struct {
	const char *text;
	size_t len;
	int status;
} refused[] = {
	/* Lines. */
	{ BYTES(GET "Host: a\0b\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X: \0\r\n\r\n"), 400 },
	{ BYTES("GET /\0 HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES(GET HOST "X: a\rb\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X: a\r\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X: a\rHost: b\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X: a\nHost: b\r\n\r\n"), 400 },
	{ BYTES("GET / HTTP/1.1\nHost: a.example\r\n\r\n"), 400 },
	{ BYTES("GET / HTTP/1.1\nHost: a.example\n\n"), 400 },
	{ BYTES(GET HOST "\n"), 400 },
	{ BYTES(GET HOST "X: a\r\n b\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X: a\r\n\tb\r\n\r\n"), 400 },
	{ BYTES(GET " X: a\r\n" HOST END), 400 },
	{ BYTES(GET HOST " \r\n\r\n"), 400 },
	{ BYTES(GET HOST "X : a\r\n\r\n"), 400 },
	{ BYTES(GET "Host : a.example\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X\t: a\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X Y: a\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X\r\n\r\n"), 400 },
	{ BYTES(GET HOST ": a\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X(: a\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X\xfc: a\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X: a\vb\r\n\r\n"), 400 },
	{ BYTES(GET HOST "X: \x7f\r\n\r\n"), 400 },
	{ BYTES("\r\n" GET HOST END), 400 },
	{ BYTES("\n" GET HOST END), 400 },
	{ BYTES(" " GET HOST END), 400 },
	/* The request line. */
	{ BYTES("GET  / HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET /  HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET / HTTP/1.1 \r\n" HOST END), 400 },
	{ BYTES("GET\t/ HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET /a b HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET /a\tb HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET /\xc3\xbc HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET /#b HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET /\r\n" HOST END), 400 },
	{ BYTES("GET\r\n" HOST END), 400 },
	{ BYTES("GET / \r\n" HOST END), 400 },
	{ BYTES("GET  HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET / HTTP/0.9\r\n" HOST END), 400 },
	{ BYTES("GET / HTTP/1.2\r\n" HOST END), 400 },
	{ BYTES("GET / HTTP/2.0\r\n" HOST END), 400 },
	{ BYTES("GET / HTTP/2\r\n" HOST END), 400 },
	{ BYTES("GET / HTTP/1.10\r\n" HOST END), 400 },
	{ BYTES("GET / HTTP/1.\r\n" HOST END), 400 },
	{ BYTES("GET / http/1.1\r\n" HOST END), 400 },
	{ BYTES("GET / RTSP/1.0\r\n" HOST END), 400 },
	{ BYTES("SOURCE / ICE/1.0\r\n" HOST END), 400 },
	{ BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400 },
	{ BYTES("PRI * HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("get / HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("CONNECT a.example:80 HTTP/1.1\r\n" HOST END), 405 },
	{ BYTES("CONNECT / HTTP/1.1\r\n" HOST END), 405 },
	{ BYTES("FOO / HTTP/1.1\r\n" HOST END), 405 },
	{ BYTES("GETS / HTTP/1.1\r\n" HOST END), 405 },
	/* Targets. */
	{ BYTES("GET http://b.example/ HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET http://a.example:80/ HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET http://u@a.example/ HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET http://a.example@b/ HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET http://a.example\\@b/ HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET http:///a.example HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET http:a.example HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET http:// HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET ftp://a.example/ HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET a.example HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET a.example:80 HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET * HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("OPTIONS *a HTTP/1.1\r\n" HOST END), 400 },
	{ BYTES("GET ?a HTTP/1.1\r\n" HOST END), 400 },
	/* Host. */
	{ BYTES(GET END), 400 },
	{ BYTES("GET / HTTP/1.0\r\n\r\n"), 400 },
	{ BYTES("GET http://a.example/ HTTP/1.1\r\n\r\n"), 400 },
	{ BYTES(GET HOST HOST END), 400 },
	{ BYTES(GET HOST "X: y\r\nhOST: b.example\r\n\r\n"), 400 },
	{ BYTES(GET HOST "Host:\r\n\r\n"), 400 },
	/* Bodies. */
	{ BYTES(GET HOST CL "1\r\n" TE "chunked\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "chunked\r\n" CL "1\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "chunked\r\n" CL "0\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "1\r\n" CL "1\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "0\r\n" CL "0\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "1\r\n" CL "2\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "1, 1\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "+1\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "-1\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "0x1\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "1 1\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "1_0\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "9223372036854775808\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "18446744073709551615\r\n\r\n"), 400 },
	{ BYTES(GET HOST CL "18446744073709551617\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "gzip\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "identity\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "gzip, chunked\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "chunked, gzip\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "chunked, chunked\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "chunked,\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "xchunked\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "chunked;a=b\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "\"chunked\"\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "\vchunked\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "chunked\r\n" TE "chunked\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "chunked\r\n" TE "identity\r\n\r\n"), 400 },
	{ BYTES(GET HOST TE "gzip\r\n" TE "chunked\r\n\r\n"), 400 },
	{ BYTES("POST / HTTP/1.0\r\n" HOST TE "chunked\r\n\r\n"), 400 },
};

/* In one piece, and byte by byte: the answer must be the same. */
START_TEST(refusals)
{
	size_t len, scanned = 0;
	const char *why;

	ck_assert_msg(http_head(&head, refused[_i].text, refused[_i].len,
			  NULL) == HTTP_BAD,
	    "%s", refused[_i].text);
	ck_assert_msg(head.status == refused[_i].status, "%d: %s", head.status,
	    refused[_i].text);
	why = head.why;
	ck_assert_ptr_nonnull(why);
	for (len = 1; len <= refused[_i].len; len++)
		if (http_head(&head, refused[_i].text, len, &scanned) !=
		    HTTP_MORE)
			break;
	ck_assert_uint_le(len, refused[_i].len);
	ck_assert_int_eq(head.status, refused[_i].status);
	ck_assert_str_eq(head.why, why);
}
END_TEST

/* What can be told from the start needs no blank line. */
START_TEST(refused_early)
{
	static const char *const starts[] = { "\r", "\n", " ", "g", "SSH-2",
		"\x16\x03", "{", "GET\r", "G\t", "AAAAAAAAAAAAAAAA",
		"GET / HTTP/1.1\n", "GET / HTTP/1.1\r\n ", "GET /\x01" };

	for (size_t i = 0; i < COUNT(starts); i++) {
		ck_assert_msg(
		    read_text(starts[i]) == HTTP_BAD, "%s", starts[i]);
		ck_assert_int_eq(head.status, 400);
	}
	ck_assert_int_eq(read_text(""), HTTP_MORE);
	ck_assert_int_eq(read_text("GET / HTTP/9"), HTTP_MORE);
}
END_TEST

/* --- arrival ------------------------------------------------------------- */

START_TEST(byte_by_byte)
{
	static const char text[] = GET HOST "X: y\r\n\r\nbody";
	size_t end = strlen(text) - 4, scanned = 0;

	for (size_t len = 1; len < end; len++) {
		ck_assert_int_eq(
		    http_head(&head, text, len, &scanned), HTTP_MORE);
		ck_assert_uint_eq(scanned, len);
	}
	/* It may be asked again. */
	for (size_t len = end; len <= strlen(text); len++) {
		ck_assert_int_eq(
		    http_head(&head, text, len, &scanned), HTTP_OK);
		ck_assert_uint_eq(head.len, end);
		ck_assert_str_eq(head.name, "a.example");
	}
}
END_TEST

/* A head of `len` bytes. */
static char *
head_of(size_t len)
{
	char *text = malloc(len);
	size_t start = strlen(GET HOST "X: ");

	memset(text, 'x', len);
	memcpy(text, GET HOST "X: ", start);
	memcpy(text + len - 4, "\r\n\r\n", 4);
	return text;
}

START_TEST(longest_head)
{
	char *text = head_of(HTTP_HEAD_MAX);
	size_t scanned = 0;

	ck_assert_int_eq(http_head(&head, text, HTTP_HEAD_MAX, NULL), HTTP_OK);
	ck_assert_uint_eq(head.len, HTTP_HEAD_MAX);
	ck_assert_int_eq(
	    http_head(&head, text, HTTP_HEAD_MAX - 1, &scanned), HTTP_MORE);
	ck_assert_int_eq(
	    http_head(&head, text, HTTP_HEAD_MAX, &scanned), HTTP_OK);
	free(text);
	text = head_of(HTTP_HEAD_MAX + 1);
	for (size_t more = 0; more < 2; more++) {
		ck_assert_int_eq(
		    http_head(&head, text, HTTP_HEAD_MAX + more, NULL),
		    HTTP_BAD);
		ck_assert_int_eq(head.status, 431);
		ck_assert_ptr_nonnull(head.why);
	}
	free(text);
}
END_TEST

START_TEST(words)
{
	ck_assert(http_text_is((struct http_text){ "hOsT", 4 }, "Host"));
	ck_assert(!http_text_is((struct http_text){ "Hos", 3 }, "Host"));
	ck_assert(!http_text_is((struct http_text){ "Hosts", 5 }, "Host"));
	ck_assert(!http_text_is((struct http_text){ "\xc8ost", 4 }, "host"));
	ck_assert(http_text_is((struct http_text){ "", 0 }, ""));
}
END_TEST

static void
nth_is(const char *text, const char *name, unsigned nth, const char *value)
{
	struct http_text found;

	if (value == NULL) {
		ck_assert(!http_header(&head, text, name, nth, &found));
		return;
	}
	ck_assert(http_header(&head, text, name, nth, &found));
	ck_assert_uint_eq(found.len, strlen(value));
	ck_assert_mem_eq(found.at, value, found.len);
}

START_TEST(header_values)
{
	static const char text[] =
	    GET "A:  b c\t\r\n" HOST
		"a:\r\nAA: x\r\nA: d\r\n\r\nA: behind the head\r\n\r\n";

	ck_assert_int_eq(http_head(&head, text, strlen(text), NULL), HTTP_OK);
	nth_is(text, "a", 0, "b c");
	nth_is(text, "A", 1, "");
	nth_is(text, "A", 2, "d");
	nth_is(text, "A", 3, NULL);
	nth_is(text, "aa", 0, "x");
	nth_is(text, "aaa", 0, NULL);
	nth_is(text, "", 0, NULL);
}
END_TEST

/* --- edits --------------------------------------------------------------- */

static void
edited(const char *text, const struct http_edit *edits, size_t n,
    const char *expected)
{
	struct evbuffer *out = evbuffer_new();

	good(text);
	evbuffer_add(out, "<", 1);
	ck_assert_int_eq(http_head_edit(&head, text, edits, n, out), 0);
	evbuffer_add(out, "", 1);
	ck_assert_str_eq((char *)evbuffer_pullup(out, -1) + 1, expected);
	evbuffer_free(out);
}

START_TEST(edit_nothing)
{
	static const char text[] =
	    "GET /a HTTP/1.0\r\nhOsT:a\r\nX:  y \r\n\r\n";
	static const struct http_edit absent = { "Via", NULL };

	edited(text, NULL, 0, text);
	edited(text, &absent, 1, text);
}
END_TEST

START_TEST(edit_forwarded)
{
	static const struct http_edit edits[] = {
		{ "X-Forwarded-For", "192.0.2.1" },
		{ "X-Forwarded-Host", NULL },
		{ "Connection", "close" },
	};

	edited(GET "x-forwarded-for: liar\r\n" HOST "X-Forwarded-Host: b\r\n"
		   "X-Forwarded-For-Me: stays\r\nX-FORWARDED-FOR:\r\n\r\n",
	    edits, COUNT(edits),
	    GET HOST "X-Forwarded-For-Me: stays\r\n"
		     "X-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n");
}
END_TEST

START_TEST(edit_host)
{
	static const struct http_edit edits[] = {
		{ "Via", "b" },
		{ "host", "localhost:5000" },
	};
	static const struct http_edit drop = { "Host", NULL };

	edited(GET "A: b\r\nHost:a.example\r\nC: d\r\n\r\n", edits, 2,
	    GET "A: b\r\nHost: localhost:5000\r\nC: d\r\nVia: b\r\n\r\n");
	edited(GET "A: b\r\n" HOST END, &drop, 1, GET "A: b\r\n\r\n");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http");
	TCase *tc = tcase_create("http");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, plain_get);
	tcase_add_test(tc, bytes_behind_it);
	tcase_add_test(tc, framing);
	tcase_add_test(tc, upgrade);
	tcase_add_test(tc, html);
	tcase_add_loop_test(tc, good_targets, 0, COUNT(targets));
	tcase_add_loop_test(tc, host_values, 0, COUNT(hosts));
	tcase_add_test(tc, longest_host);
	tcase_add_loop_test(tc, refusals, 0, COUNT(refused));
	tcase_add_test(tc, refused_early);
	tcase_add_test(tc, byte_by_byte);
	tcase_add_test(tc, longest_head);
	tcase_add_test(tc, words);
	tcase_add_test(tc, header_values);
	tcase_add_test(tc, edit_nothing);
	tcase_add_test(tc, edit_forwarded);
	tcase_add_test(tc, edit_host);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
