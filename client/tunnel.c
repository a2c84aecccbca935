/* SPDX-License-Identifier: ISC
 *
 * The life of a tunnel. Called by main. Owns the control connections, the
 * pool and the secret. Decides what every end of a control connection means.
 *
 *            .------------- backoff <-------------.
 *            v                                    |
 *   start -> next --- reply ---> up --- lost -----'
 *            |                   |
 *            '--- refused -------'-- taken over ---> over
 *
 * `next` is the attempt under way, `up` the connection in use. Both are there
 * while a server that is leaving is replaced: the old one serves until the new
 * one is up.
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
#include "client/client.h"
#include "client/control.h"
#include "client/options.h"
#include "client/pool.h"
#include "client/secrets.h"
#include "common/clock.h"
#include "common/hello.h"
#include "common/log.h"
#include "common/ltp.h"

#define LASTED_MS  2000 /* a tunnel that was up so long was all right */
#define MUTE_MS	   800	/* when to say what is being waited for */
#define MUTE_TRIES 3	/* ends without a reply that make a refusal */
#define URL_MAX	   1024

struct tunnel {
	struct client *client;
	const struct options *options;
	const struct display *display;
	tunnel_over_fn over;
	void *arg;
	struct control *next; /* NULL: none, or waiting for retry */
	struct control *up;   /* NULL: none */
	struct pool *pool;    /* of up */
	struct event retry;   /* the next attempt */
	struct event mute;    /* the attempt takes its time */
	struct backoff backoff;
	unsigned mute_tries;
	struct control_ask ask;
	struct secrets *secrets;     /* NULL: not kept */
	bool is_locked_out;	     /* another ltclient has the secret */
	struct secret secret;	     /* ask points in here */
	char name[LTP_NAME_MAX + 1]; /* ask.name; "": any */
	char own_name[LTP_NAME_MAX + 1];
	char sni[HELLO_NAME_MAX]; /* ask.sni */
	char url[URL_MAX];	  /* "" before it was up */
	char last_why[URL_MAX];	  /* what was said last */
	uint64_t up_ms;		  /* since when */
	bool is_leaving;	  /* the server said that it is */
	bool is_down;		  /* that was said */
};

/* --- ends ------------------------------------------------------------------
 */

static void
end(struct tunnel *tunnel, enum tunnel_exit code)
{
	tunnel->over(tunnel->arg, code);
}

static void
retry_in(struct tunnel *tunnel, uint64_t ms)
{
	struct timeval span = clock_span(ms);

	evtimer_add(&tunnel->retry, &span);
}

/* Says once that the tunnel, which was up, is not. */
static void
say_down(struct tunnel *tunnel, const char *why)
{
	if (!tunnel->is_down && tunnel->url[0] != '\0')
		display_down(tunnel->display, why);
	tunnel->is_down = true;
}

/* Tries again later; says why if that is not what was said last. */
static void
back_off(struct tunnel *tunnel, const char *why)
{
	uint64_t wait_ms = backoff_next(&tunnel->backoff);
	bool is_news = tunnel->up == NULL && strcmp(tunnel->last_why, why) != 0;

	if (tunnel->up == NULL)
		say_down(tunnel, why);
	snprintf(tunnel->last_why, sizeof(tunnel->last_why), "%s", why);
	display_reconnecting(tunnel->display, why, wait_ms, is_news);
	retry_in(tunnel, wait_ms);
}

static void
unreachable(struct tunnel *tunnel, const struct control_end *ended)
{
	char why[URL_MAX];

	if (ended->why == CONTROL_NO_SERVER)
		snprintf(why, sizeof(why), "%s", ended->text);
	else
		snprintf(why, sizeof(why), "server %s: %s",
		    tunnel->options->server.authority, ended->text);
	if (!tunnel->options->no_reconnect || tunnel->up != NULL) {
		back_off(tunnel, why);
		return;
	}
	display_error(tunnel->display, "%s", why);
	end(tunnel, TUNNEL_EXIT_UNREACHABLE);
}

static void
name_taken(struct tunnel *tunnel)
{
	if (tunnel->is_locked_out)
		display_error(tunnel->display,
		    "the name %s is taken: another ltclient on this machine "
		    "has it",
		    tunnel->name);
	else
		display_error(tunnel->display,
		    "the name %s is taken: ask for another one with -s, or "
		    "let the server choose with --fallback",
		    tunnel->name);
	end(tunnel, TUNNEL_EXIT_NAME);
}

/* The name cannot be had. Old servers never give another one, so that it is
 * for us to ask for one. */
