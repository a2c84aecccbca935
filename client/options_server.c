/* SPDX-License-Identifier: ISC
 *
 * The server, of all who name one. Called by options.
 */
#include "client/options_server.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static bool
bad(char error[OPTIONS_ERROR_MAX], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(error, OPTIONS_ERROR_MAX, fmt, args);
	va_end(args);
	return false;
}

/* The first that names one: the command line, LT_SERVER, the file. */
static const char *
choose(const char *given, const struct config *config)
{
	const char *all[] = { given, getenv("LT_SERVER"), config->server };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] != NULL && all[i][0] != '\0')
			return all[i];
	return NULL;
}

/* Which certificate of the server will do: what the command line says of that
 * wins over the file as a whole. */
static bool
set_trust(struct options *options, const char *ca, bool insecure, char *error)
{
	const struct config *config = &options->config;
	bool is_given = ca != NULL || insecure;

	if (!is_given) {
		ca = config->ca;
		insecure = config->insecure;
	}
	if (is_given && !options->server.is_tls)
		return bad(error, "--ca and --insecure need a server with "
				  "https://");
	if (ca != NULL && insecure)
		return bad(error, "%s contradict each other",
		    is_given ? "--ca and --insecure"
			     : "ca and insecure in the configuration file");
	if (!is_given && ca != NULL && ca[0] != '/')
		return bad(error,
		    "ca = \"%s\" in the configuration file: the path must "
		    "begin with /",
		    ca);
	if (ca != NULL && strlen(ca) >= sizeof(options->ca))
		return bad(error, "--ca: the path is too long");
	strcpy(options->ca, ca != NULL ? ca : "");
	options->insecure = insecure;
	return true;
}

bool
options_server(struct options *options, const char *server, const char *ca,
    bool insecure, char error[OPTIONS_ERROR_MAX])
{
	const char *text = choose(server, &options->config), *why;

	if (text == NULL)
		return bad(error,
		    "no server: name one with --server URL, in LT_SERVER, or "
		    "as server = \"URL\" in the configuration file "
		    "~/.config/localtunnel/ltclient.conf");
	if ((why = url_parse(&options->server, text)) != NULL)
		return bad(error, "server \"%s\": %s", text, why);
	options->token = options->config.token;
	return set_trust(options, ca, insecure, error);
}
