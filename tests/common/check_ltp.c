/* SPDX-License-Identifier: ISC
 *
 * LTP: framing, what each side may say, what is refused and why, and that
 * what we write is to the byte what the public LTP/0.2 has.
 */
#include "common/ltp.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT LTP_FROM_CLIENT
#define SERVER LTP_FROM_SERVER

static struct ltp_message msg;
static const char *why;

/* Reads a message that must be good into `msg`; the test frees it. */
static void
good(enum ltp_from from, const char *json, enum ltp_type type)
{
	enum ltp_result r = ltp_parse(&msg, from, json, strlen(json), &why);

	ck_assert_msg(r == LTP_OK, "%s: %s", json, why);
	ck_assert_int_eq(msg.type, type);
}

/* A message that must be refused, with `part` in the reason. */
static void
bad_bytes(enum ltp_from from, const void *json, size_t len, const char *part)
{
	why = NULL;
	ck_assert_int_eq(ltp_parse(&msg, from, json, len, &why), LTP_BAD);
	ck_assert_ptr_null(msg.json);
	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, part) != NULL, "%s, not: %s", part, why);
	ltp_message_fini(&msg);
}

static void
bad(enum ltp_from from, const char *json, const char *part)
{
	bad_bytes(from, json, strlen(json), part);
}

/* Writes a message and compares the frame with header, length and JSON. */
static void
writes(const struct ltp_message *m, const char *header, const char *json)
{
	size_t len = 0, head = strlen(header), json_len = 0;
	char *frame = ltp_format(m, &len);

	ck_assert_ptr_nonnull(frame);
	ck_assert_uint_eq(len, head + 4 + strlen(json));
	ck_assert_mem_eq(frame, header, head);
	ck_assert_int_eq(
	    ltp_frame(frame + head, len - head, &json_len), LTP_OK);
	ck_assert_uint_eq(json_len, strlen(json));
	ck_assert_mem_eq(frame + head + 4, json, json_len);
	free(frame);
}

START_TEST(header)
{
	size_t i;

	for (i = 0; i < LTP_HEADER_LEN; i++)
		ck_assert_int_eq(ltp_header("LTP/0.2", i), LTP_MORE);
	ck_assert_int_eq(ltp_header("LTP/0.2", 7), LTP_OK);
	ck_assert_int_eq(ltp_header("LTP/0.2\0\0\0\1", 11), LTP_OK);
	ck_assert_int_eq(ltp_header("G", 1), LTP_BAD);
	ck_assert_int_eq(ltp_header("LOCK", 4), LTP_BAD);
	ck_assert_int_eq(ltp_header("LTP/0.3", 7), LTP_BAD);
	ck_assert_int_eq(ltp_header("ltp/0.2", 7), LTP_BAD);
}
END_TEST

START_TEST(frame)
{
	static char big[4 + LTP_FRAME_MAX] = "\0\0\x40\0";
	size_t n = 0, i;

	for (i = 0; i < 6; i++)
		ck_assert_int_eq(ltp_frame("\0\0\0\2{}", i, &n), LTP_MORE);
	ck_assert_int_eq(ltp_frame("\0\0\0\2{}", 6, &n), LTP_OK);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(ltp_frame("\0\0\0\2{}more", 10, &n), LTP_OK);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(ltp_frame("\0\0\0\0", 4, &n), LTP_BAD);
	ck_assert_int_eq(ltp_frame("\0\0\x40\1", 4, &n), LTP_BAD);
	ck_assert_int_eq(ltp_frame("\0\1\0\0", 4, &n), LTP_BAD);
	ck_assert_int_eq(ltp_frame("\xff\xff\xff\xff", 4, &n), LTP_BAD);
	ck_assert_int_eq(ltp_frame("\x80\0\0\2{}", 6, &n), LTP_BAD);
	ck_assert_int_eq(ltp_frame(big, sizeof(big) - 1, &n), LTP_MORE);
	ck_assert_int_eq(ltp_frame(big, sizeof(big), &n), LTP_OK);
	ck_assert_uint_eq(n, LTP_FRAME_MAX);
}
END_TEST

