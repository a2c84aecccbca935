/* SPDX-License-Identifier: ISC */
#include "server/config_show.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#include "server/config_text.h"

#define URL_MAX (NET_HOST_MAX + 32)

/* The list if it has all its values, or NULL: without memory it has not. */
static json_t *
whole(json_t *list, size_t n)
{
	if (json_array_size(list) == n)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *
show_kinds(unsigned kinds)
{
	json_t *list = json_array();

	if (kinds & CONFIG_HTTP)
		json_array_append_new(list, json_string("http"));
	if (kinds & CONFIG_LTP)
		json_array_append_new(list, json_string("ltp"));
	if (kinds & CONFIG_TLS)
		json_array_append_new(list, json_string("tls"));
	return whole(list, (size_t)__builtin_popcount(kinds & CONFIG_KINDS));
}

/* {"address": ..., "kinds": [...], "proxy-protocol": ..., "public": ...}; the
 * last only if set. */
static json_t *
show_listener(const struct config_listen *l)
{
	const struct config_public *p = &l->public;
	char address[NET_TEXT_MAX], url[URL_MAX];
	json_t *shown = json_pack("{s:s, s:o, s:s}", "address",
	    net_addr_text(&l->addr, address), "kinds", show_kinds(l->kinds),
	    "proxy-protocol", l->proxy_protocol ? "yes" : "no");

	if (p->scheme == NULL)
		return shown;
	snprintf(url, sizeof(url), "%s://%s:%u", p->scheme, p->host,
	    (unsigned)p->port);
	if (json_object_set_new(shown, "public", json_string(url)) == 0)
		return shown;
	json_decref(shown);
	return NULL;
}

static json_t *
show_listeners(const struct config *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->listen_n; i++)
		json_array_append_new(list, show_listener(&c->listen[i]));
	return whole(list, c->listen_n);
}

static json_t *
show_paths(const struct config_paths *paths)
{
	json_t *list = json_array();

	for (size_t i = 0; i < paths->n; i++)
		json_array_append_new(list, json_string(paths->each[i]));
	return whole(list, paths->n);
}

static json_t *
show_network(const struct cidr *c)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(
	    c->is_v6 ? AF_INET6 : AF_INET, c->bytes, text, sizeof(text));
	return json_sprintf("%s/%u", text, (unsigned)c->bits);
}

static json_t *
show_networks(const struct config_networks *networks)
{
	json_t *list = json_array();

	for (size_t i = 0; i < networks->list.n; i++)
		json_array_append_new(
		    list, show_network(&networks->list.each[i]));
	return whole(list, networks->list.n);
}

static json_t *
show_auto(enum config_node_api choice)
{
	static const char *const words[] = {
		[CONFIG_NODE_AUTO] = "auto",
		[CONFIG_NODE_YES] = "yes",
		[CONFIG_NODE_NO] = "no",
	};

	return json_string(words[choice]);
}

static json_t *
show_level(enum log_level level)
{
	static const char *const words[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};

	return json_string(words[level]);
}

/* A text that may have been left out. */
static json_t *
show_text(const char *text)
{
	return json_string(text == NULL ? "" : text);
}

json_t *
config_show(const struct config *c, const struct config_option *o)
{
	const void *field = (const char *)c + o->offset;
	const struct ports_range *ports = field;

	switch (o->type) {
	case CONFIG_NUMBER:
		return json_sprintf("%u", *(const unsigned *)field);
	case CONFIG_RATE:
		return json_sprintf("%" PRIu64, *(const uint64_t *)field);
	case CONFIG_BOOL:
		return json_string(*(const bool *)field ? "yes" : "no");
	case CONFIG_NEED:
		return json_string(
		    *(const bool *)field ? "required" : "optional");
	case CONFIG_AUTO:
		return show_auto(*(const enum config_node_api *)field);
	case CONFIG_LEVEL:
		return show_level(*(const enum log_level *)field);
	case CONFIG_PORTS:
		return json_sprintf(
		    "%u-%u", (unsigned)ports->first, (unsigned)ports->last);
	case CONFIG_LISTEN:
		return show_listeners(c);
	case CONFIG_PATHS:
		return show_paths(field);
	case CONFIG_NETWORKS:
		return show_networks(field);
	case CONFIG_STRING:
	case CONFIG_PATH:
	case CONFIG_NAME:
	case CONFIG_LOG:
	case CONFIG_ACCESS:
	case CONFIG_FORM:
	case CONFIG_SANDBOX:
	case CONFIG_ADDRESS:
	case CONFIG_PATTERNS:
		return show_text(*(char *const *)field);
	}
	return NULL;
}
