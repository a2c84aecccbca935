/* SPDX-License-Identifier: ISC
 *
 * Reads the configuration files. Called by options only. What stands in the
 * section of a tunnel is taken as text; options knows what it means.
 */
#define _GNU_SOURCE
#include "client/config.h"

#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/nearest.h"
#include "common/uncomment.h"

#define CONFIG_SYSTEM "/etc/localtunnel/ltclient.conf"
#define FAULT_MAX     256

/* A section has one more option, before its keys, that has no name and cannot
 * be set: its value is made where the section begins, and so tells in which
 * line that is. */
#define SECTION_START 0
#define SECTION_KEYS  1

/* A value as it stands in the file. */
struct found {
	int line;
	char text[];
};

/* libconfuse reports by a callback that has no argument of ours. */
static struct {
	char *text;
	size_t size;
} fault;

/* The first one is kept. */
__attribute__((format(printf, 3, 4))) static void
say(const char *file, int line, const char *fmt, ...)
{
	va_list args;
	int n;

	if (fault.text[0] != '\0')
		return;
	n = snprintf(fault.text, fault.size, "%s:%d: ", file, line);
	if (n < 0 || (size_t)n >= fault.size)
		return;
	va_start(args, fmt);
	vsnprintf(fault.text + n, fault.size - (size_t)n, fmt, args);
	va_end(args);
}

/* What libconfuse met, in its words or in better ones. */
static void
improve(cfg_t *cfg, const char *fmt, const char *name, char text[FAULT_MAX])
{
	size_t len = strlen(text);
	struct nearest nearest;
	char hint[128];
	unsigned i;

	if (strncmp(fmt, "no such option", strlen("no such option")) == 0) {
		nearest_init(&nearest, name);
		for (i = 0; i < cfg_num(cfg); i++)
			nearest_try(&nearest, cfg_getnopt(cfg, i)->name);
		snprintf(text + len, FAULT_MAX - len, "%s",
		    nearest_text(&nearest, hint, sizeof(hint)));
	} else if (strncmp(fmt, "premature end", strlen("premature end")) == 0)
		snprintf(text + len, FAULT_MAX - len,
		    "; is a quote or a brace left open, or a value missing?");
	else if (strstr(fmt, "for section") != NULL)
		snprintf(text + len, FAULT_MAX - len,
		    "; it is written tunnel \"NAME\" { }");
	else if (strstr(fmt, "duplicate title") != NULL)
		snprintf(
		    text, FAULT_MAX, "tunnel \"%.64s\" is there twice", name);
}

static void
note_fault(cfg_t *cfg, const char *fmt, va_list args)
{
	char text[FAULT_MAX];
	const char *name = "";
	va_list again;

	va_copy(again, args);
	vsnprintf(text, sizeof(text), fmt, again);
	va_end(again);
	if (strstr(fmt, "%s") != NULL)
		name = va_arg(args, const char *);
	improve(cfg, fmt, name, text);
	if (cfg->filename != NULL)
		say(cfg->filename, cfg->line, "%s", text);
}

static int
take_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	size_t size = strlen(value) + 1;
	struct found *found = malloc(sizeof(*found) + size);

	(void)opt;
	if (found == NULL)
		return -1;
	found->line = cfg->line;
	memcpy(found->text, value, size);
	*(struct found **)result = found;
	return 0;
}

/* --- what was found --------------------------------------------------------
 */

/* What a file says in place of what one before it said. */
static void
replace(char **value, const char *newer)
{
	if (newer == NULL)
		return;
	free(*value);
	*value = strdup(newer);
}

static void
tunnel_fini(struct config_tunnel *tunnel)
{
	size_t i;

	for (i = 0; i < tunnel->values_n; i++)
		free(tunnel->values[i].text);
	free(tunnel->values);
	free(tunnel->name);
	free(tunnel->file);
	memset(tunnel, 0, sizeof(*tunnel));
}

/* Where a tunnel of that name goes: over that of an earlier file, or behind
 * all. NULL, and told, if there is no memory. */
