/* SPDX-License-Identifier: ISC
 *
 * Finds the backend of a server. Called by control, before each control
 * connection: a server that was started again may have another port.
 */
#include "client/discover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/fetch.h"
#include "client/options.h"
#include "client/response.h"
#include "client/url.h"

#define BODY_MAX 32
#define WHY_MAX	 1024

struct discover {
	const struct url *url;
	discover_fn fn;
	void *arg;
	struct fetch *fetch;
};

/* --- the answer ------------------------------------------------------------
 */

/* The body: a port in decimal, blanks and a line end around it at most. 0 if it
 * is something else. */
static uint16_t
read_port(const struct response *response)
{
	char text[BODY_MAX + 1], *end;
	unsigned long value;

	if (response->body_len == 0 || response->body_len > BODY_MAX)
		return 0;
	memcpy(text, response->body, response->body_len);
	text[response->body_len] = '\0';
	if (text[0] < '0' || text[0] > '9')
		return 0;
	value = strtoul(text, &end, 10);
	if (value > UINT16_MAX || end[strspn(end, " \t\r\n")] != '\0')
		return 0;
	return (uint16_t)value;
}

static void
refuse(struct discover_answer *answer, const char *why)
{
	answer->is_permanent = true;
	snprintf(answer->why, sizeof(answer->why), "%s", why);
}

void
discover_judge(struct discover_answer *answer, const struct response *response)
{
	int status = response->status;

	memset(answer, 0, sizeof(*answer));
	answer->is_ltserver = response->is_ltserver;
	/* A port of an ltserver that is for TLS alone says so with 400. */
	if (status == 400 && answer->is_ltserver) {
		refuse(
		    answer, "speaks TLS on that port: say https:// in its URL");
		return;
	}
	if (status != 200) {
		/* 5xx: a proxy in front of a server that is not there. */
		answer->is_permanent = status < 500;
		snprintf(answer->why, sizeof(answer->why),
		    "%s/meta/backend answers %d",
		    answer->is_permanent ? "is no ltserver: " : "", status);
		answer->is_elsewhere =
		    answer->is_ltserver && answer->is_permanent;
		return;
	}
	answer->port = read_port(response);
	if (answer->port == 0)
		refuse(answer, "is no ltserver: /meta/backend answers "
			       "something else than a port");
}

/* --- the question ----------------------------------------------------------
 */

/* The one way out: frees it, then tells. */
static void
discover_end(struct discover *discover, const struct discover_result *result)
{
	discover_fn fn = discover->fn;
	void *arg = discover->arg;

	free(discover);
	fn(arg, result);
}

/* No port, and none if it is asked again: a sentence that says so. */
static void
explain(const struct url *url, const struct discover_answer *answer,
    char why[WHY_MAX])
{
	if (answer->is_elsewhere)
		snprintf(why, WHY_MAX,
		    "there is an ltserver at %s, but %s is not its domain: "
		    "use the name it was started with (-d)",
		    url->authority, url->host);
	else
		snprintf(why, WHY_MAX, "%s %s", url->authority, answer->why);
}

static void
no_answer(struct discover *discover, const struct fetch_result *got)
{
	char why[WHY_MAX];
	struct discover_result result = { .is_permanent = got->is_wrong ||
							  got->is_permanent,
		.is_other = got->is_http,
		.why = got->is_wrong ? why : got->why };

	snprintf(why, sizeof(why), "%s is no ltserver: it %s",
	    discover->url->authority, got->why);
	discover_end(discover, &result);
}

static void
fetched_cb(void *arg, const struct fetch_result *got)
{
	struct discover *discover = arg;
	struct discover_result result = { .backend = got->addr };
	struct discover_answer answer;
	char why[WHY_MAX];

	if (got->response == NULL) {
		no_answer(discover, got);
		return;
	}
	discover_judge(&answer, got->response);
	result.is_found = answer.port != 0;
	result.is_ltserver = answer.is_ltserver;
	result.is_permanent = answer.is_permanent;
	result.is_other = answer.is_permanent && !answer.is_ltserver;
	result.backend.in.sin_port = htons(answer.port);
	result.why = answer.why;
	if (answer.is_permanent) {
		explain(discover->url, &answer, why);
		result.why = why;
	}
	discover_end(discover, &result);
}

struct discover *
discover_start(const struct client *client, discover_fn fn, void *arg)
{
	struct discover *discover = calloc(1, sizeof(*discover));

	if (discover == NULL)
		return NULL;
	discover->url = &client->options->server;
	discover->fn = fn;
	discover->arg = arg;
	discover->fetch = fetch_start(
	    client, "/meta/backend", "text/plain", false, fetched_cb, discover);
	if (discover->fetch == NULL) {
		free(discover);
		return NULL;
	}
	return discover;
}

void
discover_stop(struct discover **discoverp)
{
	struct discover *discover = *discoverp;

	*discoverp = NULL;
	if (discover == NULL)
		return;
	fetch_stop(&discover->fetch);
	free(discover);
}