static void
unavailable(struct tunnel *tunnel)
{
	if (tunnel->url[0] != '\0') {
		back_off(tunnel, "the server says that the name is taken");
		return;
	}
	if (!tunnel->options->fallback || tunnel->name[0] == '\0' ||
	    strcmp(tunnel->name, tunnel->own_name) == 0) {
		name_taken(tunnel);
		return;
	}
	display_note(tunnel->display,
	    "the name %s is taken; asking for another one", tunnel->name);
	strcpy(tunnel->name, tunnel->own_name);
	tunnel->ask.session = tunnel->ask.secret = NULL;
	retry_in(tunnel, 0);
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
	unavailable(tunnel);
}

static void
refused(struct tunnel *tunnel, const char *code, const char *text)
{
	char why[URL_MAX];

	if (strcmp(code, "unavailable") == 0 ||
	    strcmp(code, "notavailable") == 0) {
		unavailable(tunnel);
		return;
	}
	snprintf(why, sizeof(why), "the server refuses: %s (%s)", text, code);
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
	end(tunnel, TUNNEL_EXIT_FAILURE);
}

/* The connection in use is gone, and no other is being made yet. */
static void
lost(struct tunnel *tunnel, const char *why)
{
	bool had_lasted = clock_ms() - tunnel->up_ms >= LASTED_MS;

	pool_retire(&tunnel->pool);
	if (tunnel->options->no_reconnect) {
		display_error(tunnel->display, "lost the server: %s", why);
		end(tunnel, TUNNEL_EXIT_UNREACHABLE);
		return;
	}
	say_down(tunnel, why);
	tunnel->last_why[0] = '\0';
	if (had_lasted) {
		backoff_reset(&tunnel->backoff);
		retry_in(tunnel, backoff_between(100, 500));
	} else {
		retry_in(tunnel, backoff_next(&tunnel->backoff));
	}
}

static bool
is_shutdown(const char *text)
{
	return strcasestr(text, "shut") != NULL;
}

static void
up_ended(struct tunnel *tunnel, const struct control_end *why)
{
	control_free(&tunnel->up);
	/* A server that is leaving may end the old one before it has answered
	 * the new one. */
	if (tunnel->is_leaving && tunnel->next != NULL) {
		pool_retire(&tunnel->pool);
	} else if (why->why == CONTROL_CLOSED && !tunnel->is_leaving &&
		   !is_shutdown(why->text)) {
		closed(tunnel, why->text);
	} else {
		lost(tunnel, why->text);
	}
}

static void
next_ended(struct tunnel *tunnel, const struct control_end *why)
{
	control_free(&tunnel->next);
	evtimer_del(&tunnel->mute);
	/* The name that the server said may be one it does not know any more.
	 */
	if (why->why == CONTROL_NO_SERVER)
		tunnel->ask.sni = NULL;
	if (why->why == CONTROL_REFUSED) {
		refused(tunnel, why->code, why->text);
	} else if (why->why == CONTROL_NO_SERVER && tunnel->url[0] == '\0') {
		display_error(tunnel->display, "%s", why->text);
		end(tunnel, TUNNEL_EXIT_FAILURE);
	} else if (why->why == CONTROL_MUTE) {
		mute(tunnel, why->text);
	} else {
		unreachable(tunnel, why);
	}
}

static void
ended_cb(void *arg, struct control *control, const struct control_end *why)
{
	struct tunnel *tunnel = arg;

	if (control == tunnel->up)
		up_ended(tunnel, why);
	else
		next_ended(tunnel, why);
}

/* --- up --------------------------------------------------------------------
 */

/* Copies what the server says if it is not too long, else nothing. */
static const char *
keep(char out[SECRETS_TEXT_MAX], const char *text)
{
	if (text == NULL || strlen(text) >= SECRETS_TEXT_MAX)
		out[0] = '\0';
	else
		strcpy(out, text);
	return out[0] != '\0' ? out : NULL;
}

/* Remembers what proves that the name is ours. */
static void
keep_secret(struct tunnel *tunnel, const struct ltp_message *reply)
{
	char why[SECRETS_WHY_MAX];

	tunnel->ask.session = keep(tunnel->secret.session, reply->session);
	tunnel->ask.secret = keep(tunnel->secret.secret, reply->secret);
	if (tunnel->secrets == NULL ||
	    strcmp(tunnel->name, tunnel->options->name) != 0)
		return;
	if (secrets_save(tunnel->secrets, &tunnel->secret, why) == -1)
		display_note(tunnel->display,
		    "the secret of the tunnel cannot be kept: %s", why);
}

/* Remembers which name to send from now on. It goes into a ClientHello, and
 * must be one. */
