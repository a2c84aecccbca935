/* SPDX-License-Identifier: ISC
 *
 * A tunnel and its sessions. Called by main. Owns its seats and its identity.
 * Decides what every end of a control connection means, what the user is
 * told, and when it is over.
 *
 * The first session speaks for the tunnel: only it can end it. The further
 * ones are begun while that one is up; what befalls them is a detail, as long
 * as any of them serves.
 */
#define _GNU_SOURCE
#include "client/tunnel.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/backoff.h"
#include "client/browser.h"
#include "client/client.h"
#include "client/control.h"
#include "client/identity.h"
#include "client/options.h"
#include "client/seats.h"
#include "client/session.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/ltp.h"

#define SLOW_MIN_MS 10000 /* after a further session was refused */
#define SLOW_MAX_MS 30000
#define MUTE_MS	    800 /* when to say what is being waited for */
#define MUTE_TRIES  3	/* ends without a reply that make a refusal */
#define URL_MAX	    1024
#define NO_TOKEN    "the token is not good any more" /* what servers say */
#define RESERVED    "this name is reserved"
#define OTHER_TOKEN "this tunnel was opened with another"
#define NAME_TRIES  5 /* for the old name, before another one will do */

struct tunnel {
	struct client *client;
	const struct tunnel_options *options;
	const struct display *display;
	tunnel_over_fn over;
	void *arg;
	struct seats seats;
	struct identity identity;
	struct event mute;   /* the first attempt takes its time */
	struct event ending; /* it is over, once nobody is in a callback */
	enum tunnel_exit code;
	bool is_over;
	unsigned mute_tries;
	unsigned name_tries;
	char url[URL_MAX];	/* "" before it was up */
	char last_why[URL_MAX]; /* what was said last */
	bool is_down;		/* that was said */
};

static bool may_start_cb(void *, struct session *);
static bool reply_cb(
    void *, struct session *, const char *, const struct ltp_message *);
static void up_cb(void *, struct session *, const struct ltp_message *);
static void lost_cb(void *, struct session *, const struct control_end *);
static void failed_cb(void *, struct session *, const struct control_end *);

static const struct session_ops ops = { may_start_cb, reply_cb, up_cb, lost_cb,
	failed_cb };

/* --- sessions --------------------------------------------------------------
 */

static struct session *
first(const struct tunnel *tunnel)
{
	return tunnel->seats.all[0];
}

static bool
is_first(const struct session *session)
{
	return session_number(session) == 1;
}

/* --- ends ------------------------------------------------------------------
 */

/* The first end counts. What it is told in is called by a session, so nothing
 * is closed here. */
static void
end(struct tunnel *tunnel, enum tunnel_exit code)
{
	if (tunnel->is_over)
		return;
	tunnel->is_over = true;
	tunnel->code = code;
	event_active(&tunnel->ending, EV_TIMEOUT, 0);
}

static void
ending_cb(int fd, short what, void *arg)
{
	struct tunnel *tunnel = arg;

	(void)fd;
	(void)what;
	tunnel_leave(tunnel);
	display_over(tunnel->display);
	tunnel->over(tunnel->arg, tunnel->code);
}

/* Says once that the tunnel, which was up, is not. */
static void
say_down(struct tunnel *tunnel, const char *why)
{
	if (!tunnel->is_down && tunnel->url[0] != '\0')
		display_down(tunnel->display, why);
	tunnel->is_down = true;
}

/* The first session tries again later; says why if that is not what was said
 * last. While others serve that is a detail. */
static void
back_off(struct tunnel *tunnel, const char *why)
{
	uint64_t wait_ms = session_back_off(first(tunnel));
	bool is_news = strcmp(tunnel->last_why, why) != 0;

	if (seats_is_serving(&tunnel->seats)) {
		display_detail(tunnel->display,
		    "session 1: %s; trying again in %ju ms", why,
		    (uintmax_t)wait_ms);
		return;
	}
	say_down(tunnel, why);
	snprintf(tunnel->last_why, sizeof(tunnel->last_why), "%s", why);
	display_reconnecting(tunnel->display, why, wait_ms, is_news);
}

