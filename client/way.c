/* SPDX-License-Identifier: ISC
 *
 * Finds out whether there is a proxy between here and the server. Called by
 * options; dial goes the way. It never shows a password.
 */
#include "client/way.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/resolve.h"
#include "common/cidr.h"

#define NOT_A_PROXY                                                            \
	"it must be http://HOST:PORT, with USER:PASSWORD@ before HOST if the " \
	"proxy asks for that"
#define SECURE_PROXY                                                           \
	"a proxy is spoken to in clear: say http:// in place of its https://"
#define SOCKS_PROXY "it has to be an HTTP proxy; SOCKS is not understood"
#define BAD_LOGIN                                                              \
	"what stands before @ must be USER:PASSWORD, 255 bytes at most, with " \
	"%XX for what has a meaning in URLs"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes %XX out of `len` bytes; false if one is none, or stands for a control
 * character, or it is too long. */
static bool
decode(char out[WAY_LOGIN_MAX + 1], const char *at, size_t len)
{
	size_t n = 0;
	int c;

	while (len > 0 && n < WAY_LOGIN_MAX) {
		c = (unsigned char)*at;
		if (c == '%') {
			if (len < 3 || hex(at[1]) == -1 || hex(at[2]) == -1)
				return false;
			c = hex(at[1]) * 16 + hex(at[2]);
			at += 2;
			len -= 2;
		}
		if (c < 0x20 || c == 0x7f)
			return false;
		out[n++] = (char)c;
		at++;
		len--;
	}
	out[n] = '\0';
	return len == 0;
}

/* The user name goes up to the first colon, and must not have one itself. */
bool
way_login(char out[WAY_LOGIN_MAX + 1], const char *at, size_t len)
{
	return memchr(at, ':', len) != NULL && at[0] != ':' &&
	       decode(out, at, len);
}

static bool
take_login(struct way *way, const char *at, size_t len)
{
	char login[WAY_LOGIN_MAX + 1];
	bool is_good = way_login(login, at, len);

	if (is_good)
		EVP_EncodeBlock((uint8_t *)way->login, (const uint8_t *)login,
		    (int)strlen(login));
	explicit_bzero(login, sizeof(login));
	return is_good;
}

const char *
way_parse(struct way *way, const char *text)
{
	const char *at;
	struct url url;

	memset(way, 0, sizeof(*way));
	if (strncasecmp(text, "https://", 8) == 0)
		return SECURE_PROXY;
	if (strncasecmp(text, "socks", 5) == 0 && strstr(text, "://") != NULL)
		return SOCKS_PROXY;
	if (strncasecmp(text, "http://", 7) == 0)
		text += 7;
	at = strrchr(text, '@');
	if (at != NULL && !take_login(way, text, (size_t)(at - text)))
		return BAD_LOGIN;
	if (at != NULL)
		text = at + 1;
	if (strstr(text, "://") != NULL || url_parse(&url, text) != NULL)
		return NOT_A_PROXY;
	strcpy(way->host, url.host);
	way->port = url.port;
	snprintf(way->authority, sizeof(way->authority),
	    strchr(url.host, ':') != NULL ? "[%s]:%u" : "%s:%u", url.host,
	    (unsigned)url.port);
	return NULL;
}

const char *
way_take(struct way *way, char *url)
{
	const char *wrong = NULL;
	char *at = strrchr(url, '@');

	memset(way, 0, sizeof(*way));
	if (url[0] != '\0')
		wrong = way_parse(way, url);
	if (at != NULL)
		memset(url, '*', (size_t)(at - url));
	return wrong;
}

/* Splits off the :PORT of an entry; 0: none. An IPv6 address stands in
 * brackets then. */
static uint16_t
split_port(char *entry)
{
	char *colon = strrchr(entry, ':'), *end;
	unsigned long port;

	if (colon == NULL || (strchr(entry, ':') != colon && colon[-1] != ']'))
		return 0;
	port = strtoul(colon + 1, &end, 10);
	if (end == colon + 1 || *end != '\0' || port > UINT16_MAX)
		return 0;
	*colon = '\0';
	return (uint16_t)port;
}

static bool
is_below(const char *host, size_t len, const char *domain)
{
	size_t domain_len;

	while (*domain == '.' || *domain == '*')
		domain++;
	domain_len = strlen(domain);
	if (domain_len > 0 && domain[domain_len - 1] == '.')
		domain_len--;
	if (domain_len == 0 || len < domain_len ||
	    strncasecmp(host + len - domain_len, domain, domain_len) != 0)
		return false;
	return len == domain_len || host[len - domain_len - 1] == '.';
}

static bool
entry_has(char *entry, const char *host, uint16_t port)
{
	uint16_t entry_port;
	struct net_addr addr;
	struct cidr network;
	const char *why;
	size_t len = strlen(host);

	if (strcmp(entry, "*") == 0)
		return true;
	entry_port = split_port(entry);
	if (entry_port != 0 && entry_port != port)
		return false;
	if (entry[0] == '[') {
		entry[strcspn(entry, "]")] = '\0';
		entry++;
	}
	if (net_addr_from(&addr, host, port) == 0)
		return cidr_parse(&network, entry, &why) &&
		       cidr_has(&network, &addr);
	if (len > 0 && host[len - 1] == '.')
		len--;
	return is_below(host, len, entry);
}

bool
way_is_excepted(const char *list, const char *host, uint16_t port)
{
	char entry[NET_HOST_MAX + 16];
	size_t len;

	for (; *list != '\0'; list += len) {
		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (len == 0 || len >= sizeof(entry))
			continue;
		memcpy(entry, list, len);
		entry[len] = '\0';
		if (entry_has(entry, host, port))
			return true;
	}
	return false;
}

/* The first of these variables that says anything. */
static const char *
look(const char *lower, const char *upper, const char **name)
{
	const char *value = getenv(lower);

	*name = lower;
	if ((value == NULL || value[0] == '\0') && upper != NULL) {
		value = getenv(upper);
		*name = upper;
	}
	return value != NULL ? value : "";
}

static bool
is_this_machine(const struct url *server)
{
	struct net_addr addrs[RESOLVE_MAX];

	return resolve_now(server->host, server->port, addrs) > 0 &&
	       net_addr_is_loopback(&addrs[0]);
}

/* HTTP_PROXY is left aside, as everybody does: where a web server runs us it
 * may be a header of whoever asks. */
bool
way_environment(
    struct way *way, const struct url *server, char why[WAY_WHY_MAX])
{
	const char *name, *wrong, *url, *list;

	memset(way, 0, sizeof(*way));
	list = look("no_proxy", "NO_PROXY", &name);
	if (server->is_tls)
		url = look("https_proxy", "HTTPS_PROXY", &name);
	else
		url = look("http_proxy", NULL, &name);
	if (url[0] == '\0' || is_this_machine(server) ||
	    way_is_excepted(list, server->host, server->port))
		return true;
	wrong = way_parse(way, url);
	if (wrong != NULL)
		snprintf(why, WAY_WHY_MAX, "%s: %s", name, wrong);
	return wrong == NULL;
}