static void
keep_sni(struct tunnel *tunnel, const char *sni)
{
	bool is_name = sni != NULL && hello_name(sni, strlen(sni), tunnel->sni);

	tunnel->ask.sni = is_name ? tunnel->sni : NULL;
}

/* Takes the name that was given; says so if another was asked for. */
static void
take_name(struct tunnel *tunnel, const struct ltp_message *reply)
{
	const char *asked = control_name(tunnel->next);
	char name[LTP_NAME_MAX + 1];

	/* An old server has no say in it. */
	if (reply->ext_name == NULL || !ltp_name(reply->ext_name, name))
		snprintf(name, sizeof(name), "%s", asked);
	if (asked[0] != '\0' && strcmp(name, asked) != 0)
		display_note(tunnel->display,
		    "the name %s is taken; this tunnel is called %s", asked,
		    name);
	strcpy(tunnel->name, name);
}

/* Nobody can learn the URL: that tunnel is of no use. */
static void
untold(struct tunnel *tunnel, const char *url)
{
	display_error(tunnel->display,
	    "the URL cannot be written to standard output: %s (it is %s)",
	    strerror(errno), url);
	tunnel_goodbye(tunnel);
	end(tunnel, TUNNEL_EXIT_FAILURE);
}

static void
announce(struct tunnel *tunnel, const struct ltp_message *reply)
{
	bool is_first = tunnel->url[0] == '\0';
	char raw[URL_MAX], url[URL_MAX];

	if (reply->url != NULL)
		snprintf(raw, sizeof(raw), "%s", reply->url);
	else
		snprintf(raw, sizeof(raw), "http://%s", reply->host);
	log_escape(url, sizeof(url), raw, strlen(raw));
	if (!is_first && strcmp(url, tunnel->url) == 0) {
		display_again(tunnel->display, url, tunnel->name);
		return;
	}
	if (!is_first)
		display_note(tunnel->display, "reconnected, but the URL has "
					      "changed");
	strcpy(tunnel->url, url);
	if (display_up(tunnel->display, url, tunnel->name) == -1)
		untold(tunnel, url);
	/* That of our own server is its version. */
	if (is_first && !reply->has_ext && reply->banner != NULL &&
	    reply->banner[0] != '\0')
		display_note(tunnel->display, "the server says: %s",
		    log_escape(raw, sizeof(raw), reply->banner,
			strlen(reply->banner)));
}

static void
start_pool(struct tunnel *tunnel, int64_t concurrency)
{
	struct pool_session session = {
		.backend = *control_backend(tunnel->up),
		.name = tunnel->name,
		.client = tunnel->secret.client,
	};

	if (control_has_ext(tunnel->up)) {
		session.session = tunnel->ask.session;
		session.secret = tunnel->ask.secret;
		session.sni = tunnel->ask.sni;
	}
	pool_retire(&tunnel->pool);
	tunnel->pool = pool_new(tunnel->client, &session, concurrency);
	if (tunnel->pool == NULL)
		display_error(tunnel->display, "out of memory");
}

/* Before the new session is kept: is it the one that was asked for? */
static void
tell_session(const struct tunnel *tunnel, const struct ltp_message *reply)
{
	bool is_resumed = tunnel->ask.session != NULL &&
			  reply->session != NULL &&
			  strcmp(tunnel->ask.session, reply->session) == 0;

	display_detail(tunnel->display,
	    "session %s: name %s, %jd proxy connections to keep ready",
	    is_resumed ? "resumed" : "granted", tunnel->name,
	    (intmax_t)reply->concurrency);
}

static void
up_cb(void *arg, struct control *control, const struct ltp_message *reply)
{
	struct tunnel *tunnel = arg;
	const char *need = gate_needs(&tunnel->options->gate, tunnel->ask.kind);

	evtimer_del(&tunnel->mute);
	/* An old server has opened a tunnel of kind http, for everybody. */
	if (need != NULL && !reply->has_ext) {
		display_error(
		    tunnel->display, "this server is too old for %s", need);
		end(tunnel, TUNNEL_EXIT_FAILURE);
		return;
	}
	take_name(tunnel, reply);
	tell_session(tunnel, reply);
	keep_secret(tunnel, reply);
	keep_sni(tunnel, reply->sni);
	control_free(&tunnel->up);
	tunnel->up = control;
	tunnel->next = NULL;
	tunnel->up_ms = clock_ms();
	backoff_ease(&tunnel->backoff);
	tunnel->is_leaving = false;
	tunnel->is_down = false;
	tunnel->mute_tries = 0;
	tunnel->last_why[0] = '\0';
	announce(tunnel, reply);
	start_pool(tunnel, reply->concurrency);
}

