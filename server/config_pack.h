/* SPDX-License-Identifier: ISC
 *
 * Settings on their way from the master to the workers: packed into a sealed
 * memfd, as text that is checked again where it arrives, so that nothing else
 * is needed to take it: no file, no trust.
 */
#ifndef LT_SERVER_CONFIG_PACK_H
#define LT_SERVER_CONFIG_PACK_H

#include <stddef.h>

struct config;

/* Packs what config_finish() has finished, with the ports that are bound; -1
 * with errno. */
int config_seal(const struct config *);

/* The caller's; NULL with `why`. */
struct config *config_open(int fd, char *why, size_t size);

#endif
