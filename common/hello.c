/* SPDX-License-Identifier: ISC
 *
 * The ClientHello (RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3; RFC
 * 7301, section 3.1), read from the first byte to the last, each once, across
 * the borders of records. It is not put together anywhere: all that outlives
 * a byte is a name, and what is found depends on nothing behind it.
 *
 * Every read goes through a reader whose first failure sticks: from then on
 * reads give 0, loops over more() end and later refusals count for nothing.
 * So the functions below read as the grammar does and check no results.
 */
#include "common/hello.h"

#include <stdint.h>
#include <string.h>

#define HEADER_LEN	4 /* of a handshake message: type, length */
#define RECORD_MAX	16384
#define TYPE_HANDSHAKE	22
#define TYPE_HELLO	1
#define VERSION_TLS10	0x0301
#define RANDOM_LEN	32
#define SESSION_ID_MAX	32
#define EXTENSION_SNI	0
#define EXTENSION_ALPN	16
#define EXTENSION_COUNT 65536
#define NAME_HOST	0
#define LABEL_MAX	63
#define PROTOCOL_MAX	255

/* Places in the message count from its first byte, without record headers. */
struct reader {
	struct hello *hello;
	const uint8_t *buf;
	size_t len;  /* of buf */
	size_t at;   /* the next byte in buf */
	size_t left; /* bytes until the record ends */
	size_t pos;  /* the next byte in the message */
	size_t end;  /* of the message; of its header until that is read */
	enum hello_result result; /* OK as long as nothing has failed */
};

/* --- the reader ---------------------------------------------------------- */

static void
refuse(struct reader *r, enum hello_alert alert, const char *why)
{
	if (r->result != HELLO_OK)
		return;
	r->hello->alert = alert;
	r->hello->why = why;
	r->result = HELLO_BAD;
}

/* The next byte of the connection. */
static uint8_t
wire(struct reader *r)
{
	if (r->at == HELLO_WIRE_MAX)
		refuse(r, HELLO_ILLEGAL_PARAMETER,
		    "a hello in too many small records");
	else if (r->at == r->len && r->result == HELLO_OK)
		r->result = HELLO_MORE;
	return r->result == HELLO_OK ? r->buf[r->at++] : 0;
}

/* The header of a record. Its version was 3.0 or 3.1 in old clients whatever
 * they could speak, so only the first half of it says something. */
static void
open_record(struct reader *r)
{
	if (wire(r) != TYPE_HANDSHAKE)
		refuse(r, HELLO_UNEXPECTED_MESSAGE, "not a TLS handshake");
	if (wire(r) != VERSION_TLS10 >> 8)
		refuse(r, HELLO_PROTOCOL_VERSION, "a record of no known TLS");
	wire(r);
	r->left = (size_t)wire(r) << 8;
	r->left |= wire(r);
	if (r->left == 0)
		refuse(r, HELLO_UNEXPECTED_MESSAGE, "an empty record");
	if (r->left > RECORD_MAX)
		refuse(r, HELLO_RECORD_OVERFLOW, "a record that is too long");
}

/* The next byte of the message. */
static uint8_t
byte(struct reader *r)
{
	uint8_t c;

	if (r->left == 0)
		open_record(r);
	c = wire(r);
	if (r->result == HELLO_OK) {
		r->left--;
		r->pos++;
	}
	return c;
}

static bool
more(const struct reader *r, size_t end)
{
	return r->result == HELLO_OK && r->pos < end;
}

/* Where the next `len` bytes end, which must not be behind `end`. */
static size_t
span(struct reader *r, size_t len, size_t end)
{
	if (len <= end - r->pos)
		return r->pos + len;
	refuse(r, HELLO_DECODE_ERROR, "a length that overruns what holds it");
	return r->pos;
}

static size_t
number(struct reader *r, size_t bytes, size_t end)
{
	size_t n = 0, stop = span(r, bytes, end);

	while (more(r, stop))
		n = n << 8 | byte(r);
	return r->result == HELLO_OK ? n : 0;
}

/* Reads the length of a vector, `bytes` wide, and says where it ends. */
static size_t
vector(struct reader *r, size_t bytes, size_t min, size_t end)
{
	size_t len = number(r, bytes, end);

	if (len < min)
		refuse(r, HELLO_DECODE_ERROR, "a list or a text too short");
	return span(r, len, end);
}

/* The same for one that must fill what holds it. */
static void
vector_to(struct reader *r, size_t min, size_t end)
{
	if (vector(r, 2, min, end) != end)
		refuse(r, HELLO_DECODE_ERROR, "bytes behind the end of a list");
}

static void
copy(struct reader *r, size_t end, char *out)
{
	while (more(r, end))
		*out++ = (char)byte(r);
}

static void
skip(struct reader *r, size_t end)
{
	while (more(r, end))
		byte(r);
}

/* --- server_name --------------------------------------------------------- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char
lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c;
}

/* Folds into `out`; false if it is no name that DNS could have. No name ends
 * in a label of digits alone, or of nothing, but every IPv4 address does. */