START_TEST(control_request)
{
	good(CLIENT,
	    "{\"control\": {\"name\": \"demo\", \"client\": "
	    "\"me@host;Linux\"}}",
	    LTP_CONTROL);
	ck_assert(!msg.has_ext);
	ck_assert_str_eq(msg.name, "demo");
	ck_assert_str_eq(msg.client, "me@host;Linux");
	ck_assert_ptr_null(msg.protect);
	ck_assert_ptr_null(msg.domain);
	ck_assert_ptr_null(msg.session);
	ltp_message_fini(&msg);

	good(CLIENT,
	    "{\"control\":{\"domain\":\"d\",\"protect\":\"u:p\","
	    "\"x\":[1],\"client\":\"\\u00e9\",\"name\":\"\"},\"y\":1}",
	    LTP_CONTROL);
	ck_assert_str_eq(msg.name, "");
	ck_assert_str_eq(msg.client, "\xc3\xa9");
	ck_assert_str_eq(msg.protect, "u:p");
	ck_assert_str_eq(msg.domain, "d");
	ltp_message_fini(&msg);
	ck_assert_ptr_null(msg.name);
}
END_TEST

START_TEST(control_request_ext)
{
	good(CLIENT,
	    "{\"control\":{\"name\":\"n\",\"client\":\"c\"},\"ext\":{"
	    "\"session\":\"s\",\"secret\":\"k\",\"agent\":\"a/1\","
	    "\"strict\":true,\"must\":[\"strict\",\"secret\","
	    "\"session\",\"agent\"],\"later\":{}}}",
	    LTP_CONTROL);
	ck_assert(msg.has_ext);
	ck_assert_str_eq(msg.session, "s");
	ck_assert_str_eq(msg.secret, "k");
	ck_assert_str_eq(msg.agent, "a/1");
	ck_assert(msg.strict);
	ck_assert_ptr_null(msg.must_unknown);
	ltp_message_fini(&msg);

	good(CLIENT,
	    "{\"ext\":{},\"control\":{\"name\":\"n\","
	    "\"client\":\"c\"}}",
	    LTP_CONTROL);
	ck_assert(msg.has_ext);
	ck_assert(!msg.strict);
	ltp_message_fini(&msg);
}
END_TEST

#define WITH_LIST(list)                                                        \
	"{\"control\":{\"name\":\"n\",\"client\":\"c\"},\"ext\":{" list "}}"

START_TEST(lists)
{
	char json[1024] = WITH_LIST("\"deny\":[\"x\"");

	good(CLIENT,
	    WITH_LIST("\"auth\":[\"a:b\",\"\"],\"allow\":[\"::1\"],"
		      "\"must\":[\"auth\",\"allow\",\"deny\"]"),
	    LTP_CONTROL);
	ck_assert_uint_eq(msg.auth.n, 2);
	ck_assert_str_eq(msg.auth.each[0], "a:b");
	ck_assert_str_eq(msg.auth.each[1], "");
	ck_assert_uint_eq(msg.allow.n, 1);
	ck_assert_str_eq(msg.allow.each[0], "::1");
	ck_assert_uint_eq(msg.deny.n, 0);
	ck_assert_ptr_null(msg.must_unknown);
	ltp_message_fini(&msg);

	bad(CLIENT, WITH_LIST("\"auth\":[]"), "auth must be a list of 1 to 32");
	bad(CLIENT, WITH_LIST("\"allow\":\"::1\""), "allow must be a list");
	bad(CLIENT, WITH_LIST("\"allow\":{\"a\":\"::1\"}"), "allow must be");
	bad(CLIENT, WITH_LIST("\"deny\":[\"::1\",1]"), "deny must be a list");
	bad(CLIENT, WITH_LIST("\"deny\":[\"::1\",[\"::1\"]]"), "deny must be");

	json[strlen(json) - 2] = '\0';
	for (int i = 1; i < LTP_LIST_MAX; i++)
		strcat(json, ",\"x\"");
	strcat(json, "]}}");
	good(CLIENT, json, LTP_CONTROL);
	ck_assert_uint_eq(msg.deny.n, LTP_LIST_MAX);
	ltp_message_fini(&msg);
	strcpy(json + strlen(json) - 3, ",\"x\"]}}");
	bad(CLIENT, json, "deny must be a list of 1 to 32 strings");
}
END_TEST

