/* SPDX-License-Identifier: ISC */
#include "server/config_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN_DIR	 "/run/localtunnel"
#define PATH_LEN 1023
#define NAME_LEN 32

bool
config_text_is(enum config_type type)
{
	return type == CONFIG_PATH || type == CONFIG_NAME;
}

/* Relative paths would depend on where the server is started, and a daemon
 * leaves that place. What cannot be printed is a slip. */
static bool
is_path(const char *value)
{
	size_t len = strlen(value);

	if (value[0] != '/' || len < 2 || len > PATH_LEN ||
	    value[len - 1] == '/')
		return false;
	for (; *value != '\0'; value++)
		if (iscntrl((unsigned char)*value))
			return false;
	return true;
}

static bool
is_name(const char *value)
{
	size_t len = strlen(value);

	return len > 0 && len <= NAME_LEN && value[0] != '-' &&
	       strspn(value, "abcdefghijklmnopqrstuvwxyz"
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}

bool
config_text_is_good(
    enum config_type type, const char *value, char *words, size_t size)
{
	bool is_none = strcmp(value, CONFIG_TEXT_NONE) == 0;

	switch (type) {
	case CONFIG_PATH:
		if (is_none || is_path(value))
			return true;
		snprintf(words, size, "not a path that begins with /, or none");
		return false;
	case CONFIG_NAME:
		if (is_name(value))
			return true;
		snprintf(words, size, "not the name of a user or group");
		return false;
	default:
		return false;
	}
}

/* A setting that was left out. */
static void
preset(char **field, const char *value)
{
	if (*field == NULL)
		*field = log_must_strdup(value);
}

void
config_text_finish(struct config *c)
{
	bool is_service = !c->foreground && geteuid() == 0;

	preset(&c->pid_file,
	    is_service ? RUN_DIR "/ltserver.pid" : CONFIG_TEXT_NONE);
}
