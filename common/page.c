/* SPDX-License-Identifier: ISC
 *
 * Writes our own answers: the visitor module's error pages, the built-in pages
 * and the client's "nothing listens there". One file of HTML without any
 * other, so that it looks the same when nothing else can be reached. Whatever
 * is shown is escaped; nothing here knows why it is said.
 */
#include "common/page.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

static const char html_head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, "
    "initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<style>\n"
    ":root { --page: #f6f7f9; --card: #fff; --text: #1d2430; "
    "--faint: #667085; --edge: #e2e6ec; --mark: #2f6fde }\n"
    "@media (prefers-color-scheme: dark) { :root { --page: #12151b; "
    "--card: #1b2029; --text: #e6e9ef; --faint: #98a2b3; --edge: #2c3340; "
    "--mark: #7aa7ff } }\n"
    "body { margin: 0; min-height: 100vh; display: flex; "
    "align-items: center; justify-content: center; "
    "background: var(--page); color: var(--text); "
    "font: 1rem/1.6 system-ui, sans-serif }\n"
    "main { box-sizing: border-box; width: 100%; max-width: 34rem; "
    "margin: 1.5rem; padding: 2rem; background: var(--card); "
    "border: 1px solid var(--edge); border-top: 4px solid var(--mark); "
    "border-radius: 8px; overflow-wrap: anywhere }\n"
    "h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25 }\n"
    "p { margin: 0 }\n"
    "p + p { margin-top: .75rem }\n"
    "pre { margin: .75rem 0; padding: .75rem 1rem; "
    "background: var(--page); border: 1px solid var(--edge); "
    "border-radius: 6px; font-size: .9375rem; white-space: pre-wrap }\n"
    "footer { margin-top: 1.75rem; color: var(--faint); "
    "font-size: .875rem }\n"
    "</style>\n";

static const struct status {
	int number;
	const char *reason;
	const char *heading; /* NULL: the reason says it */
} statuses[] = {
	{ 200, "OK", NULL },
	{ 302, "Found", NULL },
	{ 308, "Permanent Redirect", "It has moved" },
	{ 400, "Bad Request", "This request is not valid" },
	{ 401, "Unauthorized", "Please log in" },
	{ 403, "Forbidden", "You may not see this" },
	{ 404, "Not Found", "Nothing is here" },
	{ 405, "Method Not Allowed", "That cannot be done here" },
	{ 408, "Request Timeout", "The request took too long" },
	{ 409, "Conflict", NULL },
	{ 410, "Gone", NULL },
	{ 421, "Misdirected Request", "This is the wrong place" },
	{ 429, "Too Many Requests", "Too many requests" },
	{ 431, "Request Header Fields Too Large", "The request is too long" },
	{ 500, "Internal Server Error", "Something went wrong" },
	{ 502, "Bad Gateway", "The service is not answering" },
	{ 503, "Service Unavailable", "Too busy" },
	{ 504, "Gateway Timeout", "The service took too long" },
};

static const struct status *
find_status(int number)
{
	static const struct status unknown = { 0, "Unknown", NULL };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].number == number)
			return &statuses[i];
	return &unknown;
}

const char *
page_reason(int status)
{
	return find_status(status)->reason;
}

const char *
page_heading(int status)
{
	const struct status *found = find_status(status);

	return found->heading != NULL ? found->heading : found->reason;
}

static const char *
entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	default:
		return "&#39;";
	}
}

int
page_escape(struct evbuffer *out, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "&<>\"'");

		if (evbuffer_add(out, text, len) == -1)
			return -1;
		text += len;
		if (*text == '\0')
			break;
		if (evbuffer_add_printf(out, "%s", entity(*text)) == -1)
			return -1;
		text++;
	}
	return 0;
}

/* `text`, escaped, between two pieces of HTML. */
static int
put_text(struct evbuffer *out, const char *before, const char *text,
    const char *after)
{
	if (evbuffer_add(out, before, strlen(before)) == -1 ||
	    page_escape(out, text) == -1)
		return -1;
	return evbuffer_add(out, after, strlen(after));
}

int
page_begin(struct evbuffer *out, const char *heading)
{
	if (put_text(out, html_head, "", "<title>") == -1 ||
	    put_text(out, "", heading, "</title>\n</head>\n<body>\n<main>\n") ==
		-1)
		return -1;
	return put_text(out, "<h1>", heading, "</h1>\n");
}

int
page_end(struct evbuffer *out, const char *footer)
{
	return put_text(
	    out, "<footer>", footer, "</footer>\n</main>\n</body>\n</html>\n");
}

static int
put_html(const struct page *page, struct evbuffer *out)
{
	char footer[160];

	snprintf(footer, sizeof(footer), "%d %s \xc2\xb7 %s", page->status,
	    page->title, page->agent);
	if (page_begin(out, page->heading != NULL
				? page->heading
				: page_heading(page->status)) == -1 ||
	    put_text(out, "<p>", page->text, "</p>\n") == -1)
		return -1;
	return page_end(out, footer);
}

static int
put_body(const struct page *page, struct evbuffer *out)
{
	if (page->html)
		return put_html(page, out);
	if (evbuffer_add_printf(out, "%d %s: %s\n", page->status, page->title,
		page->text) == -1)
		return -1;
	return 0;
}

static int
put_head(const struct page *page, size_t body_len, struct evbuffer *out)
{
	if (evbuffer_add_printf(out,
		"HTTP/1.1 %d %s\r\n"
		"Server: %s\r\n"
		"Content-Type: text/%s; charset=utf-8\r\n"
		"Content-Length: %zu\r\n"
		"Cache-Control: no-store\r\n"
		"X-Content-Type-Options: nosniff\r\n"
		"Connection: close\r\n"
		"%s\r\n",
		page->status, page->title, page->agent,
		page->html ? "html" : "plain", body_len,
		page->extra != NULL ? page->extra : "") == -1)
		return -1;
	return 0;
}

int
page_format(const struct page *page, struct evbuffer *out)
{
	struct evbuffer *body = evbuffer_new();
	int result = -1;

	if (body == NULL)
		return -1;
	if (put_body(page, body) == -1 ||
	    put_head(page, evbuffer_get_length(body), out) == -1)
		goto out;
	result = page->no_body ? 0 : evbuffer_add_buffer(out, body);
out:
	evbuffer_free(body);
	return result;
}
