/* SPDX-License-Identifier: ISC
 *
 * Which server is meant, and how it is checked: by the command line, LT_SERVER
 * or the configuration file.
 */
#ifndef LT_CLIENT_OPTIONS_SERVER_H
#define LT_CLIENT_OPTIONS_SERVER_H

#include <stdbool.h>

#include "client/options.h"

/* Sets it from what the command line says (NULL, false: nothing) and from the
 * configuration, which has been read. False: `error` says what is wrong. */
bool options_server(struct options *, const char *server, const char *ca,
    bool insecure, char error[OPTIONS_ERROR_MAX]);

#endif