START_TEST(first_unknown_of_must)
{
	good(CLIENT,
	    "{\"control\":{\"name\":\"n\",\"client\":\"c\"},\"ext\":{"
	    "\"must\":[\"strict\",\"visitors\",\"kind\"]}}",
	    LTP_CONTROL);
	ck_assert_str_eq(msg.must_unknown, "visitors");
	ltp_message_fini(&msg);

	/* A name of a reply is none of a request. */
	good(CLIENT,
	    "{\"proxy\":{\"name\":\"n\",\"client\":\"c\"},\"ext\":{"
	    "\"must\":[\"url\"]}}",
	    LTP_PROXY);
	ck_assert_str_eq(msg.must_unknown, "url");
	ltp_message_fini(&msg);
}
END_TEST

START_TEST(proxy_request)
{
	good(
	    CLIENT, "{\"proxy\":{\"name\":\"n\",\"client\":\"c\"}}", LTP_PROXY);
	ck_assert_str_eq(msg.name, "n");
	ck_assert_str_eq(msg.client, "c");
	ltp_message_fini(&msg);
	good(CLIENT,
	    "{\"proxy\":{\"name\":\"n\",\"client\":\"c\"},"
	    "\"ext\":{\"session\":\"s\",\"secret\":\"k\"}}",
	    LTP_PROXY);
	ck_assert_str_eq(msg.session, "s");
	ck_assert_str_eq(msg.secret, "k");
	ltp_message_fini(&msg);
}
END_TEST

START_TEST(control_reply)
{
	good(SERVER,
	    "{\"control\":{\"host\":\"n.example.com:8000\","
	    "\"concurrency\":3}}",
	    LTP_CONTROL_REPLY);
	ck_assert_str_eq(msg.host, "n.example.com:8000");
	ck_assert_int_eq(msg.concurrency, 3);
	ck_assert_ptr_null(msg.banner);
	ck_assert(!msg.has_ext);
	ltp_message_fini(&msg);

	good(SERVER,
	    "{\"control\":{\"host\":\"h\",\"concurrency\":10,"
	    "\"banner\":\"hi\"},\"ext\":{\"name\":\"n\",\"url\":\"u\","
	    "\"session\":\"s\",\"secret\":\"k\",\"sni\":\"s.n.d\","
	    "\"heartbeat\":5,\"grace\":30,\"sessions\":4,"
	    "\"server\":\"ltserver/1\"}}",
	    LTP_CONTROL_REPLY);
	ck_assert_str_eq(msg.banner, "hi");
	ck_assert_str_eq(msg.ext_name, "n");
	ck_assert_ptr_null(msg.name);
	ck_assert_str_eq(msg.url, "u");
	ck_assert_str_eq(msg.session, "s");
	ck_assert_str_eq(msg.secret, "k");
	ck_assert_str_eq(msg.sni, "s.n.d");
	ck_assert_str_eq(msg.server, "ltserver/1");
	ck_assert_int_eq(msg.heartbeat_s, 5);
	ck_assert_int_eq(msg.grace_s, 30);
	ck_assert_int_eq(msg.sessions, 4);
	ltp_message_fini(&msg);
}
END_TEST

START_TEST(proxy_reply)
{
	good(SERVER, "{\"proxy\": true}", LTP_PROXY_REPLY);
	ck_assert(!msg.has_ext);
	ltp_message_fini(&msg);
	good(SERVER,
	    "{\"proxy\":true,\"ext\":{\"peer\":\"203.0.113.7:4\","
	    "\"scheme\":\"https\"}}",
	    LTP_PROXY_REPLY);
	ck_assert_str_eq(msg.peer, "203.0.113.7:4");
	ck_assert_str_eq(msg.scheme, "https");
	ltp_message_fini(&msg);
}
END_TEST

