/* SPDX-License-Identifier: ISC
 *
 * Settings as they are in force, for the operator: the option table backwards.
 * Called by the answer to "config".
 */
#ifndef LT_SERVER_CONFIG_SHOW_H
#define LT_SERVER_CONFIG_SHOW_H

#include <jansson.h>

#include "server/config.h"

/* The value of a setting: a text as -o takes it, or a list of such texts. NULL
 * without memory. The caller's. */
json_t *config_show(const struct config *, const struct config_option *);

#endif