static void
unreachable(struct tunnel *tunnel, const struct control_end *ended)
{
	char why[URL_MAX];

	if (ended->why == CONTROL_NO_SERVER)
		snprintf(why, sizeof(why), "%s", ended->text);
	else
		snprintf(why, sizeof(why), "server %s: %s",
		    tunnel->client->options->server.authority, ended->text);
	if (!tunnel->client->options->no_reconnect ||
	    seats_is_serving(&tunnel->seats)) {
		back_off(tunnel, why);
		return;
	}
	display_error(tunnel->display, "%s", why);
	end(tunnel, TUNNEL_EXIT_UNREACHABLE);
}

static void
name_taken(struct tunnel *tunnel, const char *text)
{
	if (strncmp(text, RESERVED, strlen(RESERVED)) == 0 ||
	    strncmp(text, OTHER_TOKEN, strlen(OTHER_TOKEN)) == 0)
		display_error(tunnel->display,
		    "the name %s cannot be had: %s; ask for another one with "
		    "-s, or let the server choose with --fallback",
		    tunnel->identity.name, text);
	else if (tunnel->identity.is_locked_out &&
		 tunnel->options->group == NULL)
		display_error(tunnel->display,
		    "the name %s is taken: another ltclient on this machine "
		    "has it",
		    tunnel->identity.name);
	else if (tunnel->options->group != NULL)
		display_error(tunnel->display,
		    "the name %s is taken: whoever has it shares it with "
		    "another key, or with nobody",
		    tunnel->identity.name);
	else
		display_error(tunnel->display,
		    "the name %s is taken: ask for another one with -s, or "
		    "let the server choose with --fallback",
		    tunnel->identity.name);
	end(tunnel, TUNNEL_EXIT_NAME);
}

/* The name cannot be had. Old servers never give another one, so that it is
 * for us to ask for one. */
static void
unavailable(struct tunnel *tunnel, const char *text)
{
	struct identity *identity = &tunnel->identity;

	if (tunnel->url[0] != '\0') {
		back_off(tunnel, "the server says that the name is taken");
		return;
	}
	if (!tunnel->options->fallback || identity->name[0] == '\0' ||
	    strcmp(identity->name, identity->own_name) == 0) {
		name_taken(tunnel, text);
		return;
	}
	display_note(tunnel->display,
	    "the name %s is taken; asking for another one", identity->name);
	strcpy(identity->name, identity->own_name);
	identity->secret[0] = '\0';
	session_forget(first(tunnel));
	session_start(first(tunnel), 0);
}

/* The end in place of a reply: how some servers refuse a name. One that is
 * just ending looks the same. */
static void
mute(struct tunnel *tunnel, const char *text)
{
	if (++tunnel->mute_tries < MUTE_TRIES) {
		back_off(tunnel, text);
		return;
	}
	tunnel->mute_tries = 0;
	unavailable(tunnel, "");
}

static void
refused(struct tunnel *tunnel, const char *code, const char *text)
{
	char why[URL_MAX];

	if (strcmp(code, "unavailable") == 0 ||
	    strcmp(code, "notavailable") == 0) {
		unavailable(tunnel, text);
		return;
	}
	snprintf(why, sizeof(why),
	    code[0] != '\0' ? "the server refuses: %s (%s)"
			    : "the server refuses: %s",
	    text, code);
	if (strcmp(code, "unauthorized") == 0) {
		display_error(tunnel->display, "%s", why);
		end(tunnel, TUNNEL_EXIT_UNAUTHORIZED);
	} else if (tunnel->url[0] != '\0') {
		back_off(tunnel, why);
	} else {
		display_error(tunnel->display, "%s", why);
		end(tunnel, TUNNEL_EXIT_FAILURE);
	}
}

