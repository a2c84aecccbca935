/* SPDX-License-Identifier: ISC
 *
 * The settings of ltserver. One table (config_options) says for each its
 * name, type, range, default and meaning; the configuration file, -o and the
 * command line's own options all come from it, and tests compare it with the
 * manual and etc/ltserver.conf.
 *
 * The configuration file is read by config_file.
 */
#ifndef LT_SERVER_CONFIG_H
#define LT_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cidr.h"
#include "common/log.h"
#include "common/net.h"
#include "server/ports.h"

#define CONFIG_LISTEN_MAX  16
#define CONFIG_SLOTS_MAX   (2 * CONFIG_LISTEN_MAX) /* see config_listen */
#define CONFIG_PAIRS_MAX   64
#define CONFIG_WORKERS_MAX 64

/* What the first bytes of a connection may be. */
enum config_kinds {
	CONFIG_HTTP = 1, /* a request in clear */
	CONFIG_LTP = 2,	 /* a client in clear */
	CONFIG_TLS = 4,	 /* TLS, of visitors and of clients */
	CONFIG_KINDS = CONFIG_HTTP | CONFIG_LTP | CONFIG_TLS,
};

/* A URL as the world knows it. */
struct config_public {
	const char *scheme;	 /* "http", "https"; NULL: nothing is said */
	char host[NET_HOST_MAX]; /* "": the base domain */
	uint16_t port;
};

/* Processes speak of a listener by its slot, which is its own for as long as it
 * is open, however often the settings are read again; so there are more of them
 * than listeners. */
struct config_listen {
	struct net_addr addr;
	uint16_t slot;	 /* at first the place in the list */
	uint16_t port;	 /* it is bound to; 0: not yet */
	bool is_default; /* not asked for: may fail if the family is absent */
	unsigned kinds;	 /* of enum config_kinds */
	struct config_public public;
	bool proxy_protocol; /* each connection begins with a PROXY header */
};

/* Owned texts. */
struct config_paths {
	char *each[CONFIG_PAIRS_MAX];
	size_t n;
	bool is_from_file; /* the command line goes over them */
};

struct config_networks {
	struct cidr_list list;
	bool is_from_file; /* likewise */
};

/* Whether the HTTP API of the Node.js localtunnel is served. */
enum config_node_api {
	CONFIG_NODE_AUTO, /* only before config_finish(): yes while every
			     listener is on loopback */
	CONFIG_NODE_YES,
	CONFIG_NODE_NO,
};

struct config {
	char *domain; /* base domain, lower case, a DNS name */
	struct config_listen listen[CONFIG_LISTEN_MAX];
	size_t listen_n;
	bool listen_is_from_file;	  /* the command line goes over it */
	struct config_paths certificates; /* each with the key of its index */
	struct config_paths keys;
	struct config_networks trusted_proxies;
	char *tokens;	      /* the file of them; "none"; never NULL after
				 config_finish() */
	char *reserved_names; /* patterns of names that nobody gets; "none" */
	unsigned tunnels_per_minute;  /* new ones of one address; 0: any */
	unsigned failures_per_minute; /* wrong passwords and tokens of one */
	unsigned tunnels_per_address; /* 0: any number */
	bool open; /* without tokens, and the world can reach us */
	bool backend_tls_required; /* clients in clear are refused */
	bool redirect_to_https;	   /* visitors in clear are */
	unsigned workers;	   /* never 0 after config_finish() */
	unsigned max_workers; /* what `workers` may become without a restart */
	unsigned max_tunnels;
	unsigned sessions;	/* of a client for a tunnel; never 0 after
				     config_finish() */
	unsigned pool_idle;	/* idle proxy connections of a tunnel */
	unsigned pool_idle_max; /* what a burst may raise that to */
	unsigned pool_idle_old; /* the same for LTP/0.2 clients */
	unsigned queue_limit;	/* visitors waiting in one tunnel */
	unsigned visitors_per_address;	 /* in a worker; 0: any number */
	unsigned connections_per_tunnel; /* visitors of it; likewise */
	uint64_t bandwidth_per_tunnel;	 /* bytes/s; 0: no limit */
	unsigned max_connections; /* of visitors, in a worker; 0: see help */
	unsigned half_made_per_address;
	unsigned head_timeout;		 /* s, head or hello */
	unsigned queue_timeout;		 /* s, wait for a proxy connection */
	unsigned grace;			 /* s, clients that know ext */
	unsigned grace_old;		 /* s, LTP/0.2 clients */
	unsigned heartbeat;		 /* s */
	unsigned drain;			 /* s, joined connections at SIGTERM */
	unsigned handshake_timeout;	 /* s, from the ClientHello */
	unsigned handshakes;		 /* TLS, in progress in a worker */
	unsigned handshakes_per_address; /* the same of one address */
	unsigned ticket_rotation;	 /* s, between two ticket keys */
	unsigned watchdog;		 /* s without a pulse; 0: none */
	bool forwarded;			 /* set X-Forwarded-* headers */
	unsigned stall_timeout;		 /* s, joined: no ACK; 0: none */
	unsigned idle_timeout;		 /* s, joined: no byte; 0: none */
	unsigned response_timeout;	 /* s, first byte of an answer; node */
	enum config_node_api node_api;
	struct ports_range node_ports; /* of the sessions of node clients */
	struct ports_range tcp_ports;  /* of tunnels of kind tcp */
	bool node_any_address; /* others than who registered may connect */
	enum log_level log_level;
	char *log; /* never NULL after config_finish() */
	char *access_log;
	char *access_log_format;
	char *metrics;	      /* an address, see config_text_address() */
	char *pid_file;	      /* "none"; never NULL after config_finish() */
	char *control_socket; /* the same */
	char *user;	      /* of the workers, if root starts them; or NULL */
	char *group;	      /* the same; NULL: that user's */
	char *sandbox;	      /* see config_text.h */

