/* SPDX-License-Identifier: ISC
 *
 * Reads the configuration files. Called by options only.
 */
#include "client/config.h"

#include <confuse.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CONFIG_SYSTEM "/etc/localtunnel/ltclient.conf"

/* libconfuse reports by a callback that has no argument of ours. */
static struct {
	char *text;
	size_t size;
} fault;

static void
note_fault(cfg_t *cfg, const char *fmt, va_list args)
{
	int n;

	if (fault.text[0] != '\0')
		return;
	n = cfg->filename == NULL ? 0
				  : snprintf(fault.text, fault.size,
					"%s:%d: ", cfg->filename, cfg->line);
	if (n >= 0 && (size_t)n < fault.size)
		vsnprintf(fault.text + n, fault.size - (size_t)n, fmt, args);
}

/* cfg_parse() ends the process when it is given a directory. */
static int
parse(cfg_t *cfg, const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return CFG_FILE_ERROR;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return CFG_FILE_ERROR;
	}
	return cfg_parse(cfg, path);
}

/* What a file says in place of what one before it said. */
static void
replace(char **value, const char *newer)
{
	if (newer == NULL)
		return;
	free(*value);
	*value = strdup(newer);
}

/* One file. */
static int
read_one(struct config *c, const char *path, int must_exist)
{
	char *server = NULL, *ca = NULL;
	cfg_bool_t insecure = c->insecure ? cfg_true : cfg_false;
	cfg_opt_t opts[] = {
		CFG_SIMPLE_STR("server", &server),
		CFG_SIMPLE_STR("ca", &ca),
		CFG_SIMPLE_BOOL("insecure", &insecure),
		CFG_END(),
	};
	cfg_t *cfg = cfg_init(opts, CFGF_NONE);
	int result;

	if (cfg == NULL)
		return -1;
	cfg_set_error_function(cfg, note_fault);
	result = parse(cfg, path);
	if (result == CFG_FILE_ERROR && (must_exist || errno != ENOENT))
		snprintf(
		    fault.text, fault.size, "%s: %s", path, strerror(errno));
	if (fault.text[0] == '\0') {
		replace(&c->server, server);
		replace(&c->ca, ca);
		c->insecure = insecure == cfg_true;
	}
	cfg_free(cfg);
	free(server);
	free(ca);
	return fault.text[0] == '\0' ? 0 : -1;
}

/* Where the user's own file is; false if he has no home. */
static int
own_path(char *path, size_t size)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *rest = "";

	if (base == NULL || base[0] != '/') {
		base = getenv("HOME");
		rest = "/.config";
	}
	return base != NULL &&
	       snprintf(path, size, "%s%s/localtunnel/ltclient.conf", base,
		   rest) < (int)size;
}

int
config_read(struct config *c, const char *file, char *why, size_t why_size)
{
	char path[PATH_MAX];

	memset(c, 0, sizeof(*c));
	why[0] = '\0';
	fault.text = why;
	fault.size = why_size;
	if (read_one(c, CONFIG_SYSTEM, 0) == -1 ||
	    (own_path(path, sizeof(path)) && read_one(c, path, 0) == -1) ||
	    (file != NULL && read_one(c, file, 1) == -1))
		return -1;
	return 0;
}

void
config_fini(struct config *c)
{
	free(c->server);
	free(c->ca);
	c->server = c->ca = NULL;
}
