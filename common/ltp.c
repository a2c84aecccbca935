/* SPDX-License-Identifier: ISC
 *
 * LTP: the framing, and the messages as rows of two tables. One table says
 * by which top-level key and which kind of value a message is known, the
 * other which members it has and where they stand; reading and writing both
 * work from them, so what is written can always be read again. Pure: it holds
 * no descriptor, keeps no state and never logs.
 */
#include "common/ltp.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/object.h"

#define LENGTH_LEN 4
#define NUMBER_MAX 2147483647 /* so that seconds in ms never overflow */

#define BIT(n)	 (1u << (n))
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum body {
	BODY_OBJECT, /* an object; with a word: one that has this key */
	BODY_WORD,   /* exactly this string */
	BODY_TRUE,   /* the value true */
	BODY_NONE,   /* none of its own: the members stand at the top level */
};

/* How a message is known. */
struct shape {
	const char *key;  /* at the top level */
	const char *word; /* see enum body */
	enum body body;	  /* the value of the key */
	unsigned from;	  /* bits of enum ltp_from */
};

#define CLIENT BIT(LTP_FROM_CLIENT)
#define SERVER BIT(LTP_FROM_SERVER)

static const struct shape shapes[] = {
	[LTP_CONTROL] = { "control", NULL, BODY_OBJECT, CLIENT },
	[LTP_PROXY] = { "proxy", NULL, BODY_OBJECT, CLIENT },
	[LTP_CONTROL_REPLY] = { "control", NULL, BODY_OBJECT, SERVER },
	[LTP_PROXY_REPLY] = { "proxy", NULL, BODY_TRUE, SERVER },
	[LTP_PING] = { "control", "ping", BODY_WORD, CLIENT | SERVER },
	[LTP_PONG] = { "control", "pong", BODY_WORD, CLIENT | SERVER },
	[LTP_CONCURRENCY] = { "event", "concurrency", BODY_OBJECT, SERVER },
	[LTP_RECONNECT] = { "event", "reconnect", BODY_OBJECT, SERVER },
	[LTP_CLOSE] = { "event", "close", BODY_OBJECT, CLIENT | SERVER },
	[LTP_ERROR] = { "error", NULL, BODY_NONE, SERVER },
};

/* The top-level keys in the order in which they are looked at, and what is
 * wrong with a message that has one of them but no known shape. */
static const struct {
	const char *key, *why;
} keys[] = {
	{ "control", "control must be an object, \"ping\" or \"pong\"" },
	{ "proxy", "proxy must be an object in a request, true in a reply" },
	{ "event", "event must be an object with an event of this side" },
	{ "error", "error must come from the server" },
};

enum place { PLACE_TOP, PLACE_BODY, PLACE_EXT, PLACE_COUNT };

enum kind {
	KIND_STRING,  /* const char * */
	KIND_NUMBER,  /* int64_t, 0 to NUMBER_MAX */
	KIND_BOOLEAN, /* bool; written if true */
	KIND_LIST,    /* struct ltp_list; written if not empty */
	KIND_MUST,    /* const char *: the first name in it we do not know */
};

enum need {
	OPTIONAL, /* may lack on reading; written if there is a value */
	INSISTED, /* the same, and then listed in ext.must */
	WRITTEN,  /* may lack on reading; always written */
	DEMANDED, /* must be there on reading; always written */
};

/* A member of a message. Rows stand in the order in which they are written. */
struct field {
	const char *key;
	const char *why; /* what is wrong with one that is wrong */
	size_t offset;	 /* in struct ltp_message */
	size_t max;	 /* KIND_STRING: bytes */
	enum place place;
	enum kind kind;
	enum need need;
	unsigned types; /* bits of enum ltp_type */
};

#define CONTROL	 BIT(LTP_CONTROL)
#define PROXY	 BIT(LTP_PROXY)
#define REQUESTS (CONTROL | PROXY)
#define REPLY	 BIT(LTP_CONTROL_REPLY)
#define JOINED	 BIT(LTP_PROXY_REPLY)
#define EVENT(t) BIT(LTP_##t)
#define ERROR	 BIT(LTP_ERROR)
#define ANY_LEN	 LTP_FRAME_MAX

