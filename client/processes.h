/* SPDX-License-Identifier: ISC
 *
 * How many processes the client may have, and what they share.
 */
#ifndef LT_CLIENT_PROCESSES_H
#define LT_CLIENT_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>

#define PROCESSES_MAX 16

/* Reads a number from 1 to PROCESSES_MAX; false if it is none. */
bool processes_read(unsigned *, const char *text);

/* One for each core that we may run on, as far as allowed. */
unsigned processes_default(void);

/* Memory, all zero, that is the same in all processes that are forked later.
 * NULL without memory. */
void *processes_share(size_t size);
void processes_unshare(void *, size_t size); /* NULL is fine */

#endif
