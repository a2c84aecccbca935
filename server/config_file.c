/* SPDX-License-Identifier: ISC
 *
 * The configuration file. libconfuse finds what stands where; everything is
 * taken as text and set afterwards line by line, so that all that is wrong is
 * said in the order of the file.
 */
#define _GNU_SOURCE

#include "server/config_file.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/nearest.h"
#include "common/uncomment.h"
#include "server/config.h"
#include "server/config_listen.h"

#define FAULT_MAX     256
#define FAULTS_MAX    100 /* nobody reads more */
#define FILE_MAX_SIZE (1024 * 1024)

/* A section for a listener has one more option, before those of the table,
 * that has no name and cannot be set: its value is made where the section
 * begins, and so tells in which line that is. */
#define SECTION_START 0
#define SECTION_KEYS  1

/* A value as it stands in the file. */
struct config_found {
	int line;
	char text[];
};

struct reader {
	struct config *config;
	const char *path;
	FILE *faults;
	cfg_t *cfg;
	unsigned bad_n;
};

/* libconfuse has met a value. It is checked later, in one place. */
static int
take_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	size_t size = strlen(value) + 1;
	struct config_found *found = log_must_alloc(1, sizeof(*found) + size);

	(void)opt;
	found->line = cfg->line;
	memcpy(found->text, value, size);
	*(struct config_found **)result = found;
	return 0;
}

/* What libconfuse met, in its words or in better ones. */
static void
say_fault(cfg_t *cfg, const char *fmt, const char *name, char *text)
{
	size_t len = strlen(text);
	char *end = text + len, hint[128];
	size_t left = FAULT_MAX - len;
	struct nearest nearest;

	if (strncmp(fmt, "no such option", strlen("no such option")) == 0) {
		nearest_init(&nearest, name);
		for (unsigned i = 0; i < cfg_num(cfg); i++)
			nearest_try(&nearest, cfg_getnopt(cfg, i)->name);
		snprintf(end, left, "%s",
		    nearest_text(&nearest, hint, sizeof(hint)));
	} else if (strncmp(fmt, "premature end", strlen("premature end")) == 0)
		snprintf(end, left,
		    "; is a quote or a brace left open, or a value missing?");
	else if (strstr(fmt, "for section") != NULL)
		snprintf(end, left, "; it is written %s \"ADDRESS\" { }", name);
	else if (strstr(fmt, "duplicate title") != NULL)
		snprintf(
		    text, FAULT_MAX, "listen: \"%.64s\" is there twice", name);
}

/* libconfuse has met something that is no setting, and will end there. It is
 * said in its turn, so it waits in the comment of the first option: libconfuse
 * gives this function nothing else to put it in. */
static void
keep_fault(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[FAULT_MAX];
	const char *name = "";
	va_list args;

	va_copy(args, ap);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (strstr(fmt, "%s") != NULL)
		name = va_arg(ap, const char *);
	say_fault(cfg, fmt, name, text);
	cfg_opt_setcomment(cfg_getnopt(cfg, 0), text);
}

/* The fault that waits, and the line where it is; NULL if there is none. */
static const char *
find_fault(cfg_t *cfg, int *line)
{
	const char *fault = cfg_opt_getcomment(cfg_getnopt(cfg, 0));
	unsigned sections = cfg_size(cfg, "listen");
	cfg_t *last;

	*line = cfg->line;
	if (fault != NULL || sections == 0)
		return fault;
	last = cfg_getnsec(cfg, "listen", sections - 1);
	*line = last->line;
	return cfg_opt_getcomment(cfg_getnopt(last, SECTION_START));
}

static cfg_opt_t
option_of(const char *key, bool is_list)
{
	return (cfg_opt_t)CFG_PTR_CB(key, NULL,
	    CFGF_NODEFAULT | (is_list ? CFGF_LIST : CFGF_NONE), take_value,
	    free);
}

/* A parser for the tables. Every value is taken as text, a list or not. */
static cfg_t *
new_parser(const char *path)
{
	size_t keys_n = config_listen_keys_n;
	cfg_opt_t *opts = log_must_alloc(config_options_n + 1, sizeof(*opts));
	cfg_opt_t *keys =
	    log_must_alloc(SECTION_KEYS + keys_n + 1, sizeof(*keys));
	cfg_t *cfg;

	keys[SECTION_START] =
	    (cfg_opt_t)CFG_PTR_CB("", "here", CFGF_NONE, take_value, free);
	for (size_t i = 0; i < keys_n; i++)
		keys[SECTION_KEYS + i] = option_of(
		    config_listen_keys[i].key, config_listen_keys[i].is_list);
	keys[SECTION_KEYS + keys_n] = (cfg_opt_t)CFG_END();
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *o = &config_options[i];

		if (o->type == CONFIG_LISTEN)
			opts[i] = (cfg_opt_t)CFG_SEC(o->key, keys,
			    CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
		else
			opts[i] =
			    option_of(o->key, o->type == CONFIG_PATHS ||
						  o->type == CONFIG_NETWORKS);
	}
	opts[config_options_n] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(opts, CFGF_NONE);
	free(opts);
	free(keys);
	if (cfg == NULL)
		fatal("out of memory");
	cfg->filename = log_must_strdup(path);
	cfg_set_error_function(cfg, keep_fault);
	return cfg;
}

__attribute__((format(printf, 3, 4))) static void
say(struct reader *r, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(r->faults, "%s:%d: ", r->path, line);
	va_start(ap, fmt);
	vfprintf(r->faults, fmt, ap);
	va_end(ap);
	fputc('\n', r->faults);
	r->bad_n++;
}

