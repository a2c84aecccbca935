/* SPDX-License-Identifier: ISC
 *
 * The settings: one table, one function that sets any of them from text, and
 * two ways to get there, the configuration file and the command line. Called
 * by main before there is any other process; what it makes is only read
 * afterwards. It must not open anything but the configuration file, and it
 * never ends the program: it says what is wrong and leaves the rest to main.
 */
#define _GNU_SOURCE

#include "server/config.h"

#include <confuse.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/ltp.h"

#define DAY_S	       86400
#define DOMAIN_MAX     190 /* NAME.DOMAIN must be a DNS name too */
#define DEFAULT_LISTEN "8000"
#define KEY_MAX	       32 /* longer ones are like none of ours */
#define FAULT_MAX      256

#define FIELD(field) offsetof(struct config, field)

const struct config_option config_options[] = {
	{ "domain", CONFIG_STRING, "localhost", 0, 0,
	    "base domain; tunnels are NAME.DOMAIN", FIELD(domain) },
	{ "listen", CONFIG_LIST, NULL, 0, 0,
	    "where to listen: HOST:PORT, or PORT on loopback", FIELD(listen) },
	{ "workers", CONFIG_NUMBER, "0", 0, CONFIG_WORKERS_MAX,
	    "worker processes; 0: one per core", FIELD(workers) },
	{ "max-workers", CONFIG_NUMBER, "16", 1, CONFIG_WORKERS_MAX,
	    "what workers may become without a restart", FIELD(max_workers) },
	{ "max-tunnels", CONFIG_NUMBER, "16384", 1, 1048576,
	    "tunnels, held names included", FIELD(max_tunnels) },
	{ "pool-idle", CONFIG_NUMBER, "10", 1, 64,
	    "idle proxy connections of a tunnel", FIELD(pool_idle) },
	{ "pool-idle-max", CONFIG_NUMBER, "64", 1, 64,
	    "what a burst may raise pool-idle to", FIELD(pool_idle_max) },
	{ "pool-idle-old", CONFIG_NUMBER, "3", 1, 64,
	    "pool-idle for LTP/0.2 clients", FIELD(pool_idle_old) },
	{ "queue-limit", CONFIG_NUMBER, "2048", 1, 1048576,
	    "visitors who may wait in one tunnel", FIELD(queue_limit) },
	{ "head-timeout", CONFIG_NUMBER, "10", 1, 3600,
	    "seconds for a request head or hello", FIELD(head_timeout) },
	{ "queue-timeout", CONFIG_NUMBER, "5", 1, 3600,
	    "seconds a visitor waits for a proxy connection",
	    FIELD(queue_timeout) },
	{ "grace", CONFIG_NUMBER, "30", 0, 7 * DAY_S,
	    "seconds a name is held for its lost client", FIELD(grace) },
	{ "grace-old", CONFIG_NUMBER, "10", 0, 7 * DAY_S,
	    "grace for LTP/0.2 clients", FIELD(grace_old) },
	{ "heartbeat", CONFIG_NUMBER, "5", 1, 3600, "seconds between pings",
	    FIELD(heartbeat) },
	{ "drain", CONFIG_NUMBER, "3600", 0, 7 * DAY_S,
	    "seconds joined connections may go on after SIGTERM",
	    FIELD(drain) },
	{ "forwarded", CONFIG_BOOL, "yes", 0, 0,
	    "set X-Forwarded-* headers in requests", FIELD(forwarded) },
	{ "log-level", CONFIG_LEVEL, "info", 0, 0, "error, warn, info or debug",
	    FIELD(log_level) },
};
const size_t config_options_n =
    sizeof(config_options) / sizeof(config_options[0]);

/* One of the setters below; false if the value is not allowed. */
typedef bool set_fn(
    struct config *, const struct config_option *, const char *value);

static void *
field_of(struct config *c, const struct config_option *o)
{
	return (char *)c + o->offset;
}

/* True if each label is one that a tunnel could have; `domain` is made lower
 * case. A last label of digits would be an address. */
static bool
check_labels(char *domain)
{
	char label[LTP_NAME_MAX + 1], folded[LTP_NAME_MAX + 1];
	size_t len;

	for (char *at = domain;; at += len + 1) {
		len = strcspn(at, ".");
		if (len > LTP_NAME_MAX)
			return false;
		memcpy(label, at, len);
		label[len] = '\0';
		if (!ltp_name(label, folded))
			return false;
		memcpy(at, folded, len);
		if (at[len] == '\0')
			return strspn(folded, "0123456789") < len;
	}
}

