/* SPDX-License-Identifier: ISC
 *
 * Readable names for tunnels whose client left the choice to us, such as
 * "quiet-river-4821".
 */
#ifndef LT_SERVER_NAMES_H
#define LT_SERVER_NAMES_H

#include "common/ltp.h"

/* Another random name at each call; a DNS label. Guessing one is easy: names
 * are no secrets. */
void names_random(char out[LTP_NAME_MAX + 1]);

#endif