START_TEST(heartbeats)
{
	enum ltp_from side = _i == 0 ? CLIENT : SERVER;

	good(side, "{\"control\":\"ping\"}", LTP_PING);
	ltp_message_fini(&msg);
	good(side, "{\"control\": \"pong\"}", LTP_PONG);
	ltp_message_fini(&msg);
	bad(side, "{\"control\":\"PING\"}", "control must be");
	bad(side, "{\"control\":\"pings\"}", "control must be");
	bad(side, "{\"control\":true}", "control must be");
}
END_TEST

START_TEST(events)
{
	good(SERVER, "{\"event\":{\"concurrency\":64}}", LTP_CONCURRENCY);
	ck_assert_int_eq(msg.concurrency, 64);
	ltp_message_fini(&msg);
	good(SERVER, "{\"event\":{\"reconnect\":0}}", LTP_RECONNECT);
	ck_assert_int_eq(msg.reconnect_ms, 0);
	ltp_message_fini(&msg);
	good(SERVER, "{\"event\":{\"close\":\"taken over\"}}", LTP_CLOSE);
	ck_assert_str_eq(msg.text, "taken over");
	ltp_message_fini(&msg);
	good(CLIENT, "{\"event\":{\"close\":\"\"}}", LTP_CLOSE);
	ck_assert_str_eq(msg.text, "");
	ltp_message_fini(&msg);
	bad(CLIENT, "{\"event\":{\"concurrency\":64}}", "event must");
	bad(CLIENT, "{\"event\":{\"reconnect\":5}}", "event must");
	bad(SERVER, "{\"event\":{\"unheard\":5}}", "event must");
	bad(SERVER, "{\"event\":\"close\"}", "event must");
	bad(SERVER, "{\"event\":{\"close\":1}}", "close must");
	bad(SERVER, "{\"event\":{\"reconnect\":-1}}", "reconnect must");
}
END_TEST

START_TEST(errors)
{
	good(SERVER, "{\"error\":\"unavailable\"}", LTP_ERROR);
	ck_assert_str_eq(msg.error, "unavailable");
	ck_assert_ptr_null(msg.text);
	ltp_message_fini(&msg);
	good(SERVER, "{\"message\":\"m\",\"error\":\"expired\"}", LTP_ERROR);
	ck_assert_str_eq(msg.text, "m");
	ltp_message_fini(&msg);
	bad(SERVER, "{\"error\":true}", "error must");
	bad(SERVER, "{\"error\":\"e\",\"message\":1}", "message must");
	bad(CLIENT, "{\"error\":\"e\"}", "error must");
}
END_TEST

/* The same words mean different things from the two sides. */
START_TEST(direction)
{
	bad(SERVER, "{\"control\":{\"name\":\"n\",\"client\":\"c\"}}", "host");
	bad(CLIENT, "{\"control\":{\"host\":\"h\",\"concurrency\":1}}", "name");
	bad(CLIENT, "{\"proxy\":true}", "proxy");
	bad(SERVER, "{\"proxy\":{\"name\":\"n\",\"client\":\"c\"}}", "proxy");
	bad(SERVER, "{\"proxy\":false}", "proxy");
	/* control is looked at first, whatever else is there */
	good(CLIENT,
	    "{\"proxy\":{},\"control\":{\"name\":\"n\","
	    "\"client\":\"c\"}}",
	    LTP_CONTROL);
	ltp_message_fini(&msg);
	bad(CLIENT,
	    "{\"proxy\":{\"name\":\"n\",\"client\":\"c\"},"
	    "\"control\":1}",
	    "control");
}
END_TEST

#define WITH_EXT(ext)                                                          \
	"{\"control\":{\"name\":\"n\",\"client\":\"c\"},\"ext\":" ext "}"
#define REPLY_EXT(ext)                                                         \
	"{\"control\":{\"host\":\"h\",\"concurrency\":1},\"ext\":" ext "}"

