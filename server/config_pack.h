/* SPDX-License-Identifier: ISC
 *
 * Settings on their way from the master to the workers: packed into a sealed
 * memfd, as text that is checked again where it arrives, so that nothing else
 * is needed to take it: no file, no trust.
 */
#ifndef LT_SERVER_CONFIG_PACK_H
#define LT_SERVER_CONFIG_PACK_H

#include <stddef.h>

#include <jansson.h>

struct config;

/* The same as an object of JSON, for a handoff. NULL without memory. */
json_t *config_pack(const struct config *);

/* The caller's; NULL with `why`. */
struct config *config_unpack(const json_t *, char *why, size_t size);

/* Packs what config_finish() has finished, with the ports that are bound; -1
 * with errno. */
int config_seal(const struct config *);

/* The caller's; NULL with `why`. */
struct config *config_open(int fd, char *why, size_t size);

#endif