/* The server ended the tunnel, and said so. */
static void
closed(struct tunnel *tunnel, const char *text)
{
	if (strcmp(text, "taken over") == 0) {
		display_error(tunnel->display,
		    "the tunnel was taken over by another client");
		end(tunnel, TUNNEL_EXIT_NAME);
		return;
	}
	display_error(
	    tunnel->display, "the server closed the tunnel: %s", text);
	end(tunnel, strcmp(text, NO_TOKEN) == 0 ? TUNNEL_EXIT_UNAUTHORIZED
						: TUNNEL_EXIT_FAILURE);
}

/* No session serves any more. */
static void
down(struct tunnel *tunnel, const char *why)
{
	if (tunnel->client->options->no_reconnect) {
		display_error(tunnel->display, "lost the server: %s", why);
		end(tunnel, TUNNEL_EXIT_UNREACHABLE);
		return;
	}
	say_down(tunnel, why);
	tunnel->last_why[0] = '\0';
}

/* True if the server does not just leave, but has ended this session. */
static bool
is_final(const struct session *session, const struct control_end *why)
{
	return why->why == CONTROL_CLOSED && !session_is_leaving(session) &&
	       strcasestr(why->text, "shut") == NULL;
}

static void
lost_cb(void *arg, struct session *session, const struct control_end *why)
{
	struct tunnel *tunnel = arg;

	if (is_first(session) && is_final(session, why) &&
	    !(strcmp(why->text, "taken over") == 0 &&
		seats_has_taken_first(&tunnel->seats))) {
		closed(tunnel, why->text);
		return;
	}
	display_detail(tunnel->display, "session %u is lost: %s",
	    session_number(session), why->text);
	if (!seats_is_serving(&tunnel->seats))
		down(tunnel, why->text);
	if (!is_first(session) && is_final(session, why)) {
		session_forget(session);
		session_start(
		    session, backoff_between(SLOW_MIN_MS, SLOW_MAX_MS));
	} else {
		session_come_back(session);
	}
}

static void
first_failed(struct tunnel *tunnel, const struct control_end *why)
{
	evtimer_del(&tunnel->mute);
	switch (why->why) {
	case CONTROL_REFUSED:
		refused(tunnel, why->code, why->text);
		break;
	case CONTROL_NO_SERVER:
		if (tunnel->url[0] == '\0') {
			display_error(tunnel->display, "%s", why->text);
			end(tunnel, TUNNEL_EXIT_FAILURE);
		} else {
			unreachable(tunnel, why);
		}
		break;
	case CONTROL_MUTE:
		mute(tunnel, why->text);
		break;
	default:
		unreachable(tunnel, why);
		break;
	}
}

/* What the server has against a further session may take long to pass; what
 * the network has against it, less. */
static void
further_failed(struct tunnel *tunnel, struct session *session,
    const struct control_end *why)
{
	bool is_slow =
	    why->why == CONTROL_REFUSED || why->why == CONTROL_NO_SERVER;
	uint64_t wait_ms = backoff_between(SLOW_MIN_MS, SLOW_MAX_MS);

	if (is_slow) {
		session_forget(session);
		session_start(session, wait_ms);
	} else {
		wait_ms = session_back_off(session);
	}
	display_detail(tunnel->display,
	    "session %u: %s%s%s; trying again in "
	    "%ju ms",
	    session_number(session), why->text,
	    why->why == CONTROL_REFUSED ? ": " : "",
	    why->why == CONTROL_REFUSED ? why->code : "", (uintmax_t)wait_ms);
	seats_wake_next(&tunnel->seats);
}

static void
failed_cb(void *arg, struct session *session, const struct control_end *why)
{
	if (is_first(session))
		first_failed(arg, why);
	else
		further_failed(arg, session, why);
}

/* --- up --------------------------------------------------------------------
 */