#define TEXT_OF(x)   #x
#define DIGITS_OF(x) TEXT_OF(x)

/* clang-format off */
#define FIELD(place, key, kind, member, types, need, max, why) \
	{ key, key " must be " why, offsetof(struct ltp_message, member), max, \
	    PLACE_##place, KIND_##kind, need, types }
#define STRING(place, key, member, types, need, max) \
	FIELD(place, key, STRING, member, types, need, max, \
	    "a string of at most " DIGITS_OF(max) " bytes")
#define NUMBER(place, key, member, types, need) \
	FIELD(place, key, NUMBER, member, types, need, 0, \
	    "a whole number from 0 to " DIGITS_OF(NUMBER_MAX))
#define BOOLEAN(place, key, member, types) \
	FIELD(place, key, BOOLEAN, member, types, INSISTED, 0, "true or false")
#define LIST(place, key, member, types) \
	FIELD(place, key, LIST, member, types, INSISTED, 0, \
	    "a list of 1 to " DIGITS_OF(LTP_LIST_MAX) " strings")
#define MUST(place, key, member, types) \
	FIELD(place, key, MUST, member, types, OPTIONAL, 0, "a list of strings")

static const struct field fields[] = {
	STRING(BODY, "name", name, REQUESTS, DEMANDED, LTP_CLIENT_MAX),
	STRING(BODY, "client", client, REQUESTS, DEMANDED, LTP_CLIENT_MAX),
	STRING(BODY, "protect", protect, CONTROL, OPTIONAL, ANY_LEN),
	STRING(BODY, "domain", domain, CONTROL, OPTIONAL, ANY_LEN),
	STRING(BODY, "host", host, REPLY, DEMANDED, ANY_LEN),
	NUMBER(BODY, "concurrency", concurrency, REPLY | EVENT(CONCURRENCY),
	    DEMANDED),
	STRING(BODY, "banner", banner, REPLY, WRITTEN, ANY_LEN),
	NUMBER(BODY, "reconnect", reconnect_ms, EVENT(RECONNECT), DEMANDED),
	STRING(BODY, "close", text, EVENT(CLOSE), DEMANDED, ANY_LEN),
	STRING(TOP, "error", error, ERROR, DEMANDED, ANY_LEN),
	STRING(TOP, "message", text, ERROR, WRITTEN, ANY_LEN),
	STRING(EXT, "name", ext_name, REPLY, OPTIONAL, ANY_LEN),
	STRING(EXT, "url", url, REPLY, OPTIONAL, ANY_LEN),
	STRING(EXT, "session", session, REQUESTS | REPLY, OPTIONAL, ANY_LEN),
	STRING(EXT, "secret", secret, REQUESTS | REPLY, OPTIONAL, ANY_LEN),
	STRING(EXT, "sni", sni, REPLY, OPTIONAL, ANY_LEN),
	NUMBER(EXT, "heartbeat", heartbeat_s, REPLY, OPTIONAL),
	NUMBER(EXT, "grace", grace_s, REPLY, OPTIONAL),
	NUMBER(EXT, "sessions", sessions, REPLY, OPTIONAL),
	STRING(EXT, "server", server, REPLY, OPTIONAL, ANY_LEN),
	STRING(EXT, "peer", peer, JOINED, OPTIONAL, ANY_LEN),
	STRING(EXT, "scheme", scheme, JOINED, OPTIONAL, ANY_LEN),
	STRING(EXT, "agent", agent, CONTROL, OPTIONAL, ANY_LEN),
	STRING(EXT, "kind", kind, CONTROL, INSISTED, LTP_KIND_MAX),
	NUMBER(EXT, "port", port, CONTROL | REPLY, OPTIONAL),
	STRING(EXT, "group", group, CONTROL, OPTIONAL, ANY_LEN),
	STRING(EXT, "token", token, CONTROL, OPTIONAL, ANY_LEN),
	STRING(EXT, "domain", custom, CONTROL, INSISTED, LTP_DOMAIN_MAX),
	BOOLEAN(EXT, "strict", strict, CONTROL),
	LIST(EXT, "auth", auth, CONTROL),
	LIST(EXT, "allow", allow, CONTROL),
	LIST(EXT, "deny", deny, CONTROL),
	MUST(EXT, "must", must_unknown, REQUESTS),
};
/* clang-format on */

enum ltp_result
ltp_header(const void *buf, size_t len)
{
	size_t n = len < LTP_HEADER_LEN ? len : LTP_HEADER_LEN;

	if (n > 0 && memcmp(buf, LTP_HEADER, n) != 0)
		return LTP_BAD;
	return n == LTP_HEADER_LEN ? LTP_OK : LTP_MORE;
}

enum ltp_result
ltp_frame(const void *buf, size_t len, size_t *json_len)
{
	const uint8_t *p = buf;
	uint32_t n;

	if (len < LENGTH_LEN)
		return LTP_MORE;
	n = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
	    p[3];
	if (n == 0 || n > LTP_FRAME_MAX)
		return LTP_BAD;
	if (len - LENGTH_LEN < n)
		return LTP_MORE;
	*json_len = n;
	return LTP_OK;
}

bool
ltp_name(const char *name, char out[LTP_NAME_MAX + 1])
{
	size_t i, len = strnlen(name, LTP_NAME_MAX + 1);
	char c;

	if (len == 0 || len > LTP_NAME_MAX)
		return false;
	if (name[0] == '-' || name[len - 1] == '-')
		return false;
	for (i = 0; i < len; i++) {
		c = name[i];
		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-')
			return false;
		out[i] = c;
	}
	out[len] = '\0';
	return true;
}

static bool
shape_fits(const struct shape *s, const json_t *value)
{
	switch (s->body) {
	case BODY_OBJECT:
		return json_is_object(value) &&
		       (s->word == NULL ||
			   json_object_get(value, s->word) != NULL);
	case BODY_WORD:
		return json_is_string(value) &&
		       strcmp(json_string_value(value), s->word) == 0;
	case BODY_TRUE:
		return json_is_true(value);
	case BODY_NONE:
		return true;
	}
	return false;
}

/* Says what kind of message it is by the first of the keys that is there;
 * the value of that key becomes the body. NULL, or what is wrong. */
static const char *
find_type(struct ltp_message *m, enum ltp_from from, json_t **place)
{
	size_t i, t;

	for (i = 0; i < COUNT(keys); i++) {
		place[PLACE_BODY] =
		    json_object_get(place[PLACE_TOP], keys[i].key);
		if (place[PLACE_BODY] != NULL)
			break;
	}
	if (i == COUNT(keys))
		return "the message has none of the keys control, proxy, "
		       "event, error";
	for (t = 0; t < COUNT(shapes); t++) {
		if (strcmp(shapes[t].key, keys[i].key) == 0 &&
		    (shapes[t].from & BIT(from)) != 0 &&
		    shape_fits(&shapes[t], place[PLACE_BODY])) {
			m->type = (enum ltp_type)t;
			return NULL;
		}
	}
	return keys[i].why;
}

static bool
is_known_in_must(const char *key)
{
	size_t i;

	for (i = 0; i < COUNT(fields); i++) {
		if (fields[i].place == PLACE_EXT &&
		    (fields[i].types & REQUESTS) != 0 &&
		    strcmp(fields[i].key, key) == 0)
			return true;
	}
	return false;
}

static bool
read_must(const char **unknown, const json_t *list)
{
	const char *key;
	json_t *item;
	size_t i;

	if (!json_is_array(list))
		return false;
	json_array_foreach(list, i, item)
	{
		key = json_string_value(item);
		if (key == NULL)
			return false;
		if (*unknown == NULL && !is_known_in_must(key))
			*unknown = key;
	}
	return true;
}

static bool
read_list(struct ltp_list *list, const json_t *value)
{
	json_t *item;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) == 0 ||
	    json_array_size(value) > LTP_LIST_MAX)
		return false;
	json_array_foreach(value, i, item)
	{
		list->each[i] = json_string_value(item);
		if (list->each[i] == NULL)
			return false;
	}
	list->n = i;
	return true;
}

