/* SPDX-License-Identifier: ISC
 *
 * What is asked for one tunnel, as it stands on the command line or in its
 * section of the configuration file, and what that means.
 */
#ifndef LT_CLIENT_OPTIONS_TUNNEL_H
#define LT_CLIENT_OPTIONS_TUNNEL_H

#include <stdbool.h>

#include "client/options.h"

/* NULL or false: not given. Borrowed by what is made from it. */
struct options_given {
	const char *kind;
	const char *name;
	const char *group;
	const char *domain;
	const char *remote_port;
	const char *target;
	const char *local_host;
	const char *host_header;
	const char *local_ca;
	const char *local_cert;
	const char *local_key;
	const char *proxy_protocol;
	const char *auth;  /* the last of those; all are in the gate of the */
	const char *allow; /* tunnel_options */
	const char *deny;
	bool local_https;
	bool allow_invalid_cert;
	bool fallback;
	bool print_requests;
};

/* Understands what was given, once all is there. False: `error` says what is
 * wrong with it. The display is left alone. */
bool options_tunnel(struct tunnel_options *, const struct options_given *,
    char error[OPTIONS_ERROR_MAX]);

#endif