static const struct {
	enum ltp_from from;
	const char *json, *why;
} refused[] = {
	{ CLIENT, "{}", "the message has none of the keys" },
	{ CLIENT, "{\"ext\":{}}", "the message has none of the keys" },
	{ CLIENT, "[]", "not an object" },
	{ CLIENT, "\"control\"", "not JSON" },
	{ CLIENT, "", "not JSON" },
	{ CLIENT, "{", "not JSON" },
	{ CLIENT, "{\"control\":\"ping\"}x", "not JSON" },
	{ CLIENT, "{\"control\":\"ping\",\"control\":\"pong\"}", "twice" },
	{ CLIENT, "{\"control\":{\"name\":\"a\",\"name\":\"b\"}}", "twice" },
	{ CLIENT, "{\"control\":{\"name\":\"n\"}}", "client must" },
	{ CLIENT, "{\"control\":{\"client\":\"n\"}}", "name must" },
	{ CLIENT, "{\"control\":{\"name\":1,\"client\":\"c\"}}", "name must" },
	{ CLIENT, "{\"proxy\":{\"name\":\"n\",\"client\":null}}", "client" },
	{ CLIENT, "{\"control\":{\"name\":\"a\\u0000b\",\"client\":\"c\"}}",
	    "not JSON" },
	{ CLIENT, "{\"control\":{\"name\":\"\xff\",\"client\":\"c\"}}",
	    "not JSON" },
	{ CLIENT,
	    "{\"control\":{\"name\":\"n\",\"client\":\"c\","
	    "\"protect\":[]}}",
	    "protect must" },
	{ CLIENT,
	    "{\"control\":{\"name\":\"n\",\"client\":\"c\","
	    "\"domain\":1}}",
	    "domain must" },
	{ SERVER, "{\"control\":{\"host\":\"h\"}}", "concurrency must" },
	{ SERVER, "{\"control\":{\"concurrency\":1}}", "host must" },
	{ SERVER, "{\"control\":{\"host\":\"h\",\"concurrency\":1.5}}",
	    "concurrency must" },
	{ SERVER, "{\"control\":{\"host\":\"h\",\"concurrency\":-1}}",
	    "concurrency must" },
	{ SERVER, "{\"control\":{\"host\":\"h\",\"concurrency\":2147483648}}",
	    "concurrency must" },
	{ SERVER,
	    "{\"control\":{\"host\":\"h\","
	    "\"concurrency\":99999999999999999999}}",
	    "not JSON" },
	{ SERVER, "{\"control\":{\"host\":\"h\",\"concurrency\":\"3\"}}",
	    "concurrency must" },
	{ SERVER,
	    "{\"control\":{\"host\":\"h\",\"concurrency\":1,"
	    "\"banner\":1}}",
	    "banner must" },
	{ CLIENT, WITH_EXT("[]"), "ext must" },
	{ CLIENT, WITH_EXT("null"), "ext must" },
	{ CLIENT, WITH_EXT("{\"session\":1}"), "session must" },
	{ CLIENT, WITH_EXT("{\"secret\":{}}"), "secret must" },
	{ CLIENT, WITH_EXT("{\"agent\":true}"), "agent must" },
	{ CLIENT, WITH_EXT("{\"strict\":1}"), "strict must" },
	{ CLIENT, WITH_EXT("{\"must\":\"strict\"}"), "must must" },
	{ CLIENT, WITH_EXT("{\"must\":[\"kind\",1]}"), "must must" },
	{ SERVER, REPLY_EXT("{\"heartbeat\":\"5\"}"), "heartbeat must" },
	{ SERVER, REPLY_EXT("{\"grace\":-5}"), "grace must" },
	{ SERVER, REPLY_EXT("{\"sessions\":null}"), "sessions must" },
	{ SERVER, REPLY_EXT("{\"url\":1}"), "url must" },
	{ SERVER, REPLY_EXT("{\"name\":1}"), "name must" },
	{ SERVER, REPLY_EXT("{\"server\":1}"), "server must" },
	{ SERVER, "{\"proxy\":true,\"ext\":{\"peer\":1}}", "peer must" },
	{ SERVER, "{\"proxy\":true,\"ext\":{\"scheme\":1}}", "scheme must" },
};

