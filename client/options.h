/* SPDX-License-Identifier: ISC
 *
 * The command line, and what it asks for.
 */
#ifndef LT_CLIENT_OPTIONS_H
#define LT_CLIENT_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/config.h"
#include "client/display.h"
#include "client/gate.h"
#include "client/target.h"
#include "client/url.h"
#include "client/way.h"
#include "common/ltp.h"

#define OPTIONS_TOKEN_MAX 250 /* fits into a login */

/* What is asked for one tunnel. */
struct tunnel_options {
	struct target target;
	const char *local_ca; /* the same for the local service; NULL */
	bool allow_invalid_cert;
	const char *local_cert; /* shown if it asks; NULL */
	const char *local_key;
	char name[LTP_NAME_MAX + 1];	 /* -s; "" if none was asked for */
	char domain[LTP_DOMAIN_MAX + 1]; /* custom host name; "": none */
	const char *group;		 /* who may share it; NULL: nobody */
	const char *kind;		 /* "tls", "tcp"; NULL: http. Static */
	uint16_t remote_port;		 /* that is asked for; 0: any */
	struct gate gate;
	int proxy_protocol; /* version of the header for the local
			       service; 0: none */
	bool fallback;	    /* another name will do */
	bool print_requests;
	char host_header[TARGET_TEXT_MAX]; /* what Host becomes; "": as it is */
	struct display display; /* that of all, and which tunnel it is */
};

struct options {
	struct url server;
	char ca[PATH_MAX];  /* whom to trust about the server; "": the system's
			       roots */
	bool insecure;	    /* any certificate of the server will do */
	struct way way;	    /* out to the server */
	unsigned processes; /* of the client, at most */
	bool no_reconnect;
	bool open; /* the URLs, in a browser */
	/* Shown to the server, and to nobody else: the token, and what HTTP has
	 * in its place; "" if there is none. */
	char token[OPTIONS_TOKEN_MAX + 1];
	char login[WAY_LOGIN_MAX + 1]; /* user:password */
	struct display display;
	struct tunnel_options *tunnels; /* one or more */
	size_t tunnels_n;
	struct config config; /* what texts may belong to */
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DIAGNOSE, /* of a server: there are no tunnels */
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_BAD,
};

#define OPTIONS_ERROR_MAX 512

/* Reads the command line, which texts may point into from then on, the
 * environment and the configuration files, and wipes passwords out of the
 * command line. Called as lt, that is one which lt_read() has made, and no file
 * is read. OPTIONS_BAD: `error` says why. In any case options_fini() it. */
enum options_result options_read(
    struct options *, int argc, char **argv, char error[OPTIONS_ERROR_MAX]);

/* The token, or NULL. */
static inline const char *
options_token(const struct options *options)
{
	return options->token[0] != '\0' ? options->token : NULL;
}

void options_fini(struct options *);

/* Writes what --help says. */
void options_help(FILE *);

#endif
