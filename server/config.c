/* SPDX-License-Identifier: ISC
 *
 * The settings: one table, one function that sets any of them from text, and
 * two who call it, config_file and the command line. Called by main before
 * there is any other process; what it makes is only read afterwards. It must
 * not open anything, and it never ends the program: it says what is wrong and
 * leaves the rest to main.
 */
#define _GNU_SOURCE

#include "server/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ltp.h"
#include "common/nearest.h"
#include "common/token.h"
#include "server/config_listen.h"
#include "server/config_text.h"
#include "server/registry.h"

#define DAY_S	   86400
#define DOMAIN_MAX 190 /* NAME.DOMAIN must be a DNS name too */
#define WORDS_MAX  160 /* what is wrong with a value */

/* What people, browsers and mail take for something of the operator's. */
#define CONFIG_RESERVED                                                        \
	"www,admin,administrator,root,api,mail,webmail,smtp,imap,pop,"         \
	"pop3,mx,ns,ns1,ns2,ftp,login,account,accounts,auth,sso,security,"     \
	"support,billing,payment,postmaster,hostmaster,webmaster,"             \
	"autoconfig,autodiscover,wpad,isatap,localhost,meta,metrics"

#define FIELD(field) offsetof(struct config, field)

const struct config_option config_options[] = {
	{ "domain", CONFIG_STRING, "localhost", 0, 0,
	    "base domain; tunnels are NAME.DOMAIN", FIELD(domain) },
	{ "listen", CONFIG_LISTEN, NULL, 0, 0,
	    "where to listen: HOST:PORT, or PORT on loopback", FIELD(listen) },
	{ "trusted-proxies", CONFIG_NETWORKS, NULL, 0, 0,
	    "networks of proxies that say who calls", FIELD(trusted_proxies) },
	{ "tls-certificate", CONFIG_PATHS, NULL, 0, 0,
	    "PEM file with a certificate and its chain", FIELD(certificates) },
	{ "tls-key", CONFIG_PATHS, NULL, 0, 0,
	    "PEM file with the key of the certificate in the same place",
	    FIELD(keys) },
	{ "tokens", CONFIG_PATH, NULL, 0, 0,
	    "file of the tokens that clients need, or none", FIELD(tokens) },
	{ "open", CONFIG_BOOL, "no", 0, 0,
	    "let clients in without a token although others can reach us",
	    FIELD(open) },
	{ "reserved-names", CONFIG_PATTERNS, CONFIG_RESERVED, 0, 0,
	    "names that no tunnel gets", FIELD(reserved_names) },
	{ "tunnels-per-minute", CONFIG_NUMBER, "60", 0, 1048576,
	    "new tunnels of one address; 0: any number",
	    FIELD(tunnels_per_minute) },
	{ "failures-per-minute", CONFIG_NUMBER, "30", 0, 1048576,
	    "wrong passwords and tokens of one address; 0: any number",
	    FIELD(failures_per_minute) },
	{ "tunnels-per-address", CONFIG_NUMBER, "256", 0, 1048576,
	    "tunnels that one address may have; 0: any number",
	    FIELD(tunnels_per_address) },
	{ "backend-tls", CONFIG_NEED, "optional", 0, 0,
	    "required: clients in clear are refused",
	    FIELD(backend_tls_required) },
	{ "redirect-to-https", CONFIG_BOOL, "no", 0, 0,
	    "send visitors in clear to the https URL",
	    FIELD(redirect_to_https) },
	{ "handshake-timeout", CONFIG_NUMBER, "10", 1, 3600,
	    "seconds for a TLS handshake", FIELD(handshake_timeout) },
	{ "handshakes", CONFIG_NUMBER, "1024", 1, 1048576,
	    "TLS handshakes in progress in one worker", FIELD(handshakes) },
	{ "handshakes-per-address", CONFIG_NUMBER, "256", 1, 1048576,
	    "the same of one address", FIELD(handshakes_per_address) },
	{ "ticket-rotation", CONFIG_NUMBER, "43200", 1, 2 * DAY_S,
	    "seconds between two keys for session tickets",
	    FIELD(ticket_rotation) },
	{ "workers", CONFIG_NUMBER, "0", 0, CONFIG_WORKERS_MAX,
	    "worker processes; 0: one per core", FIELD(workers) },
	{ "max-workers", CONFIG_NUMBER, "16", 1, CONFIG_WORKERS_MAX,
	    "what workers may become without a restart", FIELD(max_workers) },
	{ "max-tunnels", CONFIG_NUMBER, "16384", 1, 1048576,
	    "tunnels, held names included", FIELD(max_tunnels) },
	{ "sessions", CONFIG_NUMBER, "0", 0, REGISTRY_SEATS_MAX,
	    "sessions of a client for a tunnel; 0: one a worker, 4 at most",
	    FIELD(sessions) },
	{ "pool-idle", CONFIG_NUMBER, "10", 1, 64,
	    "idle proxy connections of a tunnel", FIELD(pool_idle) },
	{ "pool-idle-max", CONFIG_NUMBER, "64", 1, 64,
	    "what a burst may raise pool-idle to", FIELD(pool_idle_max) },
	{ "pool-idle-old", CONFIG_NUMBER, "3", 1, 64,
	    "pool-idle for LTP/0.2 clients", FIELD(pool_idle_old) },
	{ "queue-limit", CONFIG_NUMBER, "2048", 1, 1048576,
	    "visitors who may wait in one session", FIELD(queue_limit) },
	{ "visitors-per-address", CONFIG_NUMBER, "2048", 0, 1048576,
	    "visitors of one address in each worker; 0: any number",
	    FIELD(visitors_per_address) },
	{ "connections-per-tunnel", CONFIG_NUMBER, "0", 0, 1048576,
	    "visitors of one tunnel at once; 0: any number",
	    FIELD(connections_per_tunnel) },
	{ "bandwidth-per-tunnel", CONFIG_RATE, "0", 0, 0,
	    "bytes per second of one tunnel; 0: no limit",
	    FIELD(bandwidth_per_tunnel) },
	{ "max-connections", CONFIG_NUMBER, "0", 0, 1048576,
	    "visitors a worker must have room for; 0: as many as there is",
	    FIELD(max_connections) },
	{ "half-made-per-address", CONFIG_NUMBER, "2048", 1, 1048576,
	    "connections of one address that have not said what they want",
	    FIELD(half_made_per_address) },
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
	{ "stall-timeout", CONFIG_NUMBER, "30", 0, 7 * DAY_S,
	    "seconds a joined peer may acknowledge nothing of what was sent",
	    FIELD(stall_timeout) },
	{ "idle-timeout", CONFIG_NUMBER, "0", 0, 7 * DAY_S,
	    "seconds without a byte that joined connections may have",
	    FIELD(idle_timeout) },
	{ "watchdog", CONFIG_NUMBER, "5", 0, 3600,
	    "seconds after which a worker that stands still is replaced",
	    FIELD(watchdog) },
	{ "forwarded", CONFIG_BOOL, "yes", 0, 0,
	    "set X-Forwarded-* headers in requests", FIELD(forwarded) },
	{ "node-api", CONFIG_AUTO, "auto", 0, 0,
	    "serve the Node.js localtunnel: yes, no, auto: on loopback only",
	    FIELD(node_api) },
	{ "node-ports", CONFIG_PORTS, "20000-29999", 0, 0,
	    "ports of the sessions of Node.js clients", FIELD(node_ports) },
	{ "tcp-ports", CONFIG_PORTS, "30000-39999", 0, 0,
	    "public ports of tunnels of kind tcp", FIELD(tcp_ports) },
	{ "node-any-address", CONFIG_BOOL, "no", 0, 0,
	    "let other addresses than the client's connect to such a port",
	    FIELD(node_any_address) },
	{ "response-timeout", CONFIG_NUMBER, "60", 1, 3600,
	    "seconds a Node.js client may be silent before it answers",
	    FIELD(response_timeout) },
	{ "log-level", CONFIG_LEVEL, "info", 0, 0, "error, warn, info or debug",
	    FIELD(log_level) },
	{ "log", CONFIG_LOG, NULL, 0, 0,
	    "stderr, syslog, or the path of a file", FIELD(log) },
	{ "access-log", CONFIG_ACCESS, "log", 0, 0,
	    "where the lines of visitors go: log, off, or a path",
	    FIELD(access_log) },
	{ "access-log-format", CONFIG_FORM, "text", 0, 0,
	    "form of an access log of its own: text or json",
	    FIELD(access_log_format) },
	{ "metrics", CONFIG_ADDRESS, "off", 0, 0,
	    "where metrics are served: HOST:PORT, PORT on loopback, or off",
	    FIELD(metrics) },
	{ "pid-file", CONFIG_PATH, NULL, 0, 0,
	    "where the daemon leaves its process number, or none",
	    FIELD(pid_file) },
	{ "control-socket", CONFIG_PATH, NULL, 0, 0,
	    "socket for ltctl, or none", FIELD(control_socket) },
	{ "user", CONFIG_NAME, NULL, 0, 0,
	    "whom workers run as if root starts them", FIELD(user) },
	{ "group", CONFIG_NAME, NULL, 0, 0,
	    "their group, if not that of the user", FIELD(group) },
	{ "sandbox", CONFIG_SANDBOX, "yes", 0, 0,
	    "confine workers: yes, no; trap: name what is forbidden",
	    FIELD(sandbox) },
};
const size_t config_options_n =
    sizeof(config_options) / sizeof(config_options[0]);

