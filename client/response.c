/* SPDX-License-Identifier: ISC
 *
 * Reads answers with llhttp. Called by fetch with what has come so far, from
 * the start each time: an answer is small. Judges nothing.
 */
#include "client/response.h"

#include <string.h>
#include <strings.h>

#define SERVER "ltserver/"

struct parse {
	llhttp_t parser;
	struct response *response;
	char field[16]; /* enough to tell those that matter from others */
	size_t field_len;
	char server[sizeof(SERVER)];
	size_t server_len;
	size_t location_len;
	bool in_value;
	bool is_done;
};

/* Appends what fits; the length counts on, so that too long is seen. */
static void
append(char *out, size_t size, size_t *used, const char *at, size_t len)
{
	size_t room = *used < size ? size - *used : 0;

	memcpy(out + (*used < size ? *used : 0), at, len < room ? len : room);
	*used += len;
}

static int
on_field(llhttp_t *parser, const char *at, size_t len)
{
	struct parse *parse = parser->data;

	if (parse->in_value)
		parse->field_len = 0;
	parse->in_value = false;
	append(parse->field, sizeof(parse->field), &parse->field_len, at, len);
	return 0;
}

static bool
is_field(const struct parse *parse, const char *name)
{
	return parse->field_len == strlen(name) &&
	       strncasecmp(parse->field, name, parse->field_len) == 0;
}

static int
on_value(llhttp_t *parser, const char *at, size_t len)
{
	struct parse *parse = parser->data;

	parse->in_value = true;
	if (is_field(parse, "Server"))
		append(parse->server, sizeof(parse->server), &parse->server_len,
		    at, len);
	else if (is_field(parse, "Location"))
		append(parse->response->location, RESPONSE_LOCATION_MAX,
		    &parse->location_len, at, len);
	return 0;
}

static int
on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct parse *parse = parser->data;

	append(parse->response->body, RESPONSE_MAX, &parse->response->body_len,
	    at, len);
	return 0;
}

static int
on_done(llhttp_t *parser)
{
	struct parse *parse = parser->data;

	parse->is_done = true;
	return HPE_PAUSED;
}

static enum http_result
done(struct response *response, const struct parse *parse)
{
	response->status = parse->parser.status_code;
	response->is_ltserver =
	    parse->server_len >= strlen(SERVER) &&
	    strncmp(parse->server, SERVER, strlen(SERVER)) == 0;
	if (parse->location_len >= RESPONSE_LOCATION_MAX)
		response->location[0] = '\0';
	else
		response->location[parse->location_len] = '\0';
	return HTTP_OK;
}

static enum http_result
bad(struct response *response, const char *why)
{
	response->why = why;
	return HTTP_BAD;
}

enum http_result
response_read(
    struct response *response, const char *buf, size_t len, bool at_end)
{
	struct parse parse = { .response = response };
	llhttp_settings_t settings;
	llhttp_errno_t error;

	memset(response, 0, sizeof(*response));
	llhttp_settings_init(&settings);
	settings.on_header_field = on_field;
	settings.on_header_value = on_value;
	settings.on_body = on_body;
	settings.on_message_complete = on_done;
	llhttp_init(&parse.parser, HTTP_RESPONSE, &settings);
	parse.parser.data = &parse;
	error = llhttp_execute(&parse.parser, buf, len);
	if (at_end && error == HPE_OK && !parse.is_done)
		llhttp_finish(&parse.parser);
	if (parse.is_done)
		return done(response, &parse);
	if (error != HPE_OK)
		return bad(response, "does not answer in HTTP");
	response->is_cut = at_end;
	if (at_end)
		return bad(
		    response, "closed the connection before it had answered");
	response->is_http = true;
	return len < RESPONSE_MAX ? HTTP_MORE
				  : bad(response, "answers too much");
}
