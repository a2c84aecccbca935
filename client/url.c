/* SPDX-License-Identifier: ISC
 *
 * Reads the URL of a tunnel server. Called by options. Pure.
 */
#include "client/url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NOT_A_URL  "it must be http://HOST or https://HOST, or that and :PORT"
#define PORT_HTTP  80
#define PORT_HTTPS 443

/* Reads "HOST", "HOST:PORT", "[IPv6]" or "[IPv6]:PORT". */
static int
parse_authority(struct url *url, char *text)
{
	char *colon = strrchr(text, ':');
	size_t len = strlen(text);

	if (len == 0)
		return -1;
	if (colon != NULL && strchr(colon, ']') == NULL)
		return net_split(text, url->host, &url->port);
	url->port = url->is_tls ? PORT_HTTPS : PORT_HTTP;
	if (text[0] == '[') {
		if (text[len - 1] != ']')
			return -1;
		text[len - 1] = '\0';
		text++;
	}
	if (strlen(text) >= sizeof(url->host))
		return -1;
	strcpy(url->host, text);
	return 0;
}

/* What is in the host goes into a request and into a file name. */
static bool
is_host(char *host)
{
	if (*host == '\0')
		return false;
	for (; *host != '\0'; host++) {
		*host = (char)tolower((unsigned char)*host);
		if (!isalnum((unsigned char)*host) &&
		    strchr(".-_:%", *host) == NULL)
			return false;
	}
	return true;
}

const char *
url_parse(struct url *url, const char *text)
{
	char authority[URL_AUTHORITY_MAX];
	size_t len;
	int n;

	memset(url, 0, sizeof(*url));
	url->is_tls = strncasecmp(text, "https://", 8) == 0;
	if (url->is_tls)
		text += 8;
	else if (strncasecmp(text, "http://", 7) == 0)
		text += 7;
	len = strcspn(text, "/");
	if (len >= sizeof(authority) || text[len + strspn(text + len, "/")])
		return NOT_A_URL;
	memcpy(authority, text, len);
	authority[len] = '\0';
	if (parse_authority(url, authority) == -1 || url->port == 0 ||
	    !is_host(url->host))
		return NOT_A_URL;
	n = snprintf(url->authority, sizeof(url->authority),
	    strchr(url->host, ':') != NULL ? "[%s]" : "%s", url->host);
	if (url->port != (url->is_tls ? PORT_HTTPS : PORT_HTTP))
		snprintf(url->authority + n, sizeof(url->authority) - (size_t)n,
		    ":%u", (unsigned)url->port);
	return NULL;
}
