/* SPDX-License-Identifier: ISC
 *
 * ltctl token: edits the file of tokens, whether the server runs or not, and
 * has it read the file again. A token is shown when it is made, and never
 * again: the file has its hash.
 */
#ifndef LT_CTL_TOKENS_H
#define LT_CTL_TOKENS_H

#include <stdbool.h>

struct tokens_where {
	const char *file; /* NULL: that of the server; or the usual one, if
			     there is no server */
	const char *socket;
	bool in_json;
};

/* What stands behind "token": add NAME [RIGHT=VALUE]..., list, revoke NAME.
 * NULL, or what is wrong with that. */
const char *tokens_check(int argc, char **argv);

/* Does it; returns the exit code. */
int tokens_run(const struct tokens_where *, int argc, char **argv);

#endif
