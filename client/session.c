/* SPDX-License-Identifier: ISC
 *
 * The life of one session. Called by tunnel. Owns its control connections and
 * its supply of proxy connections.
 *
 *           .------------ pause <------------.
 *           v                                |
 *   wake -> next --- reply ---> up --- lost -'
 *
 * `next` is the attempt under way, `up` the connection in use. Both are there
 * while a server that is leaving is replaced: the old one serves until the new
 * one is up.
 */
#include "client/session.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

#include "client/backoff.h"
#include "client/client.h"
#include "client/control.h"
#include "client/identity.h"
#include "client/options.h"
#include "client/pool.h"
#include "client/supply.h"
#include "common/clock.h"

#define LASTED_MS 2000 /* one that was up so long was all right */
#define LEAVE_WHY "ended by the user"

struct session {
	struct client *client;
	struct service *service;
	const struct identity *identity;
	const struct session_ops *ops;
	void *arg;
	unsigned number;
	struct control *next;  /* NULL: none, or waiting for retry */
	struct control *up;    /* NULL: none */
	struct supply *supply; /* of up */
	struct event retry;    /* the next attempt */
	struct backoff backoff;
	struct control_ask ask; /* points there and here */
	char label[SECRETS_TEXT_MAX];
	char sni[HELLO_NAME_MAX];
	bool is_forgotten; /* label and sni, which an attempt may still use */
	uint64_t up_ms;	   /* since when */
	bool is_doubtful;  /* it is up only if its pool is */
	bool is_leaving;   /* the server said that it is */
	bool is_over;	   /* we are */
};

/* --- attempts --------------------------------------------------------------
 */

static const char *
text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static void
fill_ask(struct session *session)
{
	const struct identity *identity = session->identity;
	const char *sni = session->number > 1 ? identity->sni : "";

	if (session->is_forgotten)
		session->label[0] = session->sni[0] = '\0';
	if (session->sni[0] != '\0')
		sni = session->sni;
	session->ask = (struct control_ask){
		.name = identity->name,
		.own_name = identity->own_name,
		.client = identity->client,
		.session = text_or_null(session->label),
		.secret = text_or_null(identity->secret),
		.sni = text_or_null(sni),
		.kind = identity->kind,
		.port = session->service->options->remote_port,
		.group = identity->group,
		.domain = text_or_null(session->service->options->domain),
		.gate = &session->service->options->gate,
		.strict = identity->strict || session->number > 1,
		.display = &session->service->options->display,
	};
}

void
session_start(struct session *session, uint64_t ms)
{
	struct timeval span = clock_span(ms);

	if (!session->is_over)
		evtimer_add(&session->retry, &span);
}

static bool
is_missing(const struct session *session)
{
	return session->next == NULL &&
	       (session->up == NULL || session->is_leaving);
}

void
session_wake(struct session *session)
{
	if (is_missing(session))
		session_start(session, 0);
}

void
session_sleep(struct session *session)
{
	evtimer_del(&session->retry);
}

bool
session_is_asleep(const struct session *session)
{
	return is_missing(session) && !evtimer_pending(&session->retry, NULL);
}

uint64_t
session_back_off(struct session *session)
{
	uint64_t wait_ms = backoff_next(&session->backoff);

	session_start(session, wait_ms);
	return wait_ms;
}

void
session_come_back(struct session *session)
{
	if (session->is_doubtful || clock_ms() - session->up_ms < LASTED_MS) {
		session_back_off(session);
		return;
	}
	backoff_reset(&session->backoff);
	session_start(session, backoff_between(100, 500));
}

/* --- up --------------------------------------------------------------------
 */

/* Copies what the server says if it is not too long, else nothing. */
static void
keep_label(struct session *session, const char *label)
{
	if (label == NULL || strlen(label) >= sizeof(session->label))
		label = "";
	strcpy(session->label, label);
	session->is_forgotten = false;
}

/* Remembers which name to send from now on. It goes into a ClientHello, and
 * must be one. */
static void
keep_sni(struct session *session, const char *sni)
{
	if (sni == NULL || !hello_name(sni, strlen(sni), session->sni))
		session->sni[0] = '\0';
}

static void
unserved_cb(void *arg, const char *why)
{
	struct session *session = arg;

	if (supply_is_proven(session->supply)) {
		session->is_doubtful = false;
		backoff_ease(&session->backoff);
	}
	if (session->up != NULL)
		control_unserved(session->up, why);
}

static void
start_supply(struct session *session, int64_t concurrency)
{
	static const struct pool_ops ops = { unserved_cb };
	struct pool_session of = {
		.number = session->number,
		.backend = *control_backend(session->up),
		.name = session->identity->name,
		.client = session->identity->client,
		.is_bare = control_is_node(session->up),
	};

	if (control_has_ext(session->up)) {
		of.session = text_or_null(session->label);
		of.secret = text_or_null(session->identity->secret);
		of.sni = text_or_null(session->sni);
	}
	supply_retire(&session->supply);
	session->supply = supply_new(
	    session->client, session->service, &of, concurrency, &ops, session);
	if (session->supply == NULL)
		display_error(
		    &session->service->options->display, "out of memory");
}