/* libconfuse drops a * outside quotes. */
static const char *
hint_star(const char *value)
{
	return value[0] == ':' ? "; a * has to be in quotes: \"*:80\"" : "";
}

/* What a section says about its listeners, from its table of keys. */
static void
read_keys(
    struct reader *r, cfg_t *section, int start, struct config_listen *like)
{
	const struct config_found *found;
	char words[160];

	for (unsigned i = 0; i < config_listen_keys_n; i++) {
		const struct config_listen_key *k = &config_listen_keys[i];
		cfg_opt_t *opt = cfg_getnopt(section, SECTION_KEYS + i);

		if ((opt->flags & CFGF_MODIFIED) == 0)
			continue;
		if (k->is_list)
			like->kinds = 0;
		if (cfg_opt_size(opt) == 0)
			say(r, start, "listen: %s is empty", k->key);
		for (unsigned j = 0; j < cfg_opt_size(opt); j++) {
			found = cfg_opt_getnptr(opt, j);
			if (!config_listen_set(
				like, k, found->text, words, sizeof(words)))
				say(r, found->line,
				    "listen: %s: \"%.64s\" is %s", k->key,
				    found->text, words);
		}
	}
}

/* One section: a listener, or two that have everything but the address in
 * common. */
static void
read_section(struct reader *r, cfg_t *section, int start)
{
	struct config *c = r->config;
	struct config_listen like = { .kinds = CONFIG_KINDS };
	const char *address = cfg_title(section);
	size_t first = c->listen_n;
	char words[160];

	if (!config_listen_add(c, address, words, sizeof(words)))
		say(r, start, "listen: \"%.64s\" is %s%s", address, words,
		    hint_star(address));
	read_keys(r, section, start, &like);
	for (size_t i = first; i < c->listen_n; i++) {
		c->listen[i].kinds = like.kinds;
		c->listen[i].proxy_protocol = like.proxy_protocol;
		c->listen[i].public = like.public;
	}
}

static void
read_value(struct reader *r, const char *key, const struct config_found *found)
{
	char why[256];

	if (config_set(r->config, key, found->text, why, sizeof(why)) == -1)
		say(r, found->line, "%s", why);
}

/* Value `i` of an option; of a section, where that begins. */
static const struct config_found *
found_at(cfg_opt_t *opt, unsigned i)
{
	cfg_t *section;

	if (opt->type != CFGT_SEC)
		return cfg_opt_getnptr(opt, i);
	section = cfg_opt_getnsec(opt, i);
	return cfg_opt_getnptr(cfg_getnopt(section, SECTION_START), 0);
}

/* Sets what begins in one line. */
static void
read_line(struct reader *r, int line)
{
	for (unsigned i = 0; i < config_options_n; i++) {
		cfg_opt_t *opt = cfg_getnopt(r->cfg, i);

		for (unsigned j = 0; j < cfg_opt_size(opt); j++) {
			const struct config_found *found = found_at(opt, j);

			if (found == NULL || found->line != line)
				continue;
			if (opt->type == CFGT_SEC)
				read_section(r, cfg_opt_getnsec(opt, j), line);
			else
				read_value(r, config_options[i].key, found);
		}
	}
}

/* Sets all that was found. Lists that the file has replace what there was. */
static void
read_all(struct reader *r)
{
	for (unsigned i = 0; i < config_options_n; i++) {
		cfg_opt_t *opt = cfg_getnopt(r->cfg, i);

		if (opt->flags & CFGF_MODIFIED)
			config_drop(r->config, &config_options[i]);
	}
	for (int line = 1; line <= r->cfg->line && r->bad_n < FAULTS_MAX;
	     line++)
		read_line(r, line);
	for (unsigned i = 0; i < config_options_n; i++)
		config_is_from_file(r->config, &config_options[i]);
}

/* True if it is a file, or /dev/null in place of one. Others may have no end,
 * or nobody who writes; of a directory libconfuse would end the program. */
static bool
is_file(const struct stat *st)
{
	return S_ISREG(st->st_mode) ||
	       (S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3));
}

/* Opens a file, without waiting for anybody; NULL with errno, or with *why. */
static FILE *
open_file(const char *path, const char **why)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	FILE *file = NULL;
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		*why = NULL;
	else if (!is_file(&st))
		*why = "this is no regular file";
	else if (st.st_size > FILE_MAX_SIZE)
		*why = "the file is larger than 1 MiB";
	else
		file = fdopen(fd, "r");
	if (file != NULL)
		return uncomment_open(file);
	if (fd != -1)
		close(fd);
	if (*why != NULL)
		errno = EINVAL;
	return NULL;
}

int
config_file_read(
    struct config *c, const char *path, bool must_exist, FILE *faults)
{
	struct reader r = { .config = c, .path = path, .faults = faults };
	const char *fault, *why = NULL;
	FILE *file = open_file(path, &why);
	int line, result;

	if (file == NULL) {
		if (errno == ENOENT && !must_exist)
			return 0;
		fprintf(faults, "%s: %s\n", path,
		    why != NULL ? why : strerror(errno));
		return -1;
	}
	r.cfg = new_parser(path);
	result = cfg_parse_fp(r.cfg, file);
	fclose(file);
	read_all(&r);
	fault = find_fault(r.cfg, &line);
	if (fault != NULL)
		say(&r, line, "%s", fault);
	else if (result != CFG_SUCCESS) /* of a name that is empty */
		say(&r, line, "this is no setting");
	cfg_free(r.cfg);
	return r.bad_n > 0 ? -1 : 0;
}
