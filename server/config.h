/* SPDX-License-Identifier: ISC
 *
 * The settings of ltserver. One table (config_options) says for each its
 * name, type, range, default and meaning; the configuration file, -o and the
 * command line's own options all come from it, and tests compare it with the
 * manual and etc/ltserver.conf.
 *
 * The configuration file is read with libconfuse: key = value lines,
 * # comments, lists in braces.
 */
#ifndef LT_SERVER_CONFIG_H
#define LT_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "common/log.h"
#include "common/net.h"

#define CONFIG_LISTEN_MAX  16
#define CONFIG_WORKERS_MAX 64

struct config_listen {
	struct net_addr addr;
	bool is_default;   /* not asked for: may fail if the family is absent */
	bool is_from_file; /* the command line goes over it */
};

struct config {
	char *domain; /* base domain, lower case, a DNS name */
	struct config_listen listen[CONFIG_LISTEN_MAX];
	size_t listen_n;
	unsigned workers;     /* never 0 after config_finish() */
	unsigned max_workers; /* what `workers` may become without a restart */
	unsigned max_tunnels;
	unsigned pool_idle;	/* idle proxy connections of a tunnel */
	unsigned pool_idle_max; /* what a burst may raise that to */
	unsigned pool_idle_old; /* the same for LTP/0.2 clients */
	unsigned queue_limit;	/* visitors waiting in one tunnel */
	unsigned head_timeout;	/* s, head or hello */
	unsigned queue_timeout; /* s, wait for a proxy connection */
	unsigned grace;		/* s, clients that know ext */
	unsigned grace_old;	/* s, LTP/0.2 clients */
	unsigned heartbeat;	/* s */
	unsigned drain;		/* s, joined connections at SIGTERM */
	bool forwarded;		/* set X-Forwarded-* headers */
	enum log_level log_level;

	/* From the command line only. */
	bool foreground;
};

enum config_type {
	CONFIG_STRING,
	CONFIG_NUMBER,
	CONFIG_BOOL,  /* yes, no */
	CONFIG_LIST,  /* may be given more than once */
	CONFIG_LEVEL, /* error, warn, info, debug */
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

/*
 * Reads a file. 0; -1 with what is wrong in it on standard error, a line
 * each and in their order, "FILE:LINE: ...": every wrong value, and the first
 * place that is no setting at all, where reading ends. A file that is absent is
 * an error only if `must_exist`. What was set before stays unless the file sets
 * it again; so the file is read first, then the command line.
 */
int config_read(struct config *, const char *path, bool must_exist);

/* Fills in what depends on the machine or on other settings (workers,
 * default listeners) and checks the whole. 0, or -1 with `why`. */
int config_finish(struct config *, char *why, size_t why_size);

#endif
