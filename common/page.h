/* SPDX-License-Identifier: ISC
 *
 * Short answers of our own to HTTP requests: error pages and built-in pages,
 * for browsers and for everything else.
 */
#ifndef LT_COMMON_PAGE_H
#define LT_COMMON_PAGE_H

#include <stdbool.h>

struct evbuffer;

/*
 * A whole answer that ends its connection: "Connection: close", no-store,
 * Content-Length, `Server: agent`; short HTML if `html`, else one line. The
 * texts are escaped.
 */
struct page {
	int status;
	const char *title;   /* the reason phrase */
	const char *heading; /* in lay words; NULL: page_heading() */
	const char *text;    /* a sentence or two for whoever reads it */
	const char *agent;   /* "ltserver/1.0" */
	const char *extra;   /* header lines with CRLF, or NULL */
	bool html;
	bool no_body; /* the request was HEAD */
};

/* Appends the answer to `out`; -1 if there is no memory. */
int page_format(const struct page *, struct evbuffer *out);

/* The reason phrase of the statuses that this project sends; "Unknown" else. */
const char *page_reason(int status);

/* What a status means to somebody who does not know HTTP. */
const char *page_heading(int status);

/*
 * The frame of every HTML page of this project, an error or not: appends all
 * that stands before and after what the page has to say. `heading` and
 * `footer` are escaped. -1 without memory.
 */
int page_begin(struct evbuffer *out, const char *heading);
int page_end(struct evbuffer *out, const char *footer);

/* Appends text with &, <, >, quote and apostrophe as entities; -1 without
 * memory. */
int page_escape(struct evbuffer *out, const char *text);

#endif