static bool
fold_name(const char *name, size_t len, char out[HELLO_NAME_MAX])
{
	bool is_numeric = true;
	size_t label = 0;

	for (size_t i = 0; i < len; i++) {
		char c = lower(name[i]);

		if (c == '.' ? label == 0 : ++label > LABEL_MAX)
			return false;
		if (c == '.') {
			label = 0;
			is_numeric = true;
		} else if (!is_digit(c)) {
			if (!(c >= 'a' && c <= 'z') && c != '-' && c != '_')
				return false;
			is_numeric = false;
		}
		out[i] = c;
	}
	out[len] = '\0';
	return !is_numeric;
}

bool
hello_name(const char *name, size_t len, char out[HELLO_NAME_MAX])
{
	if (len > 0 && name[len - 1] == '.')
		len--;
	return len < HELLO_NAME_MAX && fold_name(name, len, out);
}

static void
host_name(struct reader *r, size_t end)
{
	char name[HELLO_NAME_MAX]; /* the dot may stand where the NUL will */
	size_t len = end - r->pos;

	if (r->hello->sni[0] != '\0')
		refuse(r, HELLO_ILLEGAL_PARAMETER, "two host names");
	if (len > sizeof(name))
		refuse(r, HELLO_UNRECOGNIZED_NAME, "a host name too long");
	copy(r, end, name);
	if (r->result != HELLO_OK)
		return;
	if (!hello_name(name, len, r->hello->sni))
		refuse(r, HELLO_UNRECOGNIZED_NAME, "a host that is no name");
}

/* Other types of names than hosts begin with such a length too. */
static void
server_name(struct reader *r, size_t end)
{
	vector_to(r, 1, end);
	while (more(r, end)) {
		bool is_host = number(r, 1, end) == NAME_HOST;
		size_t stop = vector(r, 2, 1, end);

		if (is_host)
			host_name(r, stop);
		else
			skip(r, stop);
	}
}

/* --- application_layer_protocol_negotiation ------------------------------ */

static bool
is_text(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

static void
protocol(struct reader *r, size_t end)
{
	char name[PROTOCOL_MAX];
	size_t len = end - r->pos;

	copy(r, end, name);
	if (r->result != HELLO_OK)
		return;
	if (is_text(name, len, "ltp"))
		r->hello->offers_ltp = true;
	if (is_text(name, len, "http/1.1"))
		r->hello->offers_http = true;
}

static void
protocols(struct reader *r, size_t end)
{
	vector_to(r, 2, end);
	while (more(r, end))
		protocol(r, vector(r, 1, 1, end));
	r->hello->has_alpn = true;
}

/* --- the hello ----------------------------------------------------------- */

static void
extension(struct reader *r, size_t type, size_t end)
{
	switch (type) {
	case EXTENSION_SNI:
		server_name(r, end);
		break;
	case EXTENSION_ALPN:
		protocols(r, end);
		break;
	default:
		skip(r, end);
	}
}

static void
extensions(struct reader *r, size_t end)
{
	uint8_t seen[EXTENSION_COUNT / 8] = { 0 };

	vector_to(r, 0, end);
	while (more(r, end)) {
		size_t type = number(r, 2, end);
		uint8_t bit = (uint8_t)(1 << type % 8);

		if (seen[type / 8] & bit)
			refuse(r, HELLO_ILLEGAL_PARAMETER,
			    "an extension that is there twice");
		seen[type / 8] |= bit;
		extension(r, type, vector(r, 2, 0, end));
	}
}

/* The message as far as the body, whose end is known then. */
static void
message_header(struct reader *r)
{
	size_t len;

	if (number(r, 1, r->end) != TYPE_HELLO)
		refuse(r, HELLO_UNEXPECTED_MESSAGE, "not a ClientHello");
	len = number(r, 3, r->end);
	if (len > HELLO_MAX - HEADER_LEN)
		refuse(r, HELLO_ILLEGAL_PARAMETER, "a hello that is too long");
	r->end += len;
}

static void
message_body(struct reader *r)
{
	size_t stop;

	if (number(r, 2, r->end) < VERSION_TLS10)
		refuse(r, HELLO_PROTOCOL_VERSION, "SSL older than TLS 1.0");
	skip(r, span(r, RANDOM_LEN, r->end));
	stop = vector(r, 1, 0, r->end);
	if (stop - r->pos > SESSION_ID_MAX)
		refuse(r, HELLO_DECODE_ERROR, "a session id that is too long");
	skip(r, stop);
	stop = vector(r, 2, 2, r->end);
	if ((stop - r->pos) % 2 != 0)
		refuse(r, HELLO_DECODE_ERROR, "half a cipher suite");
	skip(r, stop);
	skip(r, vector(r, 1, 1, r->end)); /* compression methods */
	if (more(r, r->end))
		extensions(r, r->end);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

enum hello_result
hello_parse(struct hello *hello, const void *buf, size_t len)
{
	struct reader r = {
		.hello = hello,
		.buf = buf,
		.len = len,
		.end = HEADER_LEN,
		.result = HELLO_OK,
	};

	memset(hello, 0, sizeof(*hello));
	message_header(&r);
	message_body(&r);
	if (r.result == HELLO_MORE)
		hello->need = least(len + r.end - r.pos, HELLO_WIRE_MAX);
	return r.result;
}
