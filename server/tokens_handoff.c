/* SPDX-License-Identifier: ISC
 *
 * The table of tokens from one program to the next. The file may be another
 * one by then, or none, or no good: what is in force stays so until it is read
 * again as a whole.
 */
#include "server/tokens.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "common/log.h"
#include "server/handoff.h"

_Static_assert(sizeof(json_int_t) == sizeof(int64_t), "what numbers become");

/* Two digits for each byte. */
static json_t *
pack_bytes(const uint8_t *bytes, size_t n)
{
	char text[2 * REGISTRY_HASH_LEN + 1] = "";

	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}

static bool
unpack_bytes(const char *text, uint8_t *bytes, size_t n)
{
	unsigned byte;

	if (strlen(text) != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		bytes[i] = (uint8_t)byte;
	}
	return true;
}

static json_t *
pack_ports(const struct token *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->ports_n; i++)
		json_array_append_new(
		    list, json_pack("[i,i]", (int)t->ports[i].first,
			      (int)t->ports[i].last));
	return list;
}

static bool
unpack_ports(json_t *list, struct token *t)
{
	int first, last;
	json_t *each;
	size_t i;

	if (json_array_size(list) > TOKEN_RANGES_MAX)
		return false;
	json_array_foreach(list, i, each)
	{
		if (json_unpack(each, "[i,i]", &first, &last) == -1)
			return false;
		t->ports[i].first = (uint16_t)first;
		t->ports[i].last = (uint16_t)last;
	}
	t->ports_n = i;
	return true;
}

static json_t *
pack_row(const struct tokens_row *row)
{
	const struct token *t = &row->token;

	return json_pack("[s, o, s, s, I, o, I, I, I, I]", t->name,
	    pack_bytes(row->kept, sizeof(row->kept)), t->names, t->domains,
	    (json_int_t)t->kinds, pack_ports(t), (json_int_t)t->tunnels,
	    (json_int_t)t->connections, (json_int_t)t->bandwidth,
	    (json_int_t)t->expires_s);
}

/* False if it is longer than there is room for. */
static bool
copy(char *out, size_t size, const char *text)
{
	return (size_t)snprintf(out, size, "%s", text) < size;
}

static bool
unpack_row(json_t *part, struct tokens_row *row)
{
	const char *name, *kept, *names, *domains;
	json_int_t kinds, tunnels, connections, bandwidth, expires_s;
	struct token *t = &row->token;
	json_t *ports;

	memset(row, 0, sizeof(*row));
	if (json_unpack(part, "[s, s, s, s, I, o, I, I, I, I]", &name, &kept,
		&names, &domains, &kinds, &ports, &tunnels, &connections,
		&bandwidth, &expires_s) == -1)
		return false;
	t->kinds = (unsigned)kinds;
	t->tunnels = (unsigned)tunnels;
	t->connections = (unsigned)connections;
	t->bandwidth = (uint64_t)bandwidth;
	t->expires_s = expires_s;
	return copy(t->name, sizeof(t->name), name) &&
	       copy(t->names, sizeof(t->names), names) &&
	       copy(t->domains, sizeof(t->domains), domains) &&
	       unpack_bytes(kept, row->kept, sizeof(row->kept)) &&
	       unpack_ports(ports, t);
}

void
tokens_save(const struct tokens *t, struct handoff *h)
{
	json_t *list = json_array();
	const struct tokens_row *row;

	for (size_t i = 0; (row = tokens_at(t, i)) != NULL; i++)
		json_array_append_new(list, pack_row(row));
	if (!tokens_are_needed(t)) {
		json_decref(list);
		list = json_null();
	}
	json_object_set_new(handoff_root(h), "tokens", list);
}

bool
tokens_adopt(struct tokens *t, struct handoff *h)
{
	json_t *list = json_object_get(handoff_root(h), "tokens"), *part;
	struct tokens_row row;
	size_t i;

	if (json_is_null(list))
		return true;
	/* Whatever else it is, nobody gets in without one. */
	tokens_need(t);
	json_array_foreach(list, i, part)
	{
		if (!unpack_row(part, &row) || !tokens_put(t, &row))
			return false;
	}
	return json_is_array(list);
}
