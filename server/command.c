/* SPDX-License-Identifier: ISC */
#include "server/command.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "common/log.h"

#define SHOWN_MAX 64 /* of a word that came from outside */

static const char *const words[] = {
	[COMMAND_STATUS] = "status",
	[COMMAND_TUNNELS] = "tunnels",
	[COMMAND_WORKERS] = "workers",
	[COMMAND_CONFIG] = "config",
	[COMMAND_CLOSE] = "close",
	[COMMAND_RELOAD] = "reload",
	[COMMAND_UPGRADE] = "upgrade",
	[COMMAND_REOPEN] = "reopen",
	[COMMAND_DRAIN] = "drain",
	[COMMAND_STOP] = "stop",
};

#define WORDS_N (sizeof(words) / sizeof(words[0]))

const char *
command_word(enum command_kind kind)
{
	return words[kind];
}

static bool
find_kind(struct command *c, const char *word, char why[COMMAND_WHY_MAX])
{
	char shown[SHOWN_MAX];

	for (size_t i = 0; i < WORDS_N; i++) {
		if (strcmp(words[i], word) == 0) {
			c->kind = (enum command_kind)i;
			return true;
		}
	}
	snprintf(why, COMMAND_WHY_MAX, "there is no command \"%s\"",
	    log_escape(shown, sizeof(shown), word, strlen(word)));
	return false;
}

/* The name that `close` needs. */
static bool
take_name(struct command *c, const char *name, char why[COMMAND_WHY_MAX])
{
	char shown[SHOWN_MAX];

	if (name == NULL) {
		snprintf(
		    why, COMMAND_WHY_MAX, "the name of a tunnel is missing");
		return false;
	}
	if (ltp_name(name, c->name))
		return true;
	snprintf(why, COMMAND_WHY_MAX, "\"%s\" is not the name of a tunnel",
	    log_escape(shown, sizeof(shown), name, strlen(name)));
	return false;
}

static bool
take(struct command *c, const json_t *request, char why[COMMAND_WHY_MAX])
{
	const char *word =
	    json_string_value(json_object_get(request, "command"));
	const char *name = json_string_value(json_object_get(request, "name"));

	if (word == NULL) {
		snprintf(why, COMMAND_WHY_MAX,
		    "a request is a line such as {\"command\": \"status\"}");
		return false;
	}
	return find_kind(c, word, why) &&
	       (c->kind != COMMAND_CLOSE || take_name(c, name, why));
}

enum command_result
command_parse(
    struct command *c, const char *buf, size_t len, char why[COMMAND_WHY_MAX])
{
	const char *end =
	    memchr(buf, '\n', len < COMMAND_MAX ? len : COMMAND_MAX);
	json_t *request;
	bool is_good;

	memset(c, 0, sizeof(*c));
	if (end == NULL && len < COMMAND_MAX)
		return COMMAND_MORE;
	if (end == NULL) {
		snprintf(why, COMMAND_WHY_MAX,
		    "a request has at most %d bytes, its end included",
		    COMMAND_MAX);
		return COMMAND_BAD;
	}
	request =
	    json_loadb(buf, (size_t)(end - buf), JSON_REJECT_DUPLICATES, NULL);
	is_good = take(c, request, why);
	json_decref(request);
	return is_good ? COMMAND_OK : COMMAND_BAD;
}