/* Servers of the Node.js localtunnel give another name when one is taken, and
 * do not say so. True if it will not do; then it is over, or tried again: that
 * server may just not have noticed that we were gone. */
static bool
is_replaced(
    struct tunnel *tunnel, const char *asked, const struct ltp_message *reply)
{
	char why[URL_MAX];

	if (asked[0] == '\0' || strcmp(asked, reply->ext_name) == 0)
		return false;
	if (tunnel->url[0] == '\0' && tunnel->options->fallback)
		return false;
	snprintf(why, sizeof(why),
	    "the name %s is taken: the server gave %s in its place", asked,
	    reply->ext_name);
	if (tunnel->url[0] == '\0') {
		display_error(tunnel->display,
		    "%s; to have such a one, use --fallback", why);
		end(tunnel, TUNNEL_EXIT_NAME);
		return true;
	}
	if (!tunnel->identity.strict && ++tunnel->name_tries > NAME_TRIES)
		return false;
	back_off(tunnel, why);
	return true;
}

static bool
reply_cb(void *arg, struct session *session, const char *asked,
    const struct ltp_message *reply)
{
	struct tunnel *tunnel = arg;
	const struct identity *identity = &tunnel->identity;
	const char *need = gate_needs(&tunnel->options->gate, identity->kind);

	if (is_first(session))
		evtimer_del(&tunnel->mute);
	/* An old server has opened a tunnel of kind http, for everybody, and
	 * takes it away from its other clients. */
	if (need == NULL && identity->group != NULL)
		need = "--group";
	if (need == NULL && tunnel->options->domain[0] != '\0')
		need = "--domain";
	if (need != NULL && !reply->has_ext) {
		display_error(tunnel->display,
		    session_is_node(session)
			? "a server of the Node.js localtunnel has no %s"
			: "this server is too old for %s",
		    need);
		end(tunnel, TUNNEL_EXIT_FAILURE);
		return false;
	}
	if (session_is_node(session) && is_replaced(tunnel, asked, reply))
		return false;
	if (is_first(session))
		identity_take_name(&tunnel->identity, asked, reply);
	/* Another secret comes from another server, or from one that has
	 * forgotten us. */
	if (identity_take_secret(&tunnel->identity, reply))
		seats_forget_others(&tunnel->seats, session);
	else if (reply->session != NULL)
		seats_forget_label(&tunnel->seats, reply->session, session);
	return true;
}

/* Nobody can learn the URL: that tunnel is of no use. */
static void
untold(struct tunnel *tunnel, const char *url)
{
	display_error(tunnel->display,
	    "the URL cannot be written to standard output: %s (it is %s)",
	    strerror(errno), url);
	end(tunnel, TUNNEL_EXIT_FAILURE);
}

/* The first time, or with another URL than before. */
static void
announce_url(
    struct tunnel *tunnel, const char *url, const struct ltp_message *reply)
{
	bool is_news = tunnel->url[0] == '\0';
	char text[URL_MAX];

	if (!is_news)
		display_note(tunnel->display, "reconnected, but the URL has "
					      "changed");
	strcpy(tunnel->url, url);
	if (display_up(tunnel->display, url, tunnel->identity.name) == -1)
		untold(tunnel, url);
	else if (session_cached_url(first(tunnel))[0] != '\0')
		display_cached(
		    tunnel->display, session_cached_url(first(tunnel)));
	if (is_news && tunnel->client->options->open)
		browser_open(tunnel->display, url);
	/* That of our own server is its version. */
	if (is_news && !reply->has_ext && reply->banner != NULL &&
	    reply->banner[0] != '\0')
		display_note(tunnel->display, "the server says: %s",
		    log_escape(text, sizeof(text), reply->banner,
			strlen(reply->banner)));
}

