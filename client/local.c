/* SPDX-License-Identifier: ISC
 *
 * Dials the local service of the command line and explains to visitors that
 * it is not there. Called by proxy, at the join and never before: a service
 * that takes one connection at a time would be blocked by idle ones.
 */
#include "client/local.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "client/client.h"
#include "client/options.h"
#include "common/clock.h"
#include "common/http.h"
#include "common/page.h"

#define SAY_MS 10000 /* between two notes of the same kind */

static struct dial_to
way_to(const struct service *service)
{
	const struct target *target = &service->options->target;

	return (struct dial_to){
		.path = target->path[0] != '\0' ? target->path : NULL,
		.host = target->host,
		.port = target->port,
		.trust = service->trust,
		.proxy_protocol = service->options->proxy_protocol,
		.timeout_ms = LOCAL_TIMEOUT_MS,
	};
}

struct dial *
local_dial(const struct client *client, const struct service *service,
    const struct net_addr *visitor, dial_fn fn, void *arg)
{
	struct dial_to to = way_to(service);

	to.caller = visitor;
	return dial_start(client->base, &to, fn, arg);
}

int
local_dial_at_once(struct service *service, bool speaks, struct net_addr *addr)
{
	struct dial_to to = way_to(service);

	return dial_at_once(&to, speaks, &service->first_addr, addr);
}

int
local_page(const struct service *service, const struct dial_result *result,
    const char *buf, size_t len, struct evbuffer *out)
{
	char target[TARGET_TEXT_MAX], text[TARGET_TEXT_MAX + 512];
	struct http_head head;
	struct page page = {
		.status = result->error == ETIMEDOUT ? 504 : 502,
		.text = text,
		.agent = CLIENT_AGENT,
	};

	if (len > 0 && http_head(&head, buf, len, NULL) == HTTP_OK) {
		page.html = head.wants_html;
		page.no_body = http_text_is(head.method, "HEAD");
	}
	page.title = page_reason(page.status);
	snprintf(text, sizeof(text),
	    "The tunnel is up, but the local service at %s cannot be "
	    "reached: %s.",
	    target_text(&service->options->target, target), result->why);
	return page_format(&page, out);
}

void
local_tell_away(struct service *service, const char *why)
{
	char target[TARGET_TEXT_MAX];
	uint64_t now = clock_ms(), said = service->said_away_ms;

	if ((said != 0 && now - said < SAY_MS) ||
	    !atomic_compare_exchange_strong(&service->said_away_ms, &said, now))
		return;
	display_error(&service->options->display,
	    "a visitor came, but %s cannot be reached: %s",
	    target_text(&service->options->target, target), why);
}
