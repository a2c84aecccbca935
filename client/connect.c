/* SPDX-License-Identifier: ISC
 *
 * CONNECT (RFC 9110, section 9.3.6). Called by dial only. Believes nothing of
 * an answer but its status, and shows no text of it.
 */
#include "client/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/way.h"

#define TARGET_MAX (NET_HOST_MAX + 8)

static void
put_target(char out[TARGET_MAX], const char *host, uint16_t port)
{
	snprintf(out, TARGET_MAX,
	    strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
	    (unsigned)port);
}

char *
connect_request(const struct way *way, const char *host, uint16_t port)
{
	char target[TARGET_MAX], text[1024];
	bool has_login = way->login[0] != '\0';
	char *copy;

	put_target(target, host, port);
	snprintf(text, sizeof(text),
	    "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n%s%s%s\r\n",
	    target, target, CLIENT_AGENT,
	    has_login ? "Proxy-Authorization: Basic " : "", way->login,
	    has_login ? "\r\n" : "");
	copy = strdup(text);
	explicit_bzero(text, sizeof(text));
	return copy;
}

void
connect_init(struct connect_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer_init(&answer->http);
}

static enum http_result
bad(struct connect_answer *answer, enum connect_fault fault)
{
	answer->fault = fault;
	return HTTP_BAD;
}

enum http_result
connect_feed(struct connect_answer *answer, const char *buf, size_t len)
{
	size_t room, used;

	while (len > 0) {
		room = CONNECT_MAX - answer->len;
		if (room == 0)
			return bad(answer, CONNECT_TOO_MUCH);
		if (answer_feed(&answer->http, buf, len < room ? len : room,
			&used) == HTTP_BAD)
			return bad(answer, CONNECT_NO_HTTP);
		answer->len += used;
		buf += used;
		len -= used;
		if (answer->http.is_final) {
			if (answer->http.status / 100 != 2)
				return bad(answer, CONNECT_REFUSED);
			return len == 0 ? HTTP_OK : bad(answer, CONNECT_EARLY);
		}
	}
	return HTTP_MORE;
}

static const char around[] = "say --proxy '' to go around it";

/* What the status of a proxy means. */
static bool
explain_status(int status, const struct way *way, const char *target,
    char why[CONNECT_WHY_MAX])
{
	if (status == 407 || status == 401) {
		snprintf(why, CONNECT_WHY_MAX,
		    way->login[0] != '\0'
			? "the proxy %s does not take this user and password "
			  "(%d): check them in its URL"
			: "the proxy %s asks for a password (%d): say who you "
			  "are in its URL, http://USER:PASSWORD@HOST:PORT",
		    way->authority, status);
		return true;
	}
	if (status >= 500) {
		snprintf(why, CONNECT_WHY_MAX,
		    "the proxy %s cannot connect to %s (%d)", way->authority,
		    target, status);
		return false;
	}
	if (status == 403 || status == 405) {
		snprintf(why, CONNECT_WHY_MAX,
		    "the proxy %s refuses to connect to %s (%d): ask whoever "
		    "runs it to allow that host and port, or %s",
		    way->authority, target, status, around);
		return true;
	}
	snprintf(why, CONNECT_WHY_MAX,
	    "%s answers %d to CONNECT %s: is it an HTTP proxy? Or %s",
	    way->authority, status, target, around);
	return true;
}

bool
connect_explain(const struct connect_answer *answer, const struct way *way,
    const char *host, uint16_t port, char why[CONNECT_WHY_MAX])
{
	static const struct {
		const char *text;
		bool is_permanent;
	} faults[] = {
		[CONNECT_NO_HTTP] = { "does not answer in HTTP: is it an HTTP "
				      "proxy?",
		    true },
		[CONNECT_TOO_MUCH] = { "answers too much: is it an HTTP proxy?",
		    true },
		[CONNECT_EARLY] = { "says more than an HTTP proxy may before "
				    "it was spoken to",
		    true },
		[CONNECT_ENDED] = { "closed the connection before it had "
				    "answered",
		    false },
		[CONNECT_LATE] = { "does not answer", false },
	};
	char target[TARGET_MAX];

	put_target(target, host, port);
	if (answer->fault == CONNECT_REFUSED)
		return explain_status(answer->http.status, way, target, why);
	snprintf(why, CONNECT_WHY_MAX, "the proxy %s %s", way->authority,
	    faults[answer->fault].text);
	return faults[answer->fault].is_permanent;
}
