/* SPDX-License-Identifier: ISC
 *
 * Formats the one line of a visitor's connection and hands it to the log. It
 * keeps no state. Names and reasons may have come from outside, so both are
 * escaped; addresses are formatted here.
 */
#include "server/account.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/config_text.h"
#include "server/worker.h"

#define TUNNEL_SIZE 128 /* a name, some of it escaped */
#define REASON_SIZE 192
#define JOINED_SIZE 128

/* The fields as text. */
struct fields {
	char tunnel[TUNNEL_SIZE];
	char reason[REASON_SIZE];
	char visitor[NET_TEXT_MAX];
	char client[NET_TEXT_MAX];
	bool was_joined;
	uint64_t ms;
};

static void
fill(struct fields *f, const struct account *a)
{
	const char *name = a->tunnel != NULL ? a->tunnel : "-";

	log_escape(f->tunnel, sizeof(f->tunnel), name, strlen(name));
	log_escape(f->reason, sizeof(f->reason), a->reason, strlen(a->reason));
	net_addr_text(&a->visitor, f->visitor);
	net_addr_text(&a->client, f->client);
	f->was_joined = a->client.sa.sa_family != AF_UNSPEC;
	f->ms = clock_ms() - a->accepted_ms;
}

/* All of it from "tunnel=" on. */
static void
put_text(char line[LOG_LINE_MAX], const struct account *a)
{
	char joined[JOINED_SIZE] = "", status[24] = "";
	struct fields f;

	fill(&f, a);
	if (f.was_joined)
		snprintf(joined, sizeof(joined),
		    " client=%s in=%" PRIu64 " out=%" PRIu64, f.client,
		    a->bytes_in, a->bytes_out);
	if (a->status != 0)
		snprintf(status, sizeof(status), " status=%d", a->status);
	snprintf(line, LOG_LINE_MAX,
	    "tunnel=%s from=%s%s%s ms=%" PRIu64 " end=\"%s\"", f.tunnel,
	    f.visitor, joined, status, f.ms, f.reason);
}

/* The same as JSON, with a time; NULL without memory. */
static json_t *
make_json(const struct account *a, const char *when)
{
	struct fields f;
	json_t *line;
	int bad = 0;

	fill(&f, a);
	line = json_pack("{s:s, s:s, s:s, s:I, s:s}", "time", when, "tunnel",
	    f.tunnel, "from", f.visitor, "ms", (json_int_t)f.ms, "end",
	    f.reason);
	if (f.was_joined)
		bad |= json_object_update_new(
		    line, json_pack("{s:s, s:I, s:I}", "client", f.client, "in",
			      (json_int_t)a->bytes_in, "out",
			      (json_int_t)a->bytes_out));
	if (a->status != 0)
		bad |= json_object_set_new(
		    line, "status", json_integer(a->status));
	if (bad == 0)
		return line;
	json_decref(line);
	return NULL;
}

static void
write_json(const struct account *a, const char *when)
{
	json_t *object = make_json(a, when);
	char line[LOG_LINE_MAX];
	size_t len = json_dumpb(object, line, sizeof(line) - 1, JSON_COMPACT);

	json_decref(object);
	if (len == 0 || len > sizeof(line) - 1) {
		log_error("out of memory: a line of the access log is lost");
		return;
	}
	line[len++] = '\n';
	log_access(line, len);
}

static void
write_text(const struct account *a, const char *when)
{
	char text[LOG_LINE_MAX], line[LOG_LINE_MAX];
	int len;

	put_text(text, a);
	len = snprintf(line, sizeof(line), "%s %.900s\n", when, text);
	log_access(line, (size_t)len);
}

void
account_visitor(struct worker *w, const struct account *a)
{
	enum log_target to = log_target(LOG_ACCESS);
	const char *form = w->config->access_log_format;
	char when[LOG_TIME_MAX], text[LOG_LINE_MAX];
	bool was_joined = a->client.sa.sa_family != AF_UNSPEC;

	counter_add(
	    &w->count->results[counters_result(a->status, was_joined)], 1);
	if (to == LOG_TO_NOTHING)
		return;
	if (to == LOG_TO_EVENTS) {
		if (!log_enabled(LOG_LEVEL_INFO))
			return;
		put_text(text, a);
		log_info("visitor %s", text);
	} else if (strcmp(form, CONFIG_TEXT_JSON) == 0) {
		write_json(a, log_time(when));
	} else {
		write_text(a, log_time(when));
	}
}
