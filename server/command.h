/* SPDX-License-Identifier: ISC
 *
 * What ltctl asks for: one line of JSON, such as
 *
 *      {"command": "close", "name": "demo"}
 *
 * Pure: bytes in, value out. Whoever may connect to the socket may still send
 * anything.
 */
#ifndef LT_SERVER_COMMAND_H
#define LT_SERVER_COMMAND_H

#include <stddef.h>

#include "common/ltp.h"

#define COMMAND_MAX	1024 /* of a line, its end included */
#define COMMAND_WHY_MAX 160

enum command_kind {
	COMMAND_STATUS,
	COMMAND_TUNNELS,
	COMMAND_WORKERS,
	COMMAND_CONFIG,
	COMMAND_CLOSE, /* with a name */
	COMMAND_RELOAD,
	COMMAND_UPGRADE,
	COMMAND_REOPEN,
	COMMAND_DRAIN,
	COMMAND_STOP,
};

struct command {
	enum command_kind kind;
	char name[LTP_NAME_MAX + 1]; /* of a tunnel, folded; or "" */
};

enum command_result {
	COMMAND_MORE, /* the line has no end yet */
	COMMAND_OK,
	COMMAND_BAD, /* with a sentence in `why` */
};

enum command_result command_parse(
    struct command *, const char *buf, size_t len, char why[COMMAND_WHY_MAX]);

/* The word for it. */
const char *command_word(enum command_kind);

#endif
