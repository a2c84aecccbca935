/* SPDX-License-Identifier: ISC
 *
 * The settings of one listener: its address, and what stands in a section
 *
 *      listen "ADDRESS" { kinds = { ... }  proxy-protocol = no  public = "..."
 * }
 *
 * Pure: text in, value out. Called by config and config_file.
 */
#ifndef LT_SERVER_CONFIG_LISTEN_H
#define LT_SERVER_CONFIG_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct config_listen;

struct config_listen_key {
	const char *key;
	bool is_list;
	const char *help; /* one line */
};

extern const struct config_listen_key config_listen_keys[];
extern const size_t config_listen_keys_n;

/* Adds a listener of this address with defaults: two for localhost and *, one
 * of each family. False, and nothing is added, if that cannot be: `words` says
 * why, to go on after "is". */
bool config_listen_add(
    struct config *, const char *address, char *words, size_t size);

/* Sets what is common to the listeners of a section; of a list it adds one of
 * the values. Likewise false with `words`. */
bool config_listen_set(struct config_listen *, const struct config_listen_key *,
    const char *value, char *words, size_t size);

#endif
