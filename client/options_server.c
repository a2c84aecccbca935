/* SPDX-License-Identifier: ISC
 *
 * The server, of all who name one. Called by options.
 */
#include "client/options_server.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/net.h"

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

/* Everybody on the machine can read the command line. */
static void
wipe(const char *text, size_t len)
{
	memset((char *)(uintptr_t)text, '*', len);
}

/* Reads a URL of a server, which may have a login before its host: that is
 * copied, and wiped. NULL, or what is wrong with it. */
static const char *
take_url(struct url *url, const char *text, char login[WAY_LOGIN_MAX + 1])
{
	char bare[OPTIONS_ERROR_MAX];
	const char *host = strstr(text, "://");
	const char *at;
	bool is_good;

	host = host == NULL ? text : host + 3;
	login[0] = '\0';
	at = memchr(host, '@', strcspn(host, "/"));
	if (at == NULL)
		return url_parse(url, text);
	is_good = way_login(login, host, (size_t)(at - host)) &&
		  snprintf(bare, sizeof(bare), "%.*s%s", (int)(host - text),
		      text, at + 1) < (int)sizeof(bare);
	wipe(host, (size_t)(at - host));
	return is_good ? url_parse(url, bare)
		       : "what stands before @ must be USER:TOKEN";
}

/* What is in the file is for the server of the file, if that names one. */
static const char *
token_of_file(const struct options *options)
{
	const struct config *config = &options->config;
	char login[WAY_LOGIN_MAX + 1];
	struct url url;

	if (config->server == NULL)
		return config->token;
	if (take_url(&url, config->server, login) == NULL &&
	    url.is_tls == options->server.is_tls &&
	    strcmp(url.authority, options->server.authority) == 0)
		return config->token;
	return NULL;
}

/* The first that names one: the command line, the URL, LT_TOKEN, the file. */
static bool
set_token(struct options *options, const char *given, char *error)
{
	const char *colon = strchr(options->login, ':');
	const char *all[] = { given, colon == NULL ? NULL : colon + 1,
		getenv("LT_TOKEN"), token_of_file(options) };
	const char *token = "";

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] != NULL && all[i][0] != '\0') {
			token = all[i];
			break;
		}
	if (strlen(token) > OPTIONS_TOKEN_MAX)
		return bad(error, "the token is too long");
	strcpy(options->token, token);
	if (given != NULL)
		wipe(given, strlen(given));
	if (token[0] != '\0' && options->login[0] == '\0')
		snprintf(options->login, sizeof(options->login), "lt:%s",
		    options->token);
	return true;
}

/* True if what is sent to the server can be read by nobody else. */
static bool
is_private(const struct url *server)
{
	const char *host = server->host;
	size_t len = strlen(host), end = strlen(".localhost");
	struct net_addr addr;

	return server->is_tls || strcmp(host, "localhost") == 0 ||
	       (len > end && strcmp(host + len - end, ".localhost") == 0) ||
	       (net_addr_from(&addr, host, 0) == 0 &&
		   net_addr_is_loopback(&addr));
}

/* The way out: what the command line says of that wins over the environment,
 * exceptions and all. */
static bool
set_way(struct options *options, char *proxy, char *error)
{
	char why[WAY_WHY_MAX];
	const char *wrong;

	if (proxy == NULL)
		return way_environment(&options->way, &options->server, why) ||
		       bad(error, "%s", why);
	wrong = way_take(&options->way, proxy);
	return wrong == NULL || bad(error, "--proxy: %s", wrong);
}

bool
options_server(struct options *options, const struct options_server *given,
    char error[OPTIONS_ERROR_MAX])
{
	const char *text = choose(given->server, &options->config), *why;

	if (text == NULL)
		return bad(error,
		    "no server: name one with --server URL, in LT_SERVER, or "
		    "as server = \"URL\" in the configuration file "
		    "~/.config/localtunnel/ltclient.conf");
	if ((why = take_url(&options->server, text, options->login)) != NULL)
		return bad(error, "server \"%s\": %s", text, why);
	if (!set_token(options, given->token, error))
		return false;
	if (options->token[0] != '\0' && !is_private(&options->server))
		return bad(error,
		    "a token is not sent in clear to %s: use https://%s, or a "
		    "tunnel of your own (ssh -L) and http://localhost",
		    options->server.host, options->server.host);
	return set_trust(options, given->ca, given->insecure, error) &&
	       set_way(options, given->proxy, error);
}
