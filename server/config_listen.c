/* SPDX-License-Identifier: ISC */
#include "server/config_listen.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/config.h"

#define HTTP_PORT  80
#define HTTPS_PORT 443

const struct config_listen_key config_listen_keys[] = {
	{ "kinds", true, "what may come in: http, ltp, tls" },
	{ "proxy-protocol", false, "yes: proxies say who calls" },
	{ "public", false, "the URL under which the world reaches it" },
};
const size_t config_listen_keys_n =
    sizeof(config_listen_keys) / sizeof(config_listen_keys[0]);

/* One of the listeners there are with the very address and port, or NULL. Of
 * port 0 there may be any number, since each becomes another port. */
static const struct config_listen *
find_same(const struct config *c, const struct net_addr *addr)
{
	char x[NET_TEXT_MAX], y[NET_TEXT_MAX];

	net_addr_text(addr, x);
	for (size_t i = 0; i < c->listen_n && net_addr_port(addr) != 0; i++)
		if (strcmp(net_addr_text(&c->listen[i].addr, y), x) == 0)
			return &c->listen[i];
	return NULL;
}

static bool
is_full(const struct config *c, char *words, size_t size)
{
	if (c->listen_n < CONFIG_LISTEN_MAX)
		return false;
	snprintf(words, size, "one too many: there can be at most %d",
	    CONFIG_LISTEN_MAX);
	return true;
}

/* True for [HOST:]DIGITS: then it is the number that is wrong. */
static bool
has_port(const char *value)
{
	const char *colon = strrchr(value, ':');
	const char *port = colon == NULL ? value : colon + 1;

	return *port != '\0' && strspn(port, "0123456789") == strlen(port);
}

/* What is wrong with an address. */
static void
say_address(const char *value, char *words, size_t size)
{
	if (value[0] != ':' && has_port(value))
		snprintf(words, size, "not good: a port is from 0 to 65535");
	else
		snprintf(words, size,
		    "not HOST:PORT, where HOST is an address, localhost or *, "
		    "or PORT alone");
}

static bool
add_one(struct config *c, const char *host, uint16_t port, bool is_default,
    char *words, size_t size)
{
	char text[NET_TEXT_MAX];
	struct config_listen l = { .is_default = is_default,
		.kinds = CONFIG_KINDS };

	if (net_addr_from(&l.addr, host, port) == -1) {
		say_address(host, words, size);
		return false;
	}
	if (find_same(c, &l.addr) != NULL) {
		snprintf(words, size, "there twice: %s",
		    net_addr_text(&l.addr, text));
		return false;
	}
	if (is_full(c, words, size))
		return false;
	l.slot = (uint16_t)c->listen_n;
	c->listen[c->listen_n++] = l;
	return true;
}

/* The same port in both families, IPv6 only if there is such a thing. Two
 * ports that the kernel picks would not be the same: then IPv4 alone. */
static bool
add_both(struct config *c, const char *v4, const char *v6, uint16_t port,
    char *words, size_t size)
{
	if (!add_one(c, v4, port, false, words, size))
		return false;
	if (port == 0 || add_one(c, v6, port, true, words, size))
		return true;
	c->listen_n--;
	return false;
}

bool
config_listen_add(
    struct config *c, const char *address, char *words, size_t size)
{
	char host[NET_HOST_MAX];
	uint16_t port;

	if (net_split(address, host, &port) == -1) {
		say_address(address, words, size);
		return false;
	}
	if (host[0] == '\0' || strcasecmp(host, "localhost") == 0)
		return add_both(c, "127.0.0.1", "::1", port, words, size);
	if (strcmp(host, "*") == 0)
		return add_both(c, "0.0.0.0", "::", port, words, size);
	return add_one(c, host, port, false, words, size);
}

static bool
add_kind(struct config_listen *l, const char *value, char *words, size_t size)
{
	static const struct {
		const char *word;
		enum config_kinds kind;
	} kinds[] = {
		{ "http", CONFIG_HTTP },
		{ "ltp", CONFIG_LTP },
		{ "tls", CONFIG_TLS },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(value, kinds[i].word) == 0) {
			l->kinds |= kinds[i].kind;
			return true;
		}
	}
	snprintf(words, size, "not http, ltp or tls");
	return false;
}

/* Reads what stands behind the scheme: [HOST][:PORT][/]. */
static bool
read_authority(struct config_public *p, const char *value)
{
	char text[NET_HOST_MAX + 8];
	size_t len = strlen(value);
	char *colon;

	if (len > 0 && value[len - 1] == '/')
		len--;
	if (len >= sizeof(text))
		return false;
	memcpy(text, value, len);
	text[len] = '\0';
	colon = strrchr(text, ':');
	if (colon != NULL) {
		char none[NET_HOST_MAX];

		if (net_split(colon + 1, none, &p->port) == -1 ||
		    none[0] != '\0' || p->port == 0)
			return false;
		*colon = '\0';
	}
	return text[0] == '\0' || config_domain(text, p->host);
}

static bool
set_public(struct config_listen *l, const char *value, char *words, size_t size)
{
	struct config_public p = { .scheme = "http", .port = HTTP_PORT };
	const char *rest = value;

	if (strncasecmp(value, "https://", 8) == 0) {
		p.scheme = "https";
		p.port = HTTPS_PORT;
		rest += 8;
	} else if (strncasecmp(value, "http://", 7) == 0) {
		rest += 7;
	}
	if (rest == value || !read_authority(&p, rest)) {
		snprintf(words, size,
		    "not https://[HOST][:PORT] or http://[HOST][:PORT], where "
		    "HOST is a DNS name");
		return false;
	}
	l->public = p;
	return true;
}

static bool
set_proxy_protocol(
    struct config_listen *l, const char *value, char *words, size_t size)
{
	l->proxy_protocol = strcmp(value, "yes") == 0;
	if (l->proxy_protocol || strcmp(value, "no") == 0)
		return true;
	snprintf(words, size, "not yes or no");
	return false;
}

bool
config_listen_set(struct config_listen *l, const struct config_listen_key *k,
    const char *value, char *words, size_t size)
{
	if (strcmp(k->key, "kinds") == 0)
		return add_kind(l, value, words, size);
	if (strcmp(k->key, "proxy-protocol") == 0)
		return set_proxy_protocol(l, value, words, size);
	return set_public(l, value, words, size);
}
