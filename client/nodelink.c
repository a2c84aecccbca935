/* SPDX-License-Identifier: ISC
 *
 * A tunnel of a server of the Node.js localtunnel. Called by control. Asks for
 * it with one request; there is no connection that would tell its end, and no
 * way to give it back: the server drops it when it has had no proxy connection
 * for a while, of a second or more. Must not touch itself after it has told of
 * its end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"
#include "client/fetch.h"
#include "client/grant.h"
#include "client/language.h"
#include "client/options.h"
#include "common/ltp.h"

#define WHY_MAX 1024

struct nodelink {
	struct control *control;
	struct fetch *fetch;	     /* until it is up */
	char path[LTP_NAME_MAX + 2]; /* that is asked for */
	char cached_url[GRANT_URL_MAX];
};

/* There is another kind of server. */
static void
no_server(struct nodelink *link, const char *why)
{
	char text[WHY_MAX];

	snprintf(text, sizeof(text),
	    "%s; nor is it a server of the Node.js localtunnel: GET %s %s",
	    control_no_ltp(link->control), link->path, why);
	control_end(link->control, CONTROL_NO_SERVER, "", text);
}

static void
granted(struct nodelink *link, const struct grant *grant,
    const struct net_addr *server)
{
	const struct client *client = control_client(link->control);
	struct ltp_message reply = {
		.type = LTP_CONTROL_REPLY,
		.host = "",
		.ext_name = grant->name,
		.url = grant->url,
		.concurrency = grant->max_conns,
	};
	struct net_addr backend = grant->has_ip ? grant->ip : *server;
	char text[NET_TEXT_MAX];

	/* It might be anything else that listens here. */
	if (grant->has_ip && net_addr_is_loopback(&grant->ip) &&
	    !net_addr_is_loopback(server)) {
		no_server(link, "answers with an ip of this machine");
		return;
	}
	backend.in.sin_port = htons(grant->port);
	snprintf(link->cached_url, sizeof(link->cached_url), "%s",
	    grant->cached_url);
	control_set_backend(link->control, &backend);
	control_set_cached_url(link->control, link->cached_url);
	display_detail(control_asked(link->control)->display,
	    "%s is a server of the Node.js localtunnel; proxy connections go "
	    "to %s, %jd at most",
	    client->options->server.authority, net_addr_text(&backend, text),
	    (intmax_t)grant->max_conns);
	control_up(link->control, &reply);
}

static void
fetched_cb(void *arg, const struct fetch_result *got)
{
	struct nodelink *link = arg;
	struct grant grant;

	link->fetch = NULL;
	if (got->response == NULL && got->is_wrong) {
		no_server(link, got->why);
		return;
	}
	if (got->response == NULL) {
		control_no_connection(link->control, got->error, got->cert,
		    got->is_permanent, got->why);
		return;
	}
	switch (grant_read(&grant, got->response)) {
	case GRANT_OK:
		granted(link, &grant, &got->addr);
		break;
	case GRANT_REFUSED:
		control_end(link->control, CONTROL_REFUSED, "", grant.why);
		break;
	case GRANT_UNAUTHORIZED:
		control_end(
		    link->control, CONTROL_REFUSED, "unauthorized", grant.why);
		break;
	case GRANT_LATER:
		control_end(link->control, CONTROL_UNREACHABLE, "", grant.why);
		break;
	case GRANT_NONE:
		no_server(link, grant.why);
		break;
	}
}

static void *
nodelink_start(struct control *control, struct stream *stream)
{
	struct nodelink *link = calloc(1, sizeof(*link));
	const char *name = control_name(control);

	(void)stream;
	if (link == NULL)
		return NULL;
	link->control = control;
	snprintf(link->path, sizeof(link->path), "/%s",
	    name[0] != '\0' ? name : "?new");
	link->fetch = fetch_start(control_client(control), link->path,
	    "application/json", true, fetched_cb, link);
	if (link->fetch != NULL)
		return link;
	free(link);
	return NULL;
}

static void
nodelink_unserved(void *arg, const char *why)
{
	struct nodelink *link = arg;

	control_end(link->control, CONTROL_LOST, "", why);
}

/* Such a server learns it from the end of the connections. */
static void
nodelink_goodbye(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void
nodelink_free(void *arg)
{
	struct nodelink *link = arg;

	fetch_stop(&link->fetch);
	free(link);
}

const struct language nodelink_language = {
	.start = nodelink_start,
	.unserved = nodelink_unserved,
	.goodbye = nodelink_goodbye,
	.free = nodelink_free,
};
