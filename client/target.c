/* SPDX-License-Identifier: ISC
 *
 * Reads and writes TARGET. Called by options (from the command line), by
 * local (for messages) and by request (for the Host header). Pure.
 */
#include "client/target.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/url.h"

#define NOT_A_TARGET                                                           \
	"it must be PORT, HOST:PORT, http://HOST:PORT, https://HOST:PORT or "  \
	"unix:/PATH"
#define HOST_CHARS                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"    \
	":%"

static const char *
parse_unix(struct target *target, const char *path)
{
	if (path[0] != '/')
		return "unix: needs an absolute path, as in unix:/run/app.sock";
	if (strlen(path) >= sizeof(target->path))
		return "the path of the Unix socket is too long";
	strcpy(target->path, path);
	return NULL;
}

static const char *
parse_url(struct target *target, const char *text)
{
	struct url url;

	if (url_parse(&url, text) != NULL)
		return NOT_A_TARGET;
	strcpy(target->host, url.host);
	target->port = url.port;
	target->is_tls = url.is_tls;
	return NULL;
}

const char *
target_parse(struct target *target, const char *text)
{
	memset(target, 0, sizeof(*target));
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(target, text + 5);
	if (strncasecmp(text, "http://", 7) == 0 ||
	    strncasecmp(text, "https://", 8) == 0)
		return parse_url(target, text);
	if (net_split(text, target->host, &target->port) == -1 ||
	    target->port == 0 ||
	    target->host[strspn(target->host, HOST_CHARS)] != '\0')
		return NOT_A_TARGET;
	if (target->host[0] == '\0')
		strcpy(target->host, "localhost");
	return NULL;
}

static const char *
host_and_port(const struct target *target, const char *before, bool with_port,
    char out[TARGET_TEXT_MAX])
{
	bool is_v6 = strchr(target->host, ':') != NULL;
	int n = snprintf(out, TARGET_TEXT_MAX, is_v6 ? "%s[%s]" : "%s%s",
	    before, target->host);

	if (with_port)
		snprintf(out + n, TARGET_TEXT_MAX - (size_t)n, ":%u",
		    (unsigned)target->port);
	return out;
}

const char *
target_text(const struct target *target, char out[TARGET_TEXT_MAX])
{
	if (target->path[0] == '\0')
		return host_and_port(
		    target, target->is_tls ? "https://" : "", true, out);
	snprintf(out, TARGET_TEXT_MAX, "unix:%s", target->path);
	return out;
}

const char *
target_host(const struct target *target, char out[TARGET_TEXT_MAX])
{
	if (target->path[0] == '\0')
		return host_and_port(target, "",
		    target->port != (target->is_tls ? 443 : 80), out);
	strcpy(out, "localhost");
	return out;
}