/* Puts a value into its member. False if it is not what the field takes. */
static bool
read_value(struct ltp_message *m, const struct field *f, const json_t *value)
{
	void *member = (char *)m + f->offset;

	switch (f->kind) {
	case KIND_STRING:
		*(const char **)member = json_string_value(value);
		return json_is_string(value) &&
		       json_string_length(value) <= f->max;
	case KIND_NUMBER:
		*(int64_t *)member = json_integer_value(value);
		return json_is_integer(value) &&
		       json_integer_value(value) >= 0 &&
		       json_integer_value(value) <= NUMBER_MAX;
	case KIND_BOOLEAN:
		*(bool *)member = json_is_true(value);
		return json_is_boolean(value);
	case KIND_LIST:
		return read_list(member, value);
	case KIND_MUST:
		return read_must(member, value);
	}
	return false;
}

/* NULL, or what is wrong. */
static const char *
read_fields(struct ltp_message *m, json_t **place)
{
	const struct field *f;
	const json_t *value;

	for (f = fields; f < fields + COUNT(fields); f++) {
		if ((f->types & BIT(m->type)) == 0)
			continue;
		value = json_object_get(place[f->place], f->key);
		if (value == NULL ? f->need == DEMANDED
				  : !read_value(m, f, value))
			return f->why;
	}
	return NULL;
}