START_TEST(refusals)
{
	bad(refused[_i].from, refused[_i].json, refused[_i].why);
}
END_TEST

START_TEST(nul_byte)
{
	bad_bytes(CLIENT, "{\"control\":\"ping\"}\0", 19, "not JSON");
	bad_bytes(CLIENT, "\0{\"control\":\"ping\"}", 19, "not JSON");
	bad_bytes(CLIENT, "{\"control\":\"ping\0\"}", 19, "not JSON");
}
END_TEST

/* A control request whose name and client have these lengths. */
static void
request_of(char *json, size_t size, int name, int client)
{
	static char fill[512];

	memset(fill, 'a', sizeof(fill));
	snprintf(json, size,
	    "{\"control\":{\"name\":\"%.*s\",\"client\":\"%.*s\"}}", name, fill,
	    client, fill);
}

START_TEST(longest_strings)
{
	char json[1024];

	request_of(json, sizeof(json), LTP_CLIENT_MAX, LTP_CLIENT_MAX);
	good(CLIENT, json, LTP_CONTROL);
	ltp_message_fini(&msg);
	request_of(json, sizeof(json), LTP_CLIENT_MAX + 1, 1);
	bad(CLIENT, json, "name must be a string of at most 255 bytes");
	request_of(json, sizeof(json), 1, LTP_CLIENT_MAX + 1);
	bad(CLIENT, json, "client must be a string of at most 255 bytes");
}
END_TEST

START_TEST(nesting)
{
	/* Two levels are there already: the message and x. */
	good(CLIENT, "{\"control\":\"ping\",\"x\":[[[[[[[]]]]]]]}", LTP_PING);
	ltp_message_fini(&msg);
	bad(CLIENT, "{\"control\":\"ping\",\"x\":[[[[[[[[]]]]]]]]}", "deep");
	bad(CLIENT, "[[[[[[[[[", "deep");
	bad(CLIENT, "[[[[[[[[{", "deep");
	/* Side by side is not deep; brackets in strings do not count. */
	good(CLIENT, "{\"control\":\"ping\",\"x\":[[],[],[],{},{},[],[],[]]}",
	    LTP_PING);
	ltp_message_fini(&msg);
	good(CLIENT, "{\"control\":\"ping\",\"x\":\"[[[[[[[[[[\"}", LTP_PING);
	ltp_message_fini(&msg);
	good(CLIENT, "{\"control\":\"ping\",\"x\":\"\\\"[[[[[[[[[[\"}",
	    LTP_PING);
	ltp_message_fini(&msg);
	/* A backslash that is itself escaped does not escape the quote. */
	bad(CLIENT,
	    "{\"control\":\"ping\",\"x\":\"\\\\\",\"y\":[[[[[[[["
	    "]]]]]]]]}",
	    "deep");
}
END_TEST

START_TEST(write_requests)
{
	struct ltp_message m = { .type = LTP_CONTROL,
		.name = "demo",
		.client = "me@host;Linux",
		.session = "not without ext",
		.strict = true };

	writes(&m, LTP_HEADER,
	    "{\"control\":{\"name\":\"demo\",\"client\":"
	    "\"me@host;Linux\"}}");
	m.protect = "u:p";
	m.domain = "d";
	writes(&m, LTP_HEADER,
	    "{\"control\":{\"name\":\"demo\",\"client\":"
	    "\"me@host;Linux\",\"protect\":\"u:p\","
	    "\"domain\":\"d\"}}");
	m.type = LTP_PROXY;
	writes(&m, LTP_HEADER,
	    "{\"proxy\":{\"name\":\"demo\",\"client\":"
	    "\"me@host;Linux\"}}");
	m.has_ext = true;
	m.secret = "k";
	m.session = "s";
	writes(&m, LTP_HEADER,
	    "{\"proxy\":{\"name\":\"demo\",\"client\":"
	    "\"me@host;Linux\"},\"ext\":{\"session\":\"s\","
	    "\"secret\":\"k\"}}");
}
END_TEST

