/* SPDX-License-Identifier: ISC
 *
 * Reads what servers of the Node.js localtunnel answer. Called by nodelink.
 * Such a server is found by trying, so that all kinds of answers of all kinds
 * of servers come here; what it says goes into requests and to a terminal.
 */
#include "client/grant.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/response.h"

__attribute__((format(printf, 3, 4))) static enum grant_result
refuse(struct grant *grant, enum grant_result result, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(grant->why, sizeof(grant->why), fmt, args);
	va_end(args);
	return result;
}

/* Copies a URL that can be shown and opened. */
static bool
read_url(char out[GRANT_URL_MAX], const json_t *value)
{
	const char *text = json_string_value(value), *c;

	if (text == NULL || strlen(text) >= GRANT_URL_MAX ||
	    (strncasecmp(text, "http://", 7) != 0 &&
		strncasecmp(text, "https://", 8) != 0))
		return false;
	for (c = text; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || strchr("\"\\<>", *c) != NULL)
			return false;
	strcpy(out, text);
	return true;
}

static bool
read_port(struct grant *grant, const json_t *value)
{
	json_int_t port = json_integer_value(value);

	grant->port = (uint16_t)port;
	return port >= 1 && port <= UINT16_MAX;
}

/* True too if there is none, as with most servers. */
static bool
read_ip(struct grant *grant, const json_t *value)
{
	const char *text = json_string_value(value);

	if (value == NULL || json_is_null(value) ||
	    (text != NULL && text[0] == '\0'))
		return true;
	grant->has_ip =
	    text != NULL && net_addr_from(&grant->ip, text, grant->port) == 0;
	return grant->has_ip;
}

/* What is wrong with a tunnel; NULL if nothing is. */
static const char *
read_tunnel(struct grant *grant, const json_t *root)
{
	const char *name = json_string_value(json_object_get(root, "id"));

	if (!json_is_object(root))
		return "answers something else than JSON";
	if (name == NULL || !ltp_name(name, grant->name))
		return "answers without a name that is one (id)";
	if (!read_port(grant, json_object_get(root, "port")))
		return "answers without a port that is one";
	if (!read_ip(grant, json_object_get(root, "ip")))
		return "answers with an ip that is no address";
	if (!read_url(grant->url, json_object_get(root, "url")))
		return "answers without a url that is one";
	if (!read_url(grant->cached_url, json_object_get(root, "cached_url")))
		grant->cached_url[0] = '\0';
	grant->max_conns =
	    json_integer_value(json_object_get(root, "max_conn_count"));
	if (grant->max_conns < 1)
		grant->max_conns = 1;
	return NULL;
}

/* What the server says instead of giving a tunnel; NULL if it does not. */
static const char *
message_of(const json_t *root)
{
	const char *text = json_string_value(json_object_get(root, "message"));

	return text != NULL && text[0] != '\0' ? text : NULL;
}

static enum grant_result
read_refusal(
    struct grant *grant, const struct response *response, const char *message)
{
	int status = response->status;

	if (status == 401)
		return refuse(grant, GRANT_UNAUTHORIZED, "%s",
		    message != NULL ? message : "it wants a login");
	if (status == 429 || status >= 500)
		return refuse(grant, GRANT_LATER, "answers %d%s%s", status,
		    message != NULL ? ": " : "",
		    message != NULL ? message : "");
	if (status >= 400 && message != NULL)
		return refuse(grant, GRANT_REFUSED, "%s", message);
	if (status >= 300 && status < 400 && response->location[0] != '\0')
		return refuse(grant, GRANT_NONE, "answers %d and leads to %s",
		    status, response->location);
	return refuse(grant, GRANT_NONE, "answers %d", status);
}

enum grant_result
grant_read(struct grant *grant, const struct response *response)
{
	json_t *root = json_loadb(
	    response->body, response->body_len, JSON_REJECT_DUPLICATES, NULL);
	enum grant_result result = GRANT_OK;
	const char *why;

	memset(grant, 0, sizeof(*grant));
	if (response->status != 200)
		result = read_refusal(grant, response, message_of(root));
	else if ((why = read_tunnel(grant, root)) != NULL)
		result = refuse(grant, GRANT_NONE, "%s", why);
	json_decref(root);
	return result;
}
