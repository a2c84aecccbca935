/* SPDX-License-Identifier: ISC
 *
 * The resource limits of this process.
 */
#ifndef LT_COMMON_LIMIT_H
#define LT_COMMON_LIMIT_H

#include <stddef.h>

/* Raises the soft limit of descriptors, which is made for select(2), to the
 * hard one: a visitor costs two. If that fails all stays as it is. */
void limit_raise_fds(void);

/* How many descriptors this process may have now. */
size_t limit_fds(void);

#endif