static bool
set_domain(struct config *c, const struct config_option *o, const char *value)
{
	char **field = field_of(c, o);
	size_t len = strlen(value);
	char *domain;

	if (len > 0 && value[len - 1] == '.')
		len--;
	if (len > DOMAIN_MAX)
		return false;
	domain = log_must_strdup(value);
	domain[len] = '\0';
	if (!check_labels(domain)) {
		free(domain);
		return false;
	}
	free(*field);
	*field = domain;
	return true;
}

static bool
set_number(struct config *c, const struct config_option *o, const char *value)
{
	unsigned *field = field_of(c, o);
	unsigned long n;

	if (*value == '\0' || strspn(value, "0123456789") != strlen(value))
		return false;
	errno = 0;
	n = strtoul(value, NULL, 10);
	if (errno != 0 || n < o->min || n > o->max)
		return false;
	*field = (unsigned)n;
	return true;
}

static bool
set_bool(struct config *c, const struct config_option *o, const char *value)
{
	bool *field = field_of(c, o);

	*field = strcmp(value, "yes") == 0;
	return *field || strcmp(value, "no") == 0;
}

static bool
set_level(struct config *c, const struct config_option *o, const char *value)
{
	static const char *const names[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	enum log_level *field = field_of(c, o);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]) == 0) {
			*field = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static bool
add_listen(struct config *c, const char *host, uint16_t port, bool is_default)
{
	struct config_listen *l = &c->listen[c->listen_n];

	if (c->listen_n == CONFIG_LISTEN_MAX ||
	    net_addr_from(&l->addr, host, port) == -1)
		return false;
	l->is_default = is_default;
	l->is_from_file = false;
	c->listen_n++;
	return true;
}

/* The same port in both families, IPv6 only if there is such a thing. Two
 * ports that the kernel picks would not be the same: then IPv4 alone. */
static bool
add_both(struct config *c, const char *v4, const char *v6, uint16_t port)
{
	return add_listen(c, v4, port, false) &&
	       (port == 0 || add_listen(c, v6, port, true));
}

/* The command line goes over the file. */
static void
drop_listen_of_file(struct config *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->listen_n; i++)
		if (!c->listen[i].is_from_file)
			c->listen[kept++] = c->listen[i];
	c->listen_n = kept;
}

static bool
set_listen(struct config *c, const struct config_option *o, const char *value)
{
	char host[NET_HOST_MAX];
	uint16_t port;

	(void)o;
	drop_listen_of_file(c);
	if (net_split(value, host, &port) == -1)
		return false;
	if (host[0] == '\0' || strcasecmp(host, "localhost") == 0)
		return add_both(c, "127.0.0.1", "::1", port);
	if (strcmp(host, "*") == 0)
		return add_both(c, "0.0.0.0", "::", port);
	return add_listen(c, host, port, false);
}

/* True for [HOST:]DIGITS: then it is the number that is wrong. */
static bool
has_port(const char *value)
{
	const char *colon = strrchr(value, ':');
	const char *port = colon == NULL ? value : colon + 1;

	return *port != '\0' && strspn(port, "0123456789") == strlen(port);
}

/* What is wrong with a listener. */
static void
say_listen(const struct config *c, const char *value, char *out, size_t size)
{
	char host[NET_HOST_MAX];
	uint16_t port;

	if (net_split(value, host, &port) == 0 &&
	    c->listen_n == CONFIG_LISTEN_MAX)
		snprintf(out, size, "one too many: there can be at most %d",
		    CONFIG_LISTEN_MAX);
	else if (net_split(value, host, &port) == -1 && value[0] != ':' &&
		 has_port(value))
		snprintf(out, size, "not good: a port is from 0 to 65535");
	else
		snprintf(out, size,
		    "not HOST:PORT, where HOST is an address, localhost or *, "
		    "or PORT alone");
}

/* What is wrong with a value, in words that go on after "is". */
static void
say_wrong(const struct config *c, const struct config_option *o,
    const char *value, char *out, size_t size)
{
	switch (o->type) {
	case CONFIG_STRING:
		snprintf(out, size,
		    "not a DNS name of at most %d bytes, such as "
		    "tunnel.example.com",
		    DOMAIN_MAX);
		break;
	case CONFIG_NUMBER:
		snprintf(out, size, "not a whole number from %u to %u", o->min,
		    o->max);
		break;
	case CONFIG_BOOL:
		snprintf(out, size, "not yes or no");
		break;
	case CONFIG_LEVEL:
		snprintf(out, size, "not error, warn, info or debug");
		break;
	case CONFIG_LIST:
		say_listen(c, value, out, size);
		break;
	}
}

