/* SPDX-License-Identifier: ISC
 *
 * user:password, as visitors have to give it: what may be one. Pure; the
 * client asks about what its user says, the server about what a client sends.
 */
#ifndef LT_COMMON_LOGIN_H
#define LT_COMMON_LOGIN_H

#include <stdbool.h>

#define LOGIN_MAX 255 /* bytes */

/* True if the first colon stands between a user and a password, neither of
 * them empty, no control character is in it, and it is UTF-8 of at most
 * LOGIN_MAX bytes. */
bool login_is_good(const char *text);

#endif