static void
resize_cb(void *arg, struct control *control, int64_t concurrency)
{
	struct tunnel *tunnel = arg;

	if (control == tunnel->up && tunnel->pool != NULL)
		pool_resize(tunnel->pool, concurrency);
}

static void
leave_cb(void *arg, struct control *control, int64_t ms)
{
	struct tunnel *tunnel = arg;

	if (control != tunnel->up || tunnel->next != NULL)
		return;
	if (ms < 0)
		ms = 0;
	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	display_detail(
	    tunnel->display, "the server is leaving; moving to another one");
	tunnel->is_leaving = true;
	/* The second half of the time is for the attempt itself. */
	retry_in(tunnel, backoff_between(0, (uint64_t)ms / 2));
}

/* --- attempts --------------------------------------------------------------
 */

static void
attempt(struct tunnel *tunnel)
{
	static const struct control_ops ops = { up_cb, resize_cb, leave_cb,
		ended_cb };
	struct timeval span = clock_span(MUTE_MS);

	tunnel->ask.name = tunnel->name;
	tunnel->ask.strict =
	    tunnel->options->name[0] != '\0' && !tunnel->options->fallback;
	tunnel->next =
	    control_start(tunnel->client, &tunnel->ask, &ops, tunnel);
	if (tunnel->next == NULL)
		back_off(tunnel, "out of memory");
	else if (tunnel->url[0] == '\0' && tunnel->last_why[0] == '\0')
		evtimer_add(&tunnel->mute, &span);
}

static void
retry_cb(int fd, short what, void *arg)
{
	struct tunnel *tunnel = arg;

	(void)fd;
	(void)what;
	if (tunnel->next == NULL)
		attempt(tunnel);
}

static void
mute_cb(int fd, short what, void *arg)
{
	struct tunnel *tunnel = arg;

	(void)fd;
	(void)what;
	display_note(tunnel->display, "%s %s ...",
	    control_waits_for(tunnel->next), tunnel->options->server.authority);
}

/* Gets the secret of an earlier run, if a name was asked for. */
static void
open_secrets(struct tunnel *tunnel)
{
	const struct options *options = tunnel->options;
	char server[URL_AUTHORITY_MAX + 8], why[SECRETS_WHY_MAX];

	if (options->name[0] == '\0')
		return;
	/* What was said in TLS is for whoever has the certificate. */
	snprintf(server, sizeof(server), "%s%s",
	    options->server.is_tls ? "https:" : "", options->server.authority);
	switch (secrets_open(
	    &tunnel->secrets, server, options->name, &tunnel->secret, why)) {
	case SECRETS_OK:
		if (tunnel->secret.session[0] != '\0')
			tunnel->ask.session = tunnel->secret.session;
		if (tunnel->secret.secret[0] != '\0')
			tunnel->ask.secret = tunnel->secret.secret;
		break;
	case SECRETS_BUSY:
		tunnel->is_locked_out = true;
		break;
	case SECRETS_NONE:
		display_note(tunnel->display,
		    "the name cannot be kept for the next run: %s", why);
		break;
	}
}

struct tunnel *
tunnel_new(struct client *client, tunnel_over_fn over, void *arg)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));

	if (tunnel == NULL)
		return NULL;
	if (secrets_new_client(&tunnel->secret) == -1 ||
	    secrets_new_name(tunnel->own_name) == -1) {
		free(tunnel);
		return NULL;
	}
	tunnel->client = client;
	tunnel->options = client->options;
	tunnel->display = &client->options->display;
	tunnel->over = over;
	tunnel->arg = arg;
	tunnel->ask.own_name = tunnel->own_name;
	tunnel->ask.kind = client->options->kind;
	tunnel->ask.client = tunnel->secret.client;
	strcpy(tunnel->name, client->options->name);
	evtimer_assign(&tunnel->retry, client->base, retry_cb, tunnel);
	evtimer_assign(&tunnel->mute, client->base, mute_cb, tunnel);
	open_secrets(tunnel);
	retry_in(tunnel, 0);
	return tunnel;
}

void
tunnel_goodbye(struct tunnel *tunnel)
{
	if (tunnel->up != NULL)
		control_goodbye(tunnel->up, "ended by the user");
}

void
tunnel_free(struct tunnel *tunnel)
{
	if (tunnel == NULL)
		return;
	evtimer_del(&tunnel->retry);
	evtimer_del(&tunnel->mute);
	control_free(&tunnel->next);
	control_free(&tunnel->up);
	pool_retire(&tunnel->pool);
	secrets_close(tunnel->secrets);
	free(tunnel);
}