static struct config_tunnel *
place(struct config *c, const char *name, const char *path)
{
	size_t i = 0;
	struct config_tunnel *tunnels =
	    reallocarray(c->tunnels, c->tunnels_n + 1, sizeof(*c->tunnels));
	char *own_name = strdup(name), *own_path = strdup(path);

	if (tunnels != NULL)
		c->tunnels = tunnels;
	if (tunnels == NULL || own_name == NULL || own_path == NULL) {
		free(own_name);
		free(own_path);
		say(path, 1, "out of memory");
		return NULL;
	}
	while (i < c->tunnels_n && strcmp(tunnels[i].name, name) != 0)
		i++;
	if (i < c->tunnels_n)
		tunnel_fini(&tunnels[i]);
	else
		c->tunnels_n++;
	tunnels[i] =
	    (struct config_tunnel){ .name = own_name, .file = own_path };
	return &tunnels[i];
}

/* It is put before what is said about the tunnel, also in terminals. */
static bool
is_name(const char *name)
{
	size_t len;

	for (len = 0; name[len] != '\0'; len++)
		if (!isascii((unsigned char)name[len]) ||
		    (!isalnum((unsigned char)name[len]) &&
			strchr("-_.", name[len]) == NULL))
			return false;
	return len > 0 && len <= CONFIG_NAME_MAX && name[0] != '-';
}

/* Adds one value; without memory it is missing. */
static void
add_value(
    struct config_tunnel *tunnel, const char *key, const struct found *found)
{
	struct config_value *values =
	    reallocarray(tunnel->values, tunnel->values_n + 1, sizeof(*values));

	if (values == NULL)
		return;
	tunnel->values = values;
	values[tunnel->values_n].key = key;
	values[tunnel->values_n].line = found->line;
	values[tunnel->values_n].text = strdup(found->text);
	if (values[tunnel->values_n].text != NULL)
		tunnel->values_n++;
}

/* One section. */
static void
read_tunnel(struct config *c, cfg_t *section, const struct config_key *keys,
    const char *path)
{
	const struct found *found =
	    cfg_opt_getnptr(cfg_getnopt(section, SECTION_START), 0);
	const char *name = cfg_title(section);
	struct config_tunnel *tunnel;
	unsigned i, j;
	cfg_opt_t *opt;

	if (!is_name(name)) {
		say(path, found->line,
		    "tunnel \"%.80s\": the name of a tunnel has letters, "
		    "digits, and . - _, %d at most",
		    name, CONFIG_NAME_MAX);
		return;
	}
	tunnel = place(c, name, path);
	if (tunnel == NULL)
		return;
	tunnel->line = found->line;
	for (i = 0; keys[i].name != NULL; i++) {
		opt = cfg_getnopt(section, SECTION_KEYS + i);
		for (j = 0; j < cfg_opt_size(opt); j++)
			add_value(
			    tunnel, keys[i].name, cfg_opt_getnptr(opt, j));
	}
}

/* --- files -----------------------------------------------------------------
 */

/* The options of a section; NULL if there is no memory. */
static cfg_opt_t *
section_options(const struct config_key *keys)
{
	cfg_opt_t *opts;
	size_t i, n = 0;

	while (keys[n].name != NULL)
		n++;
	opts = calloc(SECTION_KEYS + n + 1, sizeof(*opts));
	if (opts == NULL)
		return NULL;
	opts[SECTION_START] =
	    (cfg_opt_t)CFG_PTR_CB("", "here", CFGF_NONE, take_value, free);
	for (i = 0; i < n; i++)
		opts[SECTION_KEYS + i] = (cfg_opt_t)CFG_PTR_CB(keys[i].name,
		    NULL,
		    CFGF_NODEFAULT | (keys[i].is_list ? CFGF_LIST : CFGF_NONE),
		    take_value, free);
	opts[SECTION_KEYS + n] = (cfg_opt_t)CFG_END();
	return opts;
}