enum ltp_result
ltp_parse(struct ltp_message *m, enum ltp_from from, const void *json,
    size_t len, const char **why)
{
	json_t *place[PLACE_COUNT] = { NULL };

	memset(m, 0, sizeof(*m));
	place[PLACE_TOP] = object_load(json, len, LTP_DEPTH_MAX, why);
	if (place[PLACE_TOP] == NULL)
		return LTP_BAD;
	place[PLACE_EXT] = json_object_get(place[PLACE_TOP], "ext");
	m->has_ext = place[PLACE_EXT] != NULL;

	if (m->has_ext && !json_is_object(place[PLACE_EXT]))
		*why = "ext must be an object";
	else if ((*why = find_type(m, from, place)) == NULL)
		*why = read_fields(m, place);
	if (*why != NULL) {
		json_decref(place[PLACE_TOP]);
		memset(m, 0, sizeof(*m));
		return LTP_BAD;
	}
	m->json = place[PLACE_TOP];
	return LTP_OK;
}

struct ltp_message
ltp_message_again(const struct ltp_message *m)
{
	json_incref(m->json);
	return *m;
}

void
ltp_message_fini(struct ltp_message *m)
{
	json_decref(m->json);
	memset(m, 0, sizeof(*m));
}

static json_t *
write_list(const struct ltp_list *list)
{
	json_t *value = json_array();

	for (size_t i = 0; i < list->n; i++) {
		if (json_array_append_new(value, json_string(list->each[i])) ==
		    0)
			continue;
		json_decref(value);
		return NULL;
	}
	return value;
}

/* The value of a member, NULL if there is no memory or it is not UTF-8;
 * *is_set says whether there is one at all. */
static json_t *
write_value(const struct ltp_message *m, const struct field *f, bool *is_set)
{
	const void *member = (const char *)m + f->offset;
	const char *text;
	int64_t number;

	switch (f->kind) {
	case KIND_STRING:
		text = *(const char *const *)member;
		*is_set = text != NULL || f->need >= WRITTEN;
		return *is_set ? json_string(text != NULL ? text : "") : NULL;
	case KIND_NUMBER:
		number = *(const int64_t *)member;
		*is_set = number != 0 || f->need >= WRITTEN;
		return *is_set ? json_integer(number) : NULL;
	case KIND_BOOLEAN:
		*is_set = *(const bool *)member;
		return *is_set ? json_true() : NULL;
	case KIND_LIST:
		*is_set = ((const struct ltp_list *)member)->n > 0;
		return *is_set ? write_list(member) : NULL;
	case KIND_MUST: /* add_must makes it */
		break;
	}
	*is_set = false;
	return NULL;
}