START_TEST(write_request_ext)
{
	struct ltp_message m = {
		.type = LTP_CONTROL, .has_ext = true, .client = "c"
	};

	writes(&m, LTP_HEADER,
	    "{\"control\":{\"name\":\"\",\"client\":\"c\"},"
	    "\"ext\":{}}");
	m.name = "n";
	m.agent = "ltclient/1.0";
	m.strict = true;
	writes(&m, LTP_HEADER,
	    WITH_EXT("{\"agent\":\"ltclient/1.0\",\"strict\":true,"
		     "\"must\":[\"strict\"]}"));
	m.strict = false;
	m.agent = NULL;
	m.kind = "tls";
	writes(
	    &m, LTP_HEADER, WITH_EXT("{\"kind\":\"tls\",\"must\":[\"kind\"]}"));
	m.kind = NULL;
	m.auth = (struct ltp_list){ { "a:b", "c:d" }, 2 };
	m.deny = (struct ltp_list){ { "::1" }, 1 };
	writes(&m, LTP_HEADER,
	    WITH_EXT("{\"auth\":[\"a:b\",\"c:d\"],\"must\":[\"auth\","
		     "\"deny\"],\"deny\":[\"::1\"]}"));
	m.has_ext = false;
	writes(
	    &m, LTP_HEADER, "{\"control\":{\"name\":\"n\",\"client\":\"c\"}}");
}
END_TEST

START_TEST(write_replies)
{
	struct ltp_message m = { .type = LTP_CONTROL_REPLY,
		.host = "n.example.com",
		.concurrency = 3,
		.secret = "not without ext" };

	writes(&m, "",
	    "{\"control\":{\"host\":\"n.example.com\","
	    "\"concurrency\":3,\"banner\":\"\"}}");
	m = (struct ltp_message){ .type = LTP_CONTROL_REPLY,
		.has_ext = true,
		.host = "h",
		.banner = "hi",
		.ext_name = "n",
		.url = "http://h/",
		.session = "s",
		.secret = "k",
		.sni = "s.n.d",
		.server = "ltserver/1.0",
		.heartbeat_s = 5,
		.grace_s = 30,
		.sessions = 4 };
	writes(&m, "",
	    "{\"control\":{\"host\":\"h\",\"concurrency\":0,"
	    "\"banner\":\"hi\"},\"ext\":{\"name\":\"n\","
	    "\"url\":\"http://h/\",\"session\":\"s\","
	    "\"secret\":\"k\",\"sni\":\"s.n.d\",\"heartbeat\":5,"
	    "\"grace\":30,\"sessions\":4,"
	    "\"server\":\"ltserver/1.0\"}}");
	m = (struct ltp_message){ .type = LTP_PROXY_REPLY, .peer = "p" };
	writes(&m, "", "{\"proxy\":true}");
	m.has_ext = true;
	m.scheme = "https";
	writes(&m, "",
	    "{\"proxy\":true,\"ext\":{\"peer\":\"p\","
	    "\"scheme\":\"https\"}}");
}
END_TEST

START_TEST(write_the_rest)
{
	struct ltp_message m = { .type = LTP_PING };

	writes(&m, "", "{\"control\":\"ping\"}");
	m.type = LTP_PONG;
	writes(&m, "", "{\"control\":\"pong\"}");
	m.type = LTP_CONCURRENCY;
	m.concurrency = 12;
	writes(&m, "", "{\"event\":{\"concurrency\":12}}");
	m.type = LTP_RECONNECT;
	writes(&m, "", "{\"event\":{\"reconnect\":0}}");
	m.type = LTP_CLOSE;
	m.text = "taken over";
	writes(&m, "", "{\"event\":{\"close\":\"taken over\"}}");
	m.type = LTP_ERROR;
	m.error = "limit";
	writes(&m, "", "{\"error\":\"limit\",\"message\":\"taken over\"}");
	m.text = NULL;
	writes(&m, "", "{\"error\":\"limit\",\"message\":\"\"}");
}
END_TEST