/* libconfuse ends the process when it is given a directory. */
static int
parse(cfg_t *cfg, const char *path)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	int result;

	if (file == NULL)
		return CFG_FILE_ERROR;
	if (fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode)) {
		fclose(file);
		errno = EISDIR;
		return CFG_FILE_ERROR;
	}
	file = uncomment_open(file);
	if (file == NULL)
		return CFG_FILE_ERROR;
	free(cfg->filename);
	cfg->filename = strdup(path);
	result = cfg_parse_fp(cfg, file);
	fclose(file);
	return result;
}

static void
add_file(struct config *c, const char *path)
{
	char *files = NULL;

	if (asprintf(&files, "%s%s%s", c->files != NULL ? c->files : "",
		c->files != NULL ? ", " : "", path) == -1)
		return;
	free(c->files);
	c->files = files;
}

/* What libconfuse has found in a file. */
static void
take_all(struct config *c, cfg_t *cfg, const struct config_key *keys,
    const char *path)
{
	unsigned i;

	add_file(c, path);
	replace(&c->server, cfg_getstr(cfg, "server"));
	replace(&c->ca, cfg_getstr(cfg, "ca"));
	replace(&c->token, cfg_getstr(cfg, "token"));
	if (cfg_getopt(cfg, "insecure")->flags & CFGF_MODIFIED)
		c->insecure = cfg_getbool(cfg, "insecure") == cfg_true;
	for (i = 0; i < cfg_size(cfg, "tunnel"); i++)
		read_tunnel(c, cfg_getnsec(cfg, "tunnel", i), keys, path);
}

/* One file. */
static int
read_one(struct config *c, const struct config_key *keys, const char *path,
    bool must_exist)
{
	cfg_opt_t *section = section_options(keys);
	cfg_opt_t opts[] = {
		CFG_STR("server", NULL, CFGF_NONE),
		CFG_STR("ca", NULL, CFGF_NONE),
		CFG_STR("token", NULL, CFGF_NONE),
		CFG_BOOL("insecure", cfg_false, CFGF_NONE),
		CFG_SEC("tunnel", section,
		    CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_END(),
	};
	cfg_t *cfg = section != NULL ? cfg_init(opts, CFGF_NONE) : NULL;
	int result;

	free(section);
	if (cfg == NULL) {
		snprintf(fault.text, fault.size, "out of memory");
		return -1;
	}
	cfg_set_error_function(cfg, note_fault);
	result = parse(cfg, path);
	if (result == CFG_FILE_ERROR && (must_exist || errno != ENOENT))
		snprintf(
		    fault.text, fault.size, "%s: %s", path, strerror(errno));
	else if (result == CFG_PARSE_ERROR) /* of a name that is empty */
		say(path, cfg->line, "this is no setting");
	if (result == CFG_SUCCESS && fault.text[0] == '\0')
		take_all(c, cfg, keys, path);
	cfg_free(cfg);
	return fault.text[0] == '\0' ? 0 : -1;
}

/* Where the user's own file is; false if he has no home. */
static bool
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
config_read(struct config *c, const struct config_key *keys, const char *file,
    char *why, size_t why_size)
{
	char path[PATH_MAX];

	memset(c, 0, sizeof(*c));
	why[0] = '\0';
	fault.text = why;
	fault.size = why_size;
	if (read_one(c, keys, CONFIG_SYSTEM, false) == -1 ||
	    (own_path(path, sizeof(path)) &&
		read_one(c, keys, path, false) == -1) ||
	    (file != NULL && read_one(c, keys, file, true) == -1))
		return -1;
	return 0;
}

void
config_fini(struct config *c)
{
	size_t i;

	for (i = 0; i < c->tunnels_n; i++)
		tunnel_fini(&c->tunnels[i]);
	free(c->tunnels);
	free(c->files);
	free(c->server);
	free(c->ca);
	free(c->token);
	memset(c, 0, sizeof(*c));
}

const struct config_tunnel *
config_find(const struct config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->tunnels_n; i++)
		if (strcmp(c->tunnels[i].name, name) == 0)
			return &c->tunnels[i];
	return NULL;
}

bool
config_flag(bool *flag, const char *text)
{
	int value = cfg_parse_boolean(text);

	*flag = value == 1;
	return value != -1;
}