static void
announce(struct tunnel *tunnel, const struct ltp_message *reply)
{
	char raw[URL_MAX], url[URL_MAX];

	if (reply->url != NULL)
		snprintf(raw, sizeof(raw), "%s", reply->url);
	else
		snprintf(raw, sizeof(raw), "http://%s", reply->host);
	log_escape(url, sizeof(url), raw, strlen(raw));
	if (strcmp(url, tunnel->url) != 0)
		announce_url(tunnel, url, reply);
	else if (tunnel->is_down)
		display_again(tunnel->display, url, tunnel->identity.name);
	tunnel->is_down = false;
}

static void
up_cb(void *arg, struct session *session, const struct ltp_message *reply)
{
	struct tunnel *tunnel = arg;

	if (!is_first(session)) {
		seats_wake_next(&tunnel->seats);
		return;
	}
	tunnel->mute_tries = tunnel->name_tries = 0;
	tunnel->last_why[0] = '\0';
	identity_save(&tunnel->identity, session_label(session));
	identity_take_sni(&tunnel->identity, reply->sni);
	announce(tunnel, reply);
	seats_resize(&tunnel->seats, reply->has_ext ? reply->sessions : 1);
}

/* --- attempts --------------------------------------------------------------
 */

/* A server that has just come up knows nobody: the first session tells it who
 * we are, and a further one that came before it would be somebody else. */
static bool
may_start_cb(void *arg, struct session *session)
{
	struct tunnel *tunnel = arg;
	struct timeval span = clock_span(MUTE_MS);

	if (!is_first(session))
		return session_is_up(first(tunnel)) &&
		       !session_is_leaving(first(tunnel));
	/* One that still serves is not to be left behind under another name. */
	tunnel->identity.strict =
	    seats_is_serving(&tunnel->seats) ||
	    (tunnel->options->name[0] != '\0' && !tunnel->options->fallback);
	if (tunnel->url[0] == '\0' && tunnel->last_why[0] == '\0')
		evtimer_add(&tunnel->mute, &span);
	return true;
}

static void
mute_cb(int fd, short what, void *arg)
{
	struct tunnel *tunnel = arg;

	(void)fd;
	(void)what;
	if (session_is_trying(first(tunnel)))
		display_note(tunnel->display, "%s %s ...",
		    session_waits_for(first(tunnel)),
		    tunnel->client->options->server.authority);
}

struct tunnel *
tunnel_new(struct client *client, struct service *service, tunnel_over_fn over,
    void *arg)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
	char label[SECRETS_TEXT_MAX];
	struct seats_plan plan;

	if (tunnel == NULL)
		return NULL;
	tunnel->client = client;
	tunnel->options = service->options;
	tunnel->display = &service->options->display;
	tunnel->over = over;
	tunnel->arg = arg;
	evtimer_assign(&tunnel->mute, client->base, mute_cb, tunnel);
	evtimer_assign(&tunnel->ending, client->base, ending_cb, tunnel);
	plan = (struct seats_plan){ client, service, &tunnel->identity, &ops,
		tunnel };
	if (identity_init(&tunnel->identity, client->options, service->options,
		label) == -1 ||
	    seats_init(&tunnel->seats, &plan) == -1) {
		tunnel_free(tunnel);
		return NULL;
	}
	session_remember(first(tunnel), label);
	session_start(first(tunnel), 0);
	return tunnel;
}

void
tunnel_leave(struct tunnel *tunnel)
{
	tunnel->is_over = true;
	evtimer_del(&tunnel->mute);
	evtimer_del(&tunnel->ending);
	seats_leave(&tunnel->seats);
	/* The name is free for others of this machine, too. */
	identity_fini(&tunnel->identity);
}

void
tunnel_free(struct tunnel *tunnel)
{
	if (tunnel == NULL)
		return;
	evtimer_del(&tunnel->mute);
	evtimer_del(&tunnel->ending);
	seats_fini(&tunnel->seats);
	identity_fini(&tunnel->identity);
	free(tunnel);
}