	/* From the command line only. */
	bool foreground;
};

enum config_type {
	CONFIG_STRING,
	CONFIG_NUMBER,
	CONFIG_RATE,	 /* bytes/s, such as 500k; 0 */
	CONFIG_BOOL,	 /* yes, no */
	CONFIG_LISTEN,	 /* may be given more than once */
	CONFIG_PATHS,	 /* the same */
	CONFIG_NETWORKS, /* the same */
	CONFIG_LEVEL,	 /* error, warn, info, debug */
	CONFIG_NEED,	 /* optional, required */
	CONFIG_AUTO,	 /* auto, yes, no */
	CONFIG_PORTS,	 /* FIRST-LAST */
	CONFIG_PATH,	 /* absolute, or none; see config_text.h */
	CONFIG_NAME,	 /* of a user or group */
	CONFIG_LOG,	 /* stderr, syslog, syslog:PATH, or a path */
	CONFIG_ACCESS,	 /* log, off, or a path */
	CONFIG_FORM,	 /* text, json */
	CONFIG_SANDBOX,	 /* yes, no, trap */
	CONFIG_ADDRESS,	 /* HOST:PORT, PORT on loopback, or off */
	CONFIG_PATTERNS, /* NAME,NAME-*, or none */
};

struct config_option {
	const char *key;
	enum config_type type;
	const char *preset; /* default as text; NULL: see help */
	unsigned min, max;  /* of a number */
	const char *help;   /* one line */
	size_t offset;	    /* of the field in struct config */
};

extern const struct config_option config_options[];
extern const size_t config_options_n;

/* A configuration with every default set. Never NULL. */
struct config *config_new(void);
void config_free(struct config *);

/* Sets one option from text, as -o KEY=VALUE does; a list grows by it, after
 * what the file said for it was dropped. 0, or -1 with a sentence in `why`
 * that names the key, the value and what is allowed; an unknown key names one
 * that is near enough for a slip. */
int config_set(struct config *, const char *key, const char *value, char *why,
    size_t why_size);

/* For config_file, about a setting that is a list: empties it before the file
 * says what is in it; and says that what is in it is from a file, so that the
 * command line goes over it. */
void config_drop(struct config *, const struct config_option *);
void config_is_from_file(struct config *, const struct config_option *);

/* The listener of a slot. One that is not there any more is taken for the
 * first: connections outlive it. */
const struct config_listen *config_listener(
    const struct config *, unsigned slot);

/* True if many may call from that address: it is a trusted proxy's, or of this
 * machine, where proxies in front call from. */
bool config_is_shared(const struct config *, const struct net_addr *);

/* A DNS name, as a base domain must be: lower case and without a dot at the
 * end in `out`. False if it is none. */
bool config_domain(const char *text, char out[NET_HOST_MAX]);

/* Fills in what depends on the machine or on other settings (workers,
 * default listeners) and checks the whole, but opens nothing. 0, or -1 with
 * `why`. */
int config_finish(struct config *, char *why, size_t why_size);

#endif
