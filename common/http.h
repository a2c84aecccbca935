/* SPDX-License-Identifier: ISC
 *
 * HTTP/1 heads: what a visitor asked for, whether it may be believed, and
 * the same head with other headers. Pure: bytes in, values out.
 *
 * The check of a request head is strict, since a head that two programs read
 * differently lets a visitor into a tunnel that is not his: one scan of the
 * whole head refuses NUL, CR without LF, LF without CR, a line that begins
 * with a blank, a blank before the colon, more than one space between the
 * parts of the request line; then llhttp in strict mode; then exactly one
 * Host (HTTP/1.0 too), HTTP/1.0 or 1.1 only, an absolute-form target that
 * agrees with Host, not both Content-Length and Transfer-Encoding (RFC 9112,
 * sections 2.2, 3.2, 5.1, 6.1, 6.3).
 */
#ifndef LT_COMMON_HTTP_H
#define LT_COMMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

struct evbuffer;

#define HTTP_HEAD_MAX 16384 /* a request head, blank line included */
#define HTTP_HOST_MAX 254   /* NUL included */

enum http_result {
	HTTP_MORE,
	HTTP_OK,
	HTTP_BAD,
};

/* A piece of the bytes that were parsed; not terminated. */
struct http_text {
	const char *at;
	size_t len;
};

/* A request head. The pieces point into the bytes it was read from. */
struct http_head {
	size_t len;	 /* of the head, blank line included */
	int status;	 /* HTTP_BAD: what to answer: 400, 405, 431 */
	const char *why; /* HTTP_BAD: static text */
	struct http_text method;
	struct http_text target;
	struct http_text path;	  /* of the target, query included; "*" too */
	struct http_text host;	  /* value of Host as sent */
	char name[HTTP_HOST_MAX]; /* the host: lower case, without port and
				     one trailing dot */
	bool wants_html;	  /* Accept names text/html */
	bool is_upgrade; /* Connection: upgrade and an Upgrade header */
	bool is_chunked;
	uint64_t content_length; /* 0 if there is none */
	llhttp_t parser;	 /* stands behind the head, for the body */
};

/*
 * Looks for one request head at the start of `buf`. HTTP_BAD with status 431
 * once HTTP_HEAD_MAX bytes hold no whole head. *scanned (0 before the first
 * call) remembers how far the search for its end has come, so that a head
 * that arrives one byte at a time is read over once, not once a byte; NULL if
 * the bytes will not be seen again. What is certainly wrong in a head that is
 * not whole yet may be refused at once.
 */
enum http_result http_head(
    struct http_head *, const char *buf, size_t len, size_t *scanned);

/* The value of the header `name` that is the nth, from 0, of those there are
 * in a head that was found good; false if there are no more. */
bool http_header(const struct http_head *, const char *buf, const char *name,
    unsigned nth, struct http_text *value);

/* Compares ASCII without case. */
bool http_text_is(struct http_text, const char *);

/* A change of a head: `name`d headers are dropped, wherever they stand, and
 * one line "name: value" is put at the end unless value is NULL. */
struct http_edit {
	const char *name;
	const char *value;
};

/* Appends the head to `out` with all the edits made, everything else to the
 * byte as it was, except that `Host` is replaced where it stands. -1 if there
 * is no memory. */
int http_head_edit(const struct http_head *, const char *buf,
    const struct http_edit *, size_t n, struct evbuffer *out);

#endif