static int
add_must(json_t *ext, const char *key)
{
	json_t *must = json_object_get(ext, "must");

	if (must == NULL) {
		must = json_array();
		if (json_object_set_new(ext, "must", must) == -1)
			return -1;
	}
	return json_array_append_new(must, json_string(key));
}

static int
write_fields(const struct ltp_message *m, json_t **place)
{
	const struct field *f;
	json_t *value;
	bool is_set;

	for (f = fields; f < fields + COUNT(fields); f++) {
		if ((f->types & BIT(m->type)) == 0 || place[f->place] == NULL)
			continue;
		value = write_value(m, f, &is_set);
		if (!is_set)
			continue;
		if (json_object_set_new(place[f->place], f->key, value) == -1)
			return -1;
		if (f->need == INSISTED &&
		    add_must(place[f->place], f->key) == -1)
			return -1;
	}
	return 0;
}

static json_t *
new_body(const struct shape *s)
{
	switch (s->body) {
	case BODY_OBJECT:
		return json_object();
	case BODY_WORD:
		return json_string(s->word);
	case BODY_TRUE:
	case BODY_NONE:
		break;
	}
	return json_true();
}

/* The message as JSON, or NULL. The body comes first and ext last. */
static json_t *
build(const struct ltp_message *m)
{
	const struct shape *s = &shapes[m->type];
	json_t *place[PLACE_COUNT] = { json_object(), NULL, NULL };
	int failed = 0;

	if (s->body != BODY_NONE) {
		place[PLACE_BODY] = new_body(s);
		failed |= json_object_set_new(
		    place[PLACE_TOP], s->key, place[PLACE_BODY]);
	}
	if (m->has_ext)
		place[PLACE_EXT] = json_object();
	if (!failed)
		failed |= write_fields(m, place);
	if (m->has_ext)
		failed |= json_object_set_new(
		    place[PLACE_TOP], "ext", place[PLACE_EXT]);
	if (failed) {
		json_decref(place[PLACE_TOP]);
		return NULL;
	}
	return place[PLACE_TOP];
}

/* LTP_FRAME_MAX is less than 1 << 16. */
static void
put_length(char *p, size_t len)
{
	*p++ = 0;
	*p++ = 0;
	*p++ = (char)(len >> 8);
	*p = (char)len;
}

char *
ltp_format(const struct ltp_message *m, size_t *len)
{
	size_t head = (BIT(m->type) & REQUESTS) != 0 ? LTP_HEADER_LEN : 0;
	json_t *top = build(m);
	size_t size = json_dumpb(top, NULL, 0, JSON_COMPACT);
	char *frame = NULL, *p;

	if (size == 0 || size > LTP_FRAME_MAX)
		goto out;
	frame = malloc(head + LENGTH_LEN + size);
	if (frame == NULL)
		goto out;
	memcpy(frame, LTP_HEADER, head);
	p = frame + head;
	put_length(p, size);
	/* It may find no memory now that it had the first time. */
	if (json_dumpb(top, p + LENGTH_LEN, size, JSON_COMPACT) != size) {
		free(frame);
		frame = NULL;
	}
	*len = head + LENGTH_LEN + size;
out:
	json_decref(top);
	return frame;
}

size_t
ltp_format_join(char out[LTP_JOIN_MAX], const char *peer, const char *scheme)
{
	size_t size = LTP_JOIN_MAX - LENGTH_LEN;
	int n;

	if (peer == NULL)
		n = snprintf(out + LENGTH_LEN, size, "{\"proxy\":true}");
	else
		n = snprintf(out + LENGTH_LEN, size,
		    "{\"proxy\":true,\"ext\":"
		    "{\"peer\":\"%.64s\",\"scheme\":\"%.8s\"}}",
		    peer, scheme);
	put_length(out, (size_t)n);
	return LENGTH_LEN + (size_t)n;
}