static size_t
min_of(size_t x, size_t y)
{
	return x < y ? x : y;
}

/* How many letters must be put in, taken out or changed to get from one key
 * to the other (Levenshtein). */
static size_t
edit_distance(const char *x, const char *y)
{
	size_t row[KEY_MAX + 1], len = strnlen(y, KEY_MAX);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; x[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= len; j++) {
			size_t swap = diagonal + (x[i] != y[j - 1]);

			diagonal = row[j];
			row[j] = min_of(swap, min_of(row[j], row[j - 1]) + 1);
		}
	}
	return row[len];
}

/* "; do you mean ...?", or nothing if no key is near enough for a slip. */
static void
say_nearest(const char *key, char *out, size_t size)
{
	size_t best = strlen(key) / 3 < 2 ? 2 : strlen(key) / 3;

	out[0] = '\0';
	for (size_t i = 0; i < config_options_n; i++) {
		size_t n = edit_distance(config_options[i].key, key);

		if (n > best)
			continue;
		best = n - (n > 0);
		snprintf(
		    out, size, "; do you mean \"%s\"?", config_options[i].key);
	}
}

static const struct config_option *
find_option(const char *key)
{
	for (size_t i = 0; i < config_options_n; i++)
		if (strcmp(config_options[i].key, key) == 0)
			return &config_options[i];
	return NULL;
}

int
config_set(struct config *c, const char *key, const char *value, char *why,
    size_t why_size)
{
	static set_fn *const setters[] = {
		[CONFIG_STRING] = set_domain,
		[CONFIG_NUMBER] = set_number,
		[CONFIG_BOOL] = set_bool,
		[CONFIG_LIST] = set_listen,
		[CONFIG_LEVEL] = set_level,
	};
	const struct config_option *o = find_option(key);
	char words[128];

	if (o == NULL) {
		say_nearest(key, words, sizeof(words));
		snprintf(why, why_size, "there is no setting \"%.64s\"%s", key,
		    words);
		return -1;
	}
	if (setters[o->type](c, o, value))
		return 0;
	say_wrong(c, o, value, words, sizeof(words));
	snprintf(why, why_size, "%s: \"%.64s\" is %s", key, value, words);
	return -1;
}

struct config *
config_new(void)
{
	struct config *c = log_must_alloc(1, sizeof(*c));
	char why[256];

	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *o = &config_options[i];

		if (o->preset != NULL &&
		    config_set(c, o->key, o->preset, why, sizeof(why)) == -1)
			fatal("%s", why);
	}
	return c;
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	free(c->domain);
	free(c);
}

/* A value as it stands in the file. */
struct config_found {
	int line;
	char text[];
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

/* libconfuse has met something that is no setting, and will end there. It is
 * said in its turn, so it waits in the comment of the first option: libconfuse
 * gives this function nothing else to put it in. */
static void
keep_fault(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[FAULT_MAX], hint[128] = "";
	va_list args;
	int len;

	va_copy(args, ap);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (strncmp(fmt, "no such option", strlen("no such option")) == 0)
		say_nearest(va_arg(ap, const char *), hint, sizeof(hint));
	else if (strncmp(fmt, "premature end", strlen("premature end")) == 0)
		snprintf(hint, sizeof(hint),
		    "; is a quote or a brace left open, or a value missing?");
	if (len >= 0 && (size_t)len < sizeof(text))
		snprintf(text + len, sizeof(text) - (size_t)len, "%s", hint);
	cfg_opt_setcomment(cfg_getnopt(cfg, 0), text);
}

/* A parser for the table. Every value is taken as text, a list or not. */
static cfg_t *
new_parser(const char *path)
{
	cfg_opt_t *opts = log_must_alloc(config_options_n + 1, sizeof(*opts));
	cfg_t *cfg;

	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *o = &config_options[i];
		cfg_flag_t list = o->type == CONFIG_LIST ? CFGF_LIST : 0;

		opts[i] = (cfg_opt_t)CFG_PTR_CB(
		    o->key, NULL, CFGF_NODEFAULT | list, take_value, free);
	}
	opts[config_options_n] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(opts, CFGF_NONE);
	free(opts);
	if (cfg == NULL)
		fatal("out of memory");
	cfg->filename = log_must_strdup(path);
	cfg_set_error_function(cfg, keep_fault);
	return cfg;
}

