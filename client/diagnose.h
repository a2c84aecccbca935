/* SPDX-License-Identifier: ISC
 *
 * ltclient diagnose: walks the way to the server step by step.
 */
#ifndef LT_CLIENT_DIAGNOSE_H
#define LT_CLIENT_DIAGNOSE_H

#include <stdbool.h>

struct client;

/* Walks, in the client's loop, which it runs, and says on standard output how
 * each step went; the client's trusts are there if its server is one with TLS.
 * True if all is well. */
bool diagnose(struct client *);

#endif
