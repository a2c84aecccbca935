/* SPDX-License-Identifier: ISC
 *
 * Which server is meant, and how it is checked: by the command line, LT_SERVER
 * or the configuration file.
 */
#ifndef LT_CLIENT_OPTIONS_SERVER_H
#define LT_CLIENT_OPTIONS_SERVER_H

#include <stdbool.h>

#include "client/options.h"

/* What the command line says of it; NULL, false: nothing. */
struct options_server {
	const char *server;
	const char *ca;
	bool insecure;
	const char *token;
	char *proxy;
};

/* Sets it, and the way to it, from what the command line says, from the
 * environment and from the file, which have been read. What is secret is
 * copied, and wiped out of the command line. False: `error` says what is wrong.
 */
bool options_server(struct options *, const struct options_server *given,
    char error[OPTIONS_ERROR_MAX]);

#endif