/* One of the setters below; false if the value is not allowed. What is wrong
 * goes to `words` if that is not the same for all settings of the type. */
typedef bool set_fn(struct config *, const struct config_option *,
    const char *value, char words[WORDS_MAX]);

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

bool
config_domain(const char *text, char out[NET_HOST_MAX])
{
	size_t len = strlen(text);

	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len > DOMAIN_MAX)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return check_labels(out);
}

/* All are of one type: NOLINTBEGIN(readability-non-const-parameter) */

static bool
set_domain(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	char **field = field_of(c, o);
	char domain[NET_HOST_MAX];

	(void)words;
	if (!config_domain(value, domain))
		return false;
	free(*field);
	*field = log_must_strdup(domain);
	return true;
}

static bool
set_number(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	unsigned *field = field_of(c, o);
	unsigned long n;

	(void)words;
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
set_rate(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	uint64_t *field = field_of(c, o);

	(void)words;
	*field = 0;
	return strcmp(value, "0") == 0 || token_rate(value, field);
}

static bool
set_bool(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	bool *field = field_of(c, o);

	(void)words;
	*field = strcmp(value, "yes") == 0;
	return *field || strcmp(value, "no") == 0;
}

static bool
set_auto(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	enum config_node_api *field = field_of(c, o);

	(void)words;
	if (strcmp(value, "auto") == 0)
		*field = CONFIG_NODE_AUTO;
	else if (strcmp(value, "yes") == 0)
		*field = CONFIG_NODE_YES;
	else if (strcmp(value, "no") == 0)
		*field = CONFIG_NODE_NO;
	else
		return false;
	return true;
}

static bool
set_ports(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	(void)words;
	return ports_range(field_of(c, o), value);
}

static bool
set_level(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	static const char *const names[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	enum log_level *field = field_of(c, o);

	(void)words;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]) == 0) {
			*field = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static bool
set_need(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	bool *field = field_of(c, o);

	(void)words;
	*field = strcmp(value, "required") == 0;
	return *field || strcmp(value, "optional") == 0;
}

static bool
set_listen(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	if (c->listen_is_from_file)
		config_drop(c, o);
	return config_listen_add(c, value, words, WORDS_MAX);
}

static bool
set_paths(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	struct config_paths *field = field_of(c, o);

	if (value[0] == '\0')
		return false;
	if (field->is_from_file)
		config_drop(c, o);
	if (field->n == CONFIG_PAIRS_MAX) {
		snprintf(words, WORDS_MAX,
		    "one too many: there can be at most %d", CONFIG_PAIRS_MAX);
		return false;
	}
	field->each[field->n++] = log_must_strdup(value);
	return true;
}

static bool
set_networks(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	struct config_networks *field = field_of(c, o);
	const char *wrong;

	if (field->is_from_file)
		config_drop(c, o);
	if (cidr_list_add(&field->list, value, &wrong))
		return true;
	snprintf(words, WORDS_MAX, "%s", wrong);
	return false;
}

static bool
set_text(struct config *c, const struct config_option *o, const char *value,
    char words[WORDS_MAX])
{
	char **field = field_of(c, o);

	if (!config_text_is_good(o->type, value, words, WORDS_MAX))
		return false;
	free(*field);
	*field = log_must_strdup(value);
	return true;
}

/* NOLINTEND(readability-non-const-parameter) */

void
config_drop(struct config *c, const struct config_option *o)
{
	struct config_paths *paths = field_of(c, o);
	struct config_networks *networks = field_of(c, o);

	if (o->type == CONFIG_LISTEN) {
		c->listen_n = 0;
		c->listen_is_from_file = false;
	} else if (o->type == CONFIG_NETWORKS) {
		networks->list.n = 0;
		networks->is_from_file = false;
	} else if (o->type == CONFIG_PATHS) {
		while (paths->n > 0)
			free(paths->each[--paths->n]);
		paths->is_from_file = false;
	}
}

const struct config_listen *
config_listener(const struct config *c, unsigned slot)
{
	for (size_t i = 0; i < c->listen_n; i++)
		if (c->listen[i].slot == slot)
			return &c->listen[i];
	return &c->listen[0];
}

bool
config_is_shared(const struct config *c, const struct net_addr *addr)
{
	return net_addr_is_loopback(addr) ||
	       cidr_list_has(&c->trusted_proxies.list, addr);
}

void
config_is_from_file(struct config *c, const struct config_option *o)
{
	struct config_paths *paths = field_of(c, o);
	struct config_networks *networks = field_of(c, o);

	if (o->type == CONFIG_LISTEN)
		c->listen_is_from_file = true;
	else if (o->type == CONFIG_NETWORKS)
		networks->is_from_file = true;
	else if (o->type == CONFIG_PATHS)
		paths->is_from_file = true;
}

/* What is wrong with a value, in words that go on after "is". */
static void
say_wrong(const struct config_option *o, char words[WORDS_MAX])
{
	switch (o->type) {
	case CONFIG_STRING:
		snprintf(words, WORDS_MAX,
		    "not a DNS name of at most %d bytes, such as "
		    "tunnel.example.com",
		    DOMAIN_MAX);
		break;
	case CONFIG_NUMBER:
		snprintf(words, WORDS_MAX, "not a whole number from %u to %u",
		    o->min, o->max);
		break;
	case CONFIG_RATE:
		snprintf(words, WORDS_MAX,
		    "not 0, nor a number of bytes per second, such as 500000, "
		    "500k or 2M");
		break;
	case CONFIG_BOOL:
		snprintf(words, WORDS_MAX, "not yes or no");
		break;
	case CONFIG_LEVEL:
		snprintf(words, WORDS_MAX, "not error, warn, info or debug");
		break;
	case CONFIG_AUTO:
		snprintf(words, WORDS_MAX, "not auto, yes or no");
		break;
	case CONFIG_PORTS:
		snprintf(words, WORDS_MAX,
		    "not FIRST-LAST, two ports from 1 to 65535 in order");
		break;
	case CONFIG_NEED:
		snprintf(words, WORDS_MAX, "not optional or required");
		break;
	case CONFIG_PATHS:
		snprintf(words, WORDS_MAX, "not the path of a file");
		break;
	default: /* these say it themselves */
		break;
	}
}

static int
say_unknown(const char *key, char *why, size_t why_size)
{
	struct nearest nearest;
	char hint[64];

	nearest_init(&nearest, key);
	for (size_t i = 0; i < config_options_n; i++)
		nearest_try(&nearest, config_options[i].key);
	snprintf(why, why_size, "there is no setting \"%.64s\"%s", key,
	    nearest_text(&nearest, hint, sizeof(hint)));
	return -1;
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
		[CONFIG_RATE] = set_rate,
		[CONFIG_BOOL] = set_bool,
		[CONFIG_LISTEN] = set_listen,
		[CONFIG_PATHS] = set_paths,
		[CONFIG_NETWORKS] = set_networks,
		[CONFIG_LEVEL] = set_level,
		[CONFIG_NEED] = set_need,
		[CONFIG_AUTO] = set_auto,
		[CONFIG_PORTS] = set_ports,
		[CONFIG_PATH] = set_text,
		[CONFIG_NAME] = set_text,
		[CONFIG_LOG] = set_text,
		[CONFIG_ACCESS] = set_text,
		[CONFIG_FORM] = set_text,
		[CONFIG_SANDBOX] = set_text,
		[CONFIG_ADDRESS] = set_text,
		[CONFIG_PATTERNS] = set_text,
	};
	const struct config_option *o = find_option(key);
	char words[WORDS_MAX] = "";

	if (o == NULL)
		return say_unknown(key, why, why_size);
	if (setters[o->type](c, o, value, words))
		return 0;
	if (words[0] == '\0')
		say_wrong(o, words);
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
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *o = &config_options[i];

		config_drop(c, o);
		if (config_text_is(o->type))
			free(*(char **)field_of(c, o));
	}
	free(c->domain);
	free(c);
}