START_TEST(cannot_write)
{
	struct ltp_message listed = { .type = LTP_CONTROL,
		.has_ext = true,
		.auth = { { "a:b", "c:\xff" }, 2 } };
	struct ltp_message m = { .type = LTP_CLOSE, .text = "\xff" };
	static char big[LTP_FRAME_MAX + 1];
	size_t len = 0, overhead = strlen("{\"event\":{\"close\":\"\"}}");
	char *frame;

	ck_assert_ptr_null(ltp_format(&m, &len));
	memset(big, 'a', LTP_FRAME_MAX - overhead);
	m.text = big;
	frame = ltp_format(&m, &len);
	ck_assert_ptr_nonnull(frame);
	ck_assert_uint_eq(len, 4 + LTP_FRAME_MAX);
	free(frame);
	big[LTP_FRAME_MAX - overhead] = 'a';
	ck_assert_ptr_null(ltp_format(&m, &len));
	ck_assert_ptr_null(ltp_format(&listed, &len));
}
END_TEST

/* The short way to write this message writes the same. */
static void
join_as_format(const char *peer, const char *scheme)
{
	struct ltp_message m = { .type = LTP_PROXY_REPLY,
		.has_ext = peer != NULL,
		.peer = peer,
		.scheme = scheme };
	char frame[LTP_JOIN_MAX];
	size_t len, want_len;
	char *want = ltp_format(&m, &want_len);

	ck_assert_ptr_nonnull(want);
	len = ltp_format_join(frame, peer, scheme);
	ck_assert_mem_eq(frame, want, want_len);
	ck_assert_uint_eq(len, want_len);
	free(want);
}

START_TEST(write_join)
{
	join_as_format(NULL, NULL);
	join_as_format("-", "tls");
	join_as_format("203.0.113.7:40112", "http");
	join_as_format(
	    "[2001:db8:1111:2222:3333:4444:5555:6666]:65535", "https");
}
END_TEST

START_TEST(names)
{
	static const char *const wrong[] = { "", "-", "-a", "a-", "a_b", "a.b",
		"a b", "\xc3\xa9", "a\n", "caf\xe9", "a/b" };
	char name[LTP_NAME_MAX + 2] = { 0 }, out[LTP_NAME_MAX + 1];
	size_t i;

	ck_assert(ltp_name("Demo-1-X", out));
	ck_assert_str_eq(out, "demo-1-x");
	ck_assert(ltp_name("0", out));
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(!ltp_name(wrong[i], out), "%s", wrong[i]);
	memset(name, 'Z', LTP_NAME_MAX);
	ck_assert(ltp_name(name, out));
	ck_assert_uint_eq(strlen(out), LTP_NAME_MAX);
	name[LTP_NAME_MAX] = 'z';
	ck_assert(!ltp_name(name, out));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ltp");
	TCase *tc = tcase_create("ltp");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, header);
	tcase_add_test(tc, frame);
	tcase_add_test(tc, control_request);
	tcase_add_test(tc, control_request_ext);
	tcase_add_test(tc, lists);
	tcase_add_test(tc, first_unknown_of_must);
	tcase_add_test(tc, proxy_request);
	tcase_add_test(tc, control_reply);
	tcase_add_test(tc, proxy_reply);
	tcase_add_loop_test(tc, heartbeats, 0, 2);
	tcase_add_test(tc, events);
	tcase_add_test(tc, errors);
	tcase_add_test(tc, direction);
	tcase_add_loop_test(
	    tc, refusals, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, nul_byte);
	tcase_add_test(tc, longest_strings);
	tcase_add_test(tc, nesting);
	tcase_add_test(tc, write_requests);
	tcase_add_test(tc, write_request_ext);
	tcase_add_test(tc, write_replies);
	tcase_add_test(tc, write_the_rest);
	tcase_add_test(tc, write_join);
	tcase_add_test(tc, cannot_write);
	tcase_add_test(tc, names);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
