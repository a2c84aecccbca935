/* SPDX-License-Identifier: ISC
 *
 * The check of a request head, in three passes over the same bytes: a scan
 * for the end of the head that also refuses whatever could make two programs
 * see different lines; the lines themselves; llhttp. Only then are the
 * headers looked at, so each of them is one line, a name, a colon, a value.
 *
 * The server calls it for each head of a visitor, the client for the log and
 * to change Host. It keeps nothing and never looks behind the head.
 */
#define _GNU_SOURCE

#include "common/http.h"

#include <arpa/inet.h>
#include <assert.h>
#include <event2/buffer.h>
#include <event2/util.h>
#include <string.h>

#define METHOD_MAX 16 /* llhttp knows none so long */
#define PORT_MAX   65535
#define LENGTH_MAX INT64_MAX /* more overflows in many a server */

bool
http_text_is(struct http_text text, const char *word)
{
	return text.len == strlen(word) &&
	       evutil_ascii_strncasecmp(text.at, word, text.len) == 0;
}

static enum http_result
refuse(struct http_head *head, int status, const char *why)
{
	head->status = status;
	head->why = why;
	return HTTP_BAD;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static char
lower(char c)
{
	if (is_upper(c))
		return (char)(c - 'A' + 'a');
	return c;
}

static struct http_text
trim(struct http_text text)
{
	while (text.len > 0 && is_blank(text.at[0])) {
		text.at++;
		text.len--;
	}
	while (text.len > 0 && is_blank(text.at[text.len - 1]))
		text.len--;
	return text;
}

/* --- the scan ------------------------------------------------------------ */

/* Other protocols and blank lines are told from HTTP by their first bytes,
 * without waiting for a blank line that may never come. */
static bool
starts_with_method(const char *buf, size_t len)
{
	size_t n = 0;

	while (n < len && n < METHOD_MAX &&
	       (is_upper(buf[n]) || buf[n] == '-' || buf[n] == '_'))
		n++;
	return n < METHOD_MAX && (n == len || (n > 0 && buf[n] == ' '));
}

/* What is wrong with the byte `c` after `prev`, or NULL. */
static const char *
check_byte(char prev, char c)
{
	if (c == '\n')
		return prev == '\r' ? NULL : "a line feed stands alone";
	if (prev == '\r')
		return "a carriage return stands alone";
	if (prev == '\n' && is_blank(c))
		return "a line begins with a blank";
	if (((unsigned char)c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
		return "a control character";
	return NULL;
}

/* True if nothing can be wrong with the byte unless it follows the end of a
 * line: most bytes of a head are of that kind, and the scan hurries over
 * them. */
static bool
is_plain(char c)
{
	return (unsigned char)c >= ' ' && c != 0x7f;
}

/* Goes on from *scanned to the end of the head. *scanned stays at the byte
 * that decided, so that the next call decides the same. */
static enum http_result
scan(struct http_head *head, const char *buf, size_t len, size_t *scanned)
{
	size_t i = *scanned;
	char prev = '\n';
	enum http_result result = HTTP_MORE;

	while (i < len && result == HTTP_MORE) {
		const char *why;

		if (i > 0)
			prev = buf[i - 1];
		if ((why = check_byte(prev, buf[i])) != NULL) {
			result = refuse(head, 400, why);
		} else if (buf[i] == '\n' && i > 1 && buf[i - 2] == '\n') {
			head->len = i + 1;
			result = HTTP_OK;
		}
		if (is_plain(buf[i++]))
			while (i < len && is_plain(buf[i]))
				i++;
	}
	*scanned = result == HTTP_MORE ? i : i - 1;
	return result;
}

/* --- lines --------------------------------------------------------------- */

/* A line from `at`, which stands before `end`; its CRLF is not part of it. */
static struct http_text
line_at(const char *at, const char *end)
{
	const char *lf = memchr(at, '\n', (size_t)(end - at));

	return (struct http_text){ at, (size_t)(lf - 1 - at) };
}

struct header {
	struct http_text line, name, value;
};

/* The next header line of a scanned head; false at the blank line. *at is
 * moved behind it. The name is all of the line if there is no colon. */
static bool
next_header(const char **at, const char *end, struct header *header)
{
	struct http_text line = line_at(*at, end);
	const char *colon = memchr(line.at, ':', line.len);
	size_t name_len = colon != NULL ? (size_t)(colon - line.at) : line.len;

	if (line.len == 0)
		return false;
	header->line = line;
	header->name = (struct http_text){ line.at, name_len };
	header->value = (struct http_text){ "", 0 };
	if (colon != NULL)
		header->value = trim(
		    (struct http_text){ colon + 1, line.len - name_len - 1 });
	*at = line.at + line.len + 2;
	return true;
}

/* The first header line of a head. */
static const char *
first_header(const char *buf, size_t len)
{
	struct http_text line = line_at(buf, buf + len);

	return line.at + line.len + 2;
}

static enum http_result
check_names(struct http_head *head, const char *buf)
{
	const char *at = first_header(buf, head->len);
	struct header h;

	while (next_header(&at, buf + head->len, &h)) {
		if (h.name.len == h.line.len)
			return refuse(head, 400, "a header without a colon");
		if (h.name.len == 0)
			return refuse(head, 400, "a header without a name");
		if (is_blank(h.name.at[h.name.len - 1]))
			return refuse(head, 400, "a blank before a colon");
	}
	return HTTP_OK;
}

/* A target has only what may be seen, and no fragment, which is never sent. */
static bool
is_target(struct http_text target)
{
	for (size_t i = 0; i < target.len; i++)
		if (target.at[i] <= ' ' || target.at[i] > '~' ||
		    target.at[i] == '#')
			return false;
	return target.len > 0;
}

/* METHOD SP TARGET SP HTTP/1.0 or HTTP/1.1, to the byte. */
static enum http_result
check_request_line(struct http_head *head, const char *buf)
{
	struct http_text line = line_at(buf, buf + head->len);
	const char *end = line.at + line.len;
	const char *first = memchr(line.at, ' ', line.len), *last;
	struct http_text version;

	assert(first != NULL); /* starts_with_method() has seen it */
	last = memchr(first + 1, ' ', (size_t)(end - first - 1));
	if (last == NULL)
		return refuse(head, 400, "a request line without a version");
	head->method = (struct http_text){ buf, (size_t)(first - buf) };
	head->target =
	    (struct http_text){ first + 1, (size_t)(last - first - 1) };
	version = (struct http_text){ last + 1, (size_t)(end - last - 1) };
	if (!is_target(head->target))
		return refuse(head, 400, "a target that is none");
	if (version.len != 8 || memcmp(version.at, "HTTP/1.", 7) != 0 ||
	    (version.at[7] != '0' && version.at[7] != '1'))
		return refuse(head, 400, "neither HTTP/1.0 nor HTTP/1.1");
	if (http_text_is(head->method, "CONNECT"))
		return refuse(head, 405, "CONNECT is not served");
	return HTTP_OK;
}

/* --- llhttp -------------------------------------------------------------- */

static int
headers_complete_cb(llhttp_t *parser)
{
	struct http_head *head = parser->data;

	head->is_upgrade = llhttp_get_upgrade(parser) != 0;
	head->is_chunked = (parser->flags & F_CHUNKED) != 0;
	head->content_length = parser->content_length;
	return 0;
}

static const llhttp_settings_t settings = {
	.on_headers_complete = headers_complete_cb,
};

static enum http_result
parse(struct http_head *head, const char *buf)
{
	llhttp_t *parser = &head->parser;
	llhttp_errno_t error;

	llhttp_init(parser, HTTP_REQUEST, &settings);
	parser->data = head;
	error = llhttp_execute(parser, buf, head->len);
	parser->data = NULL;
	if (error == HPE_INVALID_METHOD)
		return refuse(head, 405, "a method that is not known");
	if (error != HPE_OK && error != HPE_PAUSED_UPGRADE)
		return refuse(head, 400, llhttp_get_error_reason(parser));
	return HTTP_OK;
}

/* --- hosts --------------------------------------------------------------- */

/* The port behind a host: nothing, or a colon and at most a number. */
static bool
is_port(struct http_text text)
{
	unsigned long port = 0;

	if (text.len == 0)
		return true;
	if (text.at[0] != ':')
		return false;
	for (size_t i = 1; i < text.len; i++) {
		if (!is_digit(text.at[i]) || port > PORT_MAX)
			return false;
		port = port * 10 + (unsigned long)(text.at[i] - '0');
	}
	return port <= PORT_MAX;
}

/* Folds into `name`; false if a byte of it is not of a name or a label is
 * empty. */
static bool
fold_name(struct http_text text, char name[HTTP_HOST_MAX])
{
	for (size_t i = 0; i < text.len; i++) {
		char c = lower(text.at[i]);
		bool is_dot = c == '.' && i > 0 && text.at[i - 1] != '.';

		if (!is_dot && !is_digit(c) && !(c >= 'a' && c <= 'z') &&
		    c != '-' && c != '_')
			return false;
		name[i] = c;
	}
	name[text.len] = '\0';
	return text.len > 0 && text.at[text.len - 1] != '.';
}

/* The same for an IPv6 address in brackets, which stay. */
static bool
fold_literal(struct http_text text, char name[HTTP_HOST_MAX])
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr in6;

	if (text.len < 2 || text.len - 2 >= sizeof(address))
		return false;
	memcpy(address, text.at + 1, text.len - 2);
	address[text.len - 2] = '\0';
	for (size_t i = 0; i < text.len; i++)
		name[i] = lower(text.at[i]);
	name[text.len] = '\0';
	return inet_pton(AF_INET6, address, &in6) == 1;
}

/* Splits HOST[:PORT]; *port gets the colon too. False if it is none. */
static bool
parse_host(
    struct http_text text, char name[HTTP_HOST_MAX], struct http_text *port)
{
	bool is_literal = text.len > 0 && text.at[0] == '[';
	const char *end = is_literal ? memchr(text.at, ']', text.len) : NULL;
	struct http_text host = text;

	if (is_literal && end == NULL)
		return false;
	if (!is_literal)
		end = memchr(text.at, ':', text.len);
	if (end != NULL)
		host.len = (size_t)(end - text.at) + is_literal;
	*port = (struct http_text){ host.at + host.len, text.len - host.len };
	if (!is_literal && host.len > 0 && host.at[host.len - 1] == '.')
		host.len--;
	if (host.len >= HTTP_HOST_MAX || !is_port(*port))
		return false;
	return is_literal ? fold_literal(host, name) : fold_name(host, name);
}

/* The authority of an absolute-form target must be what Host says, since the
 * local service may go by either. */
static enum http_result
check_authority(struct http_head *head, struct http_text host_port)
{
	const struct http_text target = head->target;
	struct http_text host = { NULL, 0 }, port;
	char name[HTTP_HOST_MAX];
	size_t prefix;

	if (target.len > 7 &&
	    evutil_ascii_strncasecmp(target.at, "http://", 7) == 0)
		prefix = 7;
	else if (target.len > 8 &&
		 evutil_ascii_strncasecmp(target.at, "https://", 8) == 0)
		prefix = 8;
	else
		return refuse(head, 400, "a target that is none");
	host.at = target.at + prefix;
	while (prefix + host.len < target.len && host.at[host.len] != '/' &&
	       host.at[host.len] != '?')
		host.len++;
	if (!parse_host(host, name, &port) || strcmp(name, head->name) != 0 ||
	    port.len != host_port.len ||
	    memcmp(port.at, host_port.at, port.len) != 0)
		return refuse(head, 400, "target and Host do not agree");
	head->path.at = host.at + host.len;
	head->path.len = target.len - prefix - host.len;
	if (head->path.len == 0)
		head->path = (struct http_text){ "/", 1 };
	return HTTP_OK;
}

static enum http_result
check_target(struct http_head *head)
{
	struct http_text port;

	if (!parse_host(head->host, head->name, &port))
		return refuse(head, 400, "a Host that is none");
	head->path = head->target;
	if (head->target.at[0] == '/')
		return HTTP_OK;
	if (http_text_is(head->target, "*") &&
	    http_text_is(head->method, "OPTIONS"))
		return HTTP_OK;
	return check_authority(head, port);
}

/* --- headers ------------------------------------------------------------- */

static bool
has_html(struct http_text value)
{
	static const char html[] = "text/html";
	const size_t len = sizeof(html) - 1;

	for (size_t i = 0; i + len <= value.len; i++)
		if (evutil_ascii_strncasecmp(value.at + i, html, len) == 0)
			return true;
	return false;
}

/* How often the headers stand there that may stand there once. */
struct count {
	unsigned host, length, coding;
};

static enum http_result
check_header(struct http_head *head, const struct header *h, struct count *n)
{
	if (http_text_is(h->name, "Host")) {
		n->host++;
		head->host = h->value;
	} else if (http_text_is(h->name, "Content-Length")) {
		n->length++;
		for (size_t i = 0; i < h->value.len; i++)
			if (!is_digit(h->value.at[i]))
				return refuse(
				    head, 400, "a Content-Length that is none");
	} else if (http_text_is(h->name, "Transfer-Encoding")) {
		n->coding++;
		if (!http_text_is(h->value, "chunked"))
			return refuse(
			    head, 400, "a transfer coding other than chunked");
	} else if (http_text_is(h->name, "Accept")) {
		head->wants_html |= has_html(h->value);
	}
	return HTTP_OK;
}

/* Where llhttp and the headers say different things, nobody is believed. */
static enum http_result
check_framing(struct http_head *head, const struct count *n)
{
	if (n->length > 1)
		return refuse(head, 400, "more than one Content-Length");
	if (n->coding > 1)
		return refuse(head, 400, "more than one Transfer-Encoding");
	if (n->length > 0 && n->coding > 0)
		return refuse(
		    head, 400, "both Content-Length and Transfer-Encoding");
	if (n->coding > 0 && llhttp_get_http_minor(&head->parser) == 0)
		return refuse(head, 400, "Transfer-Encoding in HTTP/1.0");
	if (head->is_chunked != (n->coding > 0) ||
	    (n->length == 0 && head->content_length != 0))
		return refuse(head, 400, "a body of unknown length");
	if (head->content_length > LENGTH_MAX)
		return refuse(head, 400, "a Content-Length that is too large");
	return HTTP_OK;
}

static enum http_result
check_headers(struct http_head *head, const char *buf)
{
	const char *at = first_header(buf, head->len);
	struct count n = { 0, 0, 0 };
	struct header h;

	while (next_header(&at, buf + head->len, &h))
		if (check_header(head, &h, &n) == HTTP_BAD)
			return HTTP_BAD;
	if (n.host != 1)
		return refuse(head, 400,
		    n.host == 0 ? "the request has no Host header"
				: "the request has more than one Host header");
	return check_framing(head, &n);
}

enum http_result
http_head(struct http_head *head, const char *buf, size_t len, size_t *scanned)
{
	size_t max = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
	size_t from_start = 0;
	enum http_result result;

	memset(head, 0, sizeof(*head));
	if (!starts_with_method(buf, max))
		return refuse(head, 400, "not an HTTP request");
	result = scan(head, buf, max, scanned != NULL ? scanned : &from_start);
	if (result == HTTP_MORE && max == HTTP_HEAD_MAX)
		return refuse(head, 431, "a head that is too long");
	if (result != HTTP_OK)
		return result;
	if (check_request_line(head, buf) == HTTP_BAD ||
	    check_names(head, buf) == HTTP_BAD ||
	    parse(head, buf) == HTTP_BAD ||
	    check_headers(head, buf) == HTTP_BAD)
		return HTTP_BAD;
	return check_target(head);
}

bool
http_header(const struct http_head *head, const char *buf, const char *name,
    unsigned nth, struct http_text *value)
{
	const char *at = first_header(buf, head->len);
	struct header h;

	while (next_header(&at, buf + head->len, &h)) {
		if (!http_text_is(h.name, name) || nth-- > 0)
			continue;
		*value = h.value;
		return true;
	}
	return false;
}

/* --- edits --------------------------------------------------------------- */

static const struct http_edit *
find_edit(struct http_text name, const struct http_edit *edits, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (http_text_is(name, edits[i].name))
			return &edits[i];
	return NULL;
}

static bool
is_host(const struct http_edit *edit)
{
	return evutil_ascii_strcasecmp(edit->name, "Host") == 0;
}

static char *
put_line(char *at, struct http_text name, const char *value)
{
	at = mempcpy(at, name.at, name.len);
	at = stpcpy(at, ": ");
	at = stpcpy(at, value);
	return stpcpy(at, "\r\n");
}

/* Writes the edited head; returns its end. Host stays where it stands, and its
 * name as it was written. */
static char *
put_edited(char *out, const struct http_head *head, const char *buf,
    const struct http_edit *edits, size_t n)
{
	const char *kept = buf, *at = first_header(buf, head->len);
	struct header h;

	while (next_header(&at, buf + head->len, &h)) {
		const struct http_edit *edit = find_edit(h.name, edits, n);

		if (edit == NULL)
			continue;
		out = mempcpy(out, kept, (size_t)(h.line.at - kept));
		if (is_host(edit) && edit->value != NULL)
			out = put_line(out, h.name, edit->value);
		kept = at;
	}
	out = mempcpy(out, kept, (size_t)(at - kept));
	for (size_t i = 0; i < n; i++)
		if (!is_host(&edits[i]) && edits[i].value != NULL)
			out = put_line(out,
			    (struct http_text){
				edits[i].name, strlen(edits[i].name) },
			    edits[i].value);
	return stpcpy(out, "\r\n");
}

int
http_head_edit(const struct http_head *head, const char *buf,
    const struct http_edit *edits, size_t n, struct evbuffer *out)
{
	size_t max = head->len + 1; /* NUL, which goes again */
	struct evbuffer_iovec room;
	char *end;

	/* A good head has one Host, so each edit is made once. */
	for (size_t i = 0; i < n; i++)
		if (edits[i].value != NULL)
			max += strlen(edits[i].name) + strlen(edits[i].value) +
			       strlen(": \r\n");
	if (evbuffer_reserve_space(out, (ev_ssize_t)max, &room, 1) != 1)
		return -1;
	end = put_edited(room.iov_base, head, buf, edits, n);
	room.iov_len = (size_t)(end - (char *)room.iov_base);
	assert(room.iov_len <= max);
	return evbuffer_commit_space(out, &room, 1);
}