/* Before the new label is kept: is it the one that was asked for? */
static void
tell_session(const struct session *session, const struct ltp_message *reply)
{
	bool is_resumed = session->ask.session != NULL &&
			  reply->session != NULL &&
			  strcmp(session->ask.session, reply->session) == 0;

	display_detail(&session->service->options->display,
	    "session %u %s: name %s, %jd proxy connections to keep ready",
	    session->number, is_resumed ? "resumed" : "granted",
	    session->identity->name, (intmax_t)reply->concurrency);
}

static bool
up_cb(void *arg, struct control *control, const struct ltp_message *reply)
{
	struct session *session = arg;

	if (!session->ops->reply(
		session->arg, session, control_name(control), reply)) {
		control_free(&session->next);
		return false;
	}
	tell_session(session, reply);
	keep_label(session, reply->session);
	keep_sni(session, reply->sni);
	control_free(&session->up);
	session->up = control;
	session->next = NULL;
	session->up_ms = clock_ms();
	session->is_leaving = false;
	session->is_doubtful = control_is_node(control);
	if (!session->is_doubtful)
		backoff_ease(&session->backoff);
	session->ops->up(session->arg, session, reply);
	start_supply(session, reply->concurrency);
	return true;
}

static void
resize_cb(void *arg, struct control *control, int64_t concurrency)
{
	struct session *session = arg;

	if (control == session->up && session->supply != NULL)
		supply_resize(session->supply, concurrency);
}

static void
leave_cb(void *arg, struct control *control, int64_t ms)
{
	struct session *session = arg;

	if (control != session->up || session->next != NULL)
		return;
	if (ms < 0)
		ms = 0;
	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	display_detail(&session->service->options->display,
	    "session %u: the server is leaving; moving to another one",
	    session->number);
	session->is_leaving = true;
	/* The second half of the time is for the attempt itself. */
	session_start(session, backoff_between(0, (uint64_t)ms / 2));
}

/* --- ends ------------------------------------------------------------------
 */

static void
ended_cb(void *arg, struct control *control, const struct control_end *why)
{
	struct session *session = arg;

	if (control != session->up) {
		control_free(&session->next);
		/* The server name may be one that is not known any more. */
		if (why->why == CONTROL_NO_SERVER)
			session->sni[0] = '\0';
		session->ops->failed(session->arg, session, why);
		return;
	}
	control_free(&session->up);
	supply_retire(&session->supply);
	/* A server that is leaving may end the old one before it has answered
	 * the new one. */
	if (session->next == NULL)
		session->ops->lost(session->arg, session, why);
}

static void
attempt(struct session *session)
{
	static const struct control_ops ops = { up_cb, resize_cb, leave_cb,
		ended_cb };
	static const struct control_end no_memory = {
		.why = CONTROL_UNREACHABLE, .code = "", .text = "out of memory"
	};

	fill_ask(session);
	session->next =
	    control_start(session->client, &session->ask, &ops, session);
	if (session->next == NULL)
		session->ops->failed(session->arg, session, &no_memory);
}

static void
retry_cb(int fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd;
	(void)what;
	if (session->next == NULL &&
	    session->ops->may_start(session->arg, session))
		attempt(session);
}

/* --- from outside ----------------------------------------------------------
 */

struct session *
session_new(struct client *client, struct service *service, unsigned number,
    const struct identity *identity, const struct session_ops *ops, void *arg)
{
	struct session *session = calloc(1, sizeof(*session));

	if (session == NULL)
		return NULL;
	session->client = client;
	session->service = service;
	session->number = number;
	session->identity = identity;
	session->ops = ops;
	session->arg = arg;
	evtimer_assign(&session->retry, client->base, retry_cb, session);
	return session;
}

void
session_free(struct session *session)
{
	if (session == NULL)
		return;
	evtimer_del(&session->retry);
	control_free(&session->next);
	control_free(&session->up);
	supply_retire(&session->supply);
	free(session);
}

unsigned
session_number(const struct session *session)
{
	return session->number;
}

bool
session_is_up(const struct session *session)
{
	return session->up != NULL;
}

bool
session_is_trying(const struct session *session)
{
	return session->next != NULL;
}

bool
session_is_leaving(const struct session *session)
{
	return session->is_leaving;
}

bool
session_is_node(const struct session *session)
{
	const struct control *control =
	    session->next != NULL ? session->next : session->up;

	return control != NULL && control_is_node(control);
}

const char *
session_cached_url(const struct session *session)
{
	return session->up != NULL ? control_cached_url(session->up) : "";
}

const char *
session_waits_for(const struct session *session)
{
	return control_waits_for(session->next);
}

const char *
session_label(const struct session *session)
{
	return session->is_forgotten ? "" : session->label;
}

void
session_remember(struct session *session, const char *label)
{
	keep_label(session, label);
}

void
session_forget(struct session *session)
{
	session->is_forgotten = true;
}

void
session_leave(struct session *session)
{
	session->is_over = true;
	evtimer_del(&session->retry);
	control_goodbye(&session->next, LEAVE_WHY);
	control_goodbye(&session->up, LEAVE_WHY);
	supply_retire(&session->supply);
}
