/* SPDX-License-Identifier: ISC
 *
 * The form is an object of JSON: each setting as `ltctl config` shows it, and
 * of each listener its slot and its port as well.
 */
#include "server/config_pack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "server/config.h"
#include "server/config_listen.h"
#include "server/config_show.h"
#include "server/sealed.h"

/* Adds to the listeners what only processes have to know; not 0 without
 * memory. */
static int
add_places(json_t *listeners, const struct config *c)
{
	json_t *shown;
	int bad = 0;
	size_t i;

	json_array_foreach(listeners, i, shown)
	{
		bad |= json_object_set_new(
		    shown, "slot", json_integer(c->listen[i].slot));
		bad |= json_object_set_new(
		    shown, "port", json_integer(c->listen[i].port));
	}
	return bad;
}

json_t *
config_pack(const struct config *c)
{
	json_t *all = json_object();
	int bad = 0;

	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *o = &config_options[i];
		json_t *shown = config_show(c, o);

		if (o->type == CONFIG_LISTEN)
			bad |= add_places(shown, c);
		bad |= json_object_set_new(all, o->key, shown);
	}
	/* Half of them would be others than those that were meant. */
	if (bad == 0)
		return all;
	json_decref(all);
	return NULL;
}

int
config_seal(const struct config *c)
{
	json_t *all = config_pack(c);
	char *text = json_dumps(all, JSON_COMPACT);
	int fd;

	json_decref(all);
	fd = text == NULL ? -1 : sealed_begin("localtunnel settings");
	if (text == NULL)
		errno = ENOMEM;
	if (fd != -1)
		fd = sealed_end(fd, sealed_put(fd, text, strlen(text)));
	free(text);
	return fd;
}

/* One key of a listener; `value` is a text or a list of them. */
static bool
take_key(struct config_listen *l, const struct config_listen_key *k,
    const json_t *value, char *why, size_t size)
{
	const char *text;

	if (value == NULL)
		return true;
	if (!k->is_list) {
		text = json_string_value(value);
		return text != NULL && config_listen_set(l, k, text, why, size);
	}
	l->kinds = 0;
	for (size_t i = 0; i < json_array_size(value); i++) {
		text = json_string_value(json_array_get(value, i));
		if (text == NULL || !config_listen_set(l, k, text, why, size))
			return false;
	}
	return true;
}

static bool
take_listener(struct config *c, const json_t *shown, char *why, size_t size)
{
	const char *address =
	    json_string_value(json_object_get(shown, "address"));
	json_int_t slot = json_integer_value(json_object_get(shown, "slot"));
	json_int_t port = json_integer_value(json_object_get(shown, "port"));
	size_t at = c->listen_n;

	if (address == NULL || slot < 0 || slot >= CONFIG_SLOTS_MAX ||
	    port < 0 || port > UINT16_MAX ||
	    !config_listen_add(c, address, why, size) || c->listen_n != at + 1)
		return false;
	c->listen[at].slot = (uint16_t)slot;
	c->listen[at].port = (uint16_t)port;
	for (size_t i = 0; i < config_listen_keys_n; i++) {
		const struct config_listen_key *k = &config_listen_keys[i];

		if (!take_key(&c->listen[at], k, json_object_get(shown, k->key),
			why, size))
			return false;
	}
	return true;
}

/* One setting; a text that was left out is an empty one. */
static bool
take_value(struct config *c, const struct config_option *o, const json_t *value,
    char *why, size_t size)
{
	const char *text = json_string_value(value);

	if (text != NULL)
		return text[0] == '\0' ||
		       config_set(c, o->key, text, why, size) == 0;
	if (!json_is_array(value))
		return false;
	for (size_t i = 0; i < json_array_size(value); i++) {
		const json_t *each = json_array_get(value, i);

		if (o->type == CONFIG_LISTEN) {
			if (!take_listener(c, each, why, size))
				return false;
		} else if (!take_value(c, o, each, why, size))
			return false;
	}
	return true;
}

static bool
take_all(struct config *c, const json_t *all, char *why, size_t size)
{
	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *o = &config_options[i];

		if (!take_value(c, o, json_object_get(all, o->key), why, size))
			return false;
	}
	return c->listen_n > 0;
}

struct config *
config_unpack(const json_t *all, char *why, size_t size)
{
	struct config *c = config_new();

	snprintf(why, size, "it makes no sense");
	if (take_all(c, all, why, size))
		return c;
	config_free(c);
	return NULL;
}

struct config *
config_open(int fd, char *why, size_t size)
{
	const char *wrong;
	struct config *c;
	json_t *all;
	size_t len;
	char *text = sealed_read(fd, &len, &wrong);

	if (text == NULL) {
		snprintf(why, size, "%s", wrong);
		return NULL;
	}
	all = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	c = config_unpack(all, why, size);
	json_decref(all);
	return c;
}
