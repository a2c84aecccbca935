/* SPDX-License-Identifier: ISC
 *
 * The resource limits of this process.
 */
#ifndef LT_COMMON_LIMIT_H
#define LT_COMMON_LIMIT_H

#include <stddef.h>

#define LIMIT_AGE_MS 100

/* Raises the soft limit of descriptors, which is made for select(2), to the
 * hard one: a visitor costs two. If that fails all stays as it is. */
void limit_raise_fds(void);

/* Sets the limit of descriptors to `n`, even where the hard one is lower, if we
 * may. -1 with errno. */
int limit_set_fds(size_t n);

/* How many descriptors this process may have; who changes it from outside is
 * noticed after LIMIT_AGE_MS, since this is asked for each visitor. */
size_t limit_fds(void);

#endif
