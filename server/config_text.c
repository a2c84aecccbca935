/* SPDX-License-Identifier: ISC */
#include "server/config_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/token.h"

#define SYSLOG	     "/dev/log"
#define PATH_LEN     1023
#define NAME_LEN     32
#define PATTERNS_LEN 4096

bool
config_text_is(enum config_type type)
{
	switch (type) {
	case CONFIG_PATH:
	case CONFIG_NAME:
	case CONFIG_LOG:
	case CONFIG_ACCESS:
	case CONFIG_FORM:
	case CONFIG_SANDBOX:
	case CONFIG_ADDRESS:
	case CONFIG_PATTERNS:
		return true;
	default:
		return false;
	}
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

const char *
config_text_syslog(const char *text)
{
	static const char word[] = "syslog", prefix[] = "syslog:";

	if (strcmp(text, word) == 0)
		return SYSLOG;
	return strncmp(text, prefix, strlen(prefix)) == 0
		   ? text + strlen(prefix)
		   : NULL;
}

static bool
is_log(const char *value)
{
	const char *syslog = config_text_syslog(value);

	return strcmp(value, CONFIG_TEXT_STDERR) == 0 ||
	       is_path(syslog != NULL ? syslog : value);
}

static bool
is_access(const char *value)
{
	return strcmp(value, CONFIG_TEXT_LOG) == 0 ||
	       strcmp(value, CONFIG_TEXT_OFF) == 0 || is_path(value);
}

static bool
is_form(const char *value)
{
	return strcmp(value, CONFIG_TEXT_JSON) == 0 ||
	       strcmp(value, "text") == 0;
}

static bool
is_sandbox(const char *value)
{
	return strcmp(value, "yes") == 0 ||
	       strcmp(value, CONFIG_TEXT_NO) == 0 ||
	       strcmp(value, CONFIG_TEXT_TRAP) == 0;
}

bool
config_text_address(const char *text, struct net_addr *addr)
{
	char host[NET_HOST_MAX];
	uint16_t port;

	if (net_split(text, host, &port) == -1)
		return false;
	if (host[0] == '\0' || strcasecmp(host, "localhost") == 0)
		strcpy(host, "127.0.0.1");
	return net_addr_from(addr, host, port) == 0;
}

static bool
is_address(const char *value)
{
	struct net_addr addr;

	return strcmp(value, CONFIG_TEXT_OFF) == 0 ||
	       config_text_address(value, &addr);
}

static bool
is_path_or_none(const char *value)
{
	return strcmp(value, CONFIG_TEXT_NONE) == 0 || is_path(value);
}

static bool
is_patterns(const char *value)
{
	return strlen(value) <= PATTERNS_LEN && token_list_is_good(value);
}

/* What may stand in a type, and what is wrong if it does not. */
static const struct {
	bool (*is_good)(const char *value);
	const char *words;
} checks[] = {
	[CONFIG_PATH] = { is_path_or_none,
	    "not a path that begins with /, or none" },
	[CONFIG_NAME] = { is_name, "not the name of a user or group" },
	[CONFIG_LOG] = { is_log,
	    "not stderr, syslog, or a path that begins with /" },
	[CONFIG_ACCESS] = { is_access,
	    "not log, off, or a path that begins with /" },
	[CONFIG_FORM] = { is_form, "not text or json" },
	[CONFIG_SANDBOX] = { is_sandbox, "not yes, no or trap" },
	[CONFIG_ADDRESS] = { is_address,
	    "not off, or HOST:PORT where HOST is an address, or PORT alone" },
	[CONFIG_PATTERNS] = { is_patterns,
	    "not none, or names with commas between them, such as www,mail*" },
};

bool
config_text_is_good(
    enum config_type type, const char *value, char *words, size_t size)
{
	if (checks[type].is_good(value))
		return true;
	snprintf(words, size, "%s", checks[type].words);
	return false;
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

	preset(
	    &c->pid_file, is_service ? CONFIG_TEXT_PID_FILE : CONFIG_TEXT_NONE);
	preset(&c->control_socket,
	    is_service ? CONFIG_TEXT_SOCKET : CONFIG_TEXT_NONE);
	preset(&c->tokens, CONFIG_TEXT_NONE);
	preset(&c->log, c->foreground ? CONFIG_TEXT_STDERR : "syslog");
}
