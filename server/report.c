/* SPDX-License-Identifier: ISC */
#include "server/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/config.h"
#include "server/config_show.h"
#include "server/counters.h"
#include "server/places.h"
#include "server/registry.h"

#define SKIP_MAX	   1024 /* slots without a row that are passed over at a time */
#define REPORT_WORKERS_MAX (REGISTRY_SEATS_MAX * 4) /* "1,3" and so on */

static json_int_t
get(const counter *c)
{
	return (json_int_t)counter_get(c);
}

static json_int_t
seconds_since(uint64_t then_ms)
{
	return then_ms == 0 ? 0 : (json_int_t)((clock_ms() - then_ms) / 1000);
}

#define SUM(s, field) ((json_int_t)COUNTERS_SUM((s)->counters, field))

static json_t *
status_row(const struct report_source *s, struct report *a)
{
	const struct counters_master *m = counters_master(s->counters);

	if (a->next++ > 0)
		return NULL;
	return json_pack(
	    "{s:s, s:i, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
	    "s:I, s:I}",
	    "version", LT_VERSION, "pid", (int)getpid(), "state",
	    s->is_draining(s->arg) ? "draining"
	    : SUM(s, ready) > 0	   ? "ready"
				   : "starting",
	    "uptime_s", seconds_since(s->started_ms), "domain",
	    s->config->domain, "workers", SUM(s, ready), "restarts",
	    get(&m->restarts), "tunnels",
	    (json_int_t)registry_count(s->registry), "sessions",
	    SUM(s, sessions), "idle", SUM(s, idle), "joined", SUM(s, joined),
	    "visitors", SUM(s, visitors), "refused", SUM(s, refused),
	    "bytes_in", SUM(s, bytes_in), "bytes_out", SUM(s, bytes_out));
}

static json_t *
worker_row(const struct report_source *s, size_t slot)
{
	const struct counters_worker *c;
	struct places_worker w;

	if (!s->worker(s->arg, slot, &w) || w.state == NULL)
		return NULL;
	c = counters_worker(s->counters, slot);
	return json_pack("{s:I, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
			 "s:I, s:I, s:I, s:I}",
	    "worker", (json_int_t)slot + 1, "state", w.state, "pid", (int)w.pid,
	    "age_s", seconds_since(w.ready_ms), "sessions", get(&c->sessions),
	    "idle", get(&c->idle), "joined", get(&c->joined), "queued",
	    get(&c->queued), "parked", get(&c->parked), "room", get(&c->room),
	    "accepted", get(&c->accepted), "visitors", get(&c->visitors),
	    "bytes_in", get(&c->bytes_in), "bytes_out", get(&c->bytes_out));
}

static const char *
kind_of(const struct registry_tunnel *tunnel)
{
	switch (tunnel->kind) {
	case REGISTRY_TLS:
		return "tls";
	case REGISTRY_TCP:
		return "tcp";
	default:
		return "http";
	}
}

/* What the live sessions of a tunnel are together. */
struct total {
	json_int_t sessions, idle, busy, queued, visitors, bytes_in, bytes_out;
	uint64_t started_ms;		  /* of the oldest one */
	char workers[REPORT_WORKERS_MAX]; /* "1,3" */
};

static void
add_up(const struct report_source *s, const struct registry_tunnel *tunnel,
    struct total *t)
{
	const struct counters_session *c;
	uint64_t started_ms;
	size_t len = 0;

	for (uint32_t i = 0; i < tunnel->seats_n; i++) {
		const struct registry_seat *seat = &tunnel->seats[i];

		if (seat->worker == REGISTRY_NO_WORKER)
			continue;
		c = counters_session(s->counters, seat->session.slot);
		started_ms = counter_get(&c->started_ms);
		if (t->sessions++ == 0 || started_ms < t->started_ms)
			t->started_ms = started_ms;
		t->idle += get(&c->idle);
		t->busy += get(&c->busy);
		t->queued += get(&c->queued);
		t->visitors += get(&c->visitors);
		t->bytes_in += get(&c->bytes_in);
		t->bytes_out += get(&c->bytes_out);
		len +=
		    (size_t)snprintf(t->workers + len, sizeof(t->workers) - len,
			len == 0 ? "%u" : ",%u", seat->worker + 1);
	}
}

static json_t *
tunnel_row(const struct report_source *s, size_t slot)
{
	struct registry_session first;
	struct registry_tunnel tunnel;
	char client[NET_TEXT_MAX];
	struct total t = { 0 };

	if (!registry_tunnel_at(s->registry, slot, &tunnel) ||
	    !registry_session(s->registry, tunnel.seats[0].session, &first))
		return NULL;
	add_up(s, &tunnel, &t);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, "
			 "s:I, s:I, s:s, s:s, s:s}",
	    "name", tunnel.name, "kind", kind_of(&tunnel), "state",
	    t.sessions > 0 ? "up" : "held", "client",
	    net_addr_text(&first.peer, client), "age_s",
	    t.sessions > 0 ? seconds_since(t.started_ms) : 0, "sessions",
	    t.sessions, "idle", t.idle, "busy", t.busy, "queued", t.queued,
	    "visitors", t.visitors, "bytes_in", t.bytes_in, "bytes_out",
	    t.bytes_out, "workers", t.workers, "token",
	    s->token(s->arg, &tunnel), "domain", tunnel.domain);
}

static json_t *
config_row(const struct report_source *s, size_t i)
{
	return json_pack("{s:s, s:o}", "key", config_options[i].key, "value",
	    config_show(s->config, &config_options[i]));
}

/* What an answer has its rows from: one a slot, if the slot has any. */
static json_t *
slot_row(const struct report_source *s, enum command_kind kind, size_t slot)
{
	switch (kind) {
	case COMMAND_WORKERS:
		return worker_row(s, slot);
	case COMMAND_TUNNELS:
		return tunnel_row(s, slot);
	case COMMAND_CONFIG:
		return config_row(s, slot);
	default:
		return NULL;
	}
}

static size_t
slots(const struct report_source *s, enum command_kind kind)
{
	switch (kind) {
	case COMMAND_WORKERS:
		return counters_workers(s->counters);
	case COMMAND_TUNNELS:
		return registry_size(s->registry);
	case COMMAND_CONFIG:
		return config_options_n;
	default:
		return 0;
	}
}

/* {KEY: value} as a line; takes the value over. */
static char *
make_line(const char *key, json_t *value)
{
	json_t *object = json_pack("{s:o}", key, value);
	size_t len = json_dumpb(object, NULL, 0, JSON_COMPACT);
	char *line = len == 0 ? NULL : malloc(len + 2);

	/* It may find no memory now that it had the first time. */
	if (line != NULL &&
	    json_dumpb(object, line, len, JSON_COMPACT) != len) {
		free(line);
		line = NULL;
	}
	if (line != NULL)
		memcpy(line + len, "\n", 2);
	json_decref(object);
	return line;
}

char *
report_next(
    const struct report_source *s, enum command_kind kind, struct report *a)
{
	size_t end = slots(s, kind);
	json_t *row = NULL;
	int skipped = 0;

	if (kind == COMMAND_STATUS)
		row = status_row(s, a);
	for (; row == NULL && a->next < end && skipped < SKIP_MAX; skipped++)
		row = slot_row(s, kind, a->next++);
	if (row != NULL)
		return make_line("row", row);
	return a->next < end ? strdup("") : NULL;
}

char *
report_end(const char *error)
{
	return error == NULL ? make_line("done", json_true())
			     : make_line("error", json_string(error));
}
