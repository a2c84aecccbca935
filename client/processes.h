/* SPDX-License-Identifier: ISC
 *
 * How many processes the client may have.
 */
#ifndef LT_CLIENT_PROCESSES_H
#define LT_CLIENT_PROCESSES_H

#include <stdbool.h>

#define PROCESSES_MAX 16

/* Reads a number from 1 to PROCESSES_MAX; false if it is none. */
bool processes_read(unsigned *, const char *text);

/* One for each core that we may run on, as far as allowed. */
unsigned processes_default(void);

#endif
