/* SPDX-License-Identifier: ISC
 *
 * One JSON object out of bytes that somebody else has sent. Pure.
 */
#ifndef LT_COMMON_OBJECT_H
#define LT_COMMON_OBJECT_H

#include <stddef.h>

#include <jansson.h>

/* The object that the bytes are, for json_decref(). NULL if they are none, nest
 * more than `depth_max` deep or have a key twice; *why, static, says which. On
 * success *why is of no meaning. */
json_t *object_load(
    const void *json, size_t len, int depth_max, const char **why);

#endif