/* Sets what was found in one line; -1 if any of it is wrong. */
static int
apply_line(struct config *c, cfg_t *cfg, const char *path, int line)
{
	const struct config_found *found;
	char why[256];
	int result = 0;

	for (unsigned i = 0; i < config_options_n; i++) {
		cfg_opt_t *opt = cfg_getnopt(cfg, i);

		for (unsigned j = 0; j < cfg_opt_size(opt); j++) {
			found = cfg_opt_getnptr(opt, j);
			if (found == NULL || found->line != line ||
			    config_set(c, config_options[i].key, found->text,
				why, sizeof(why)) == 0)
				continue;
			/* libconfuse drops a * outside quotes. */
			fprintf(stderr, "%s:%d: %s%s\n", path, line, why,
			    found->text[0] == ':'
				? "; a * has to be in quotes: \"*:80\""
				: "");
			result = -1;
		}
	}
	return result;
}

/* Opens a file; a directory would make libconfuse end the program. */
static FILE *
open_file(const char *path)
{
	FILE *file = fopen(path, "re");
	struct stat st;

	if (file == NULL)
		return NULL;
	if (fstat(fileno(file), &st) == 0 && !S_ISDIR(st.st_mode))
		return file;
	fclose(file);
	errno = EISDIR;
	return NULL;
}

int
config_read(struct config *c, const char *path, bool must_exist)
{
	FILE *file = open_file(path);
	const char *fault;
	int result = 0;
	cfg_t *cfg;

	if (file == NULL) {
		if (errno == ENOENT && !must_exist)
			return 0;
		fprintf(stderr, "ltserver: %s: %s\n", path, strerror(errno));
		return -1;
	}
	cfg = new_parser(path);
	if (cfg_parse_fp(cfg, file) != CFG_SUCCESS)
		result = -1;
	fclose(file);
	if (cfg_size(cfg, "listen") > 0)
		c->listen_n = 0;
	for (int line = 1; line <= cfg->line; line++)
		if (apply_line(c, cfg, path, line) == -1)
			result = -1;
	fault = cfg_opt_getcomment(cfg_getnopt(cfg, 0));
	if (fault != NULL)
		fprintf(stderr, "%s:%d: %s\n", path, cfg->line, fault);
	cfg_free(cfg);
	for (size_t i = 0; i < c->listen_n; i++)
		c->listen[i].is_from_file = true;
	return result;
}

/* One worker a core that we may run on, as far as allowed. */
static unsigned
count_workers(unsigned max)
{
	cpu_set_t set;
	unsigned n;

	/* It fails on a machine with more cores than a cpu_set_t holds. */
	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return max;
	n = (unsigned)CPU_COUNT(&set);
	return n < max ? n : max;
}

/* Refuses an address that is there twice: the second could not be bound. Of
 * port 0 there may be any number, since each is another port. */
static int
check_listen(const struct config *c, char *why, size_t why_size)
{
	char x[NET_TEXT_MAX], y[NET_TEXT_MAX];

	for (size_t i = 0; i < c->listen_n; i++) {
		net_addr_text(&c->listen[i].addr, x);
		for (size_t j = 0; j < i; j++) {
			net_addr_text(&c->listen[j].addr, y);
			if (net_addr_port(&c->listen[i].addr) == 0 ||
			    strcmp(x, y) != 0)
				continue;
			snprintf(why, why_size, "listen: %s is there twice", x);
			return -1;
		}
	}
	return 0;
}

int
config_finish(struct config *c, char *why, size_t why_size)
{
	if (c->workers > c->max_workers) {
		snprintf(why, why_size,
		    "workers (%u) is more than max-workers (%u)", c->workers,
		    c->max_workers);
		return -1;
	}
	if (c->pool_idle > c->pool_idle_max) {
		snprintf(why, why_size,
		    "pool-idle (%u) is more than pool-idle-max (%u)",
		    c->pool_idle, c->pool_idle_max);
		return -1;
	}
	if (c->workers == 0)
		c->workers = count_workers(c->max_workers);
	if (c->listen_n == 0)
		return config_set(c, "listen", DEFAULT_LISTEN, why, why_size);
	return check_listen(c, why, why_size);
}
