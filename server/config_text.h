/* SPDX-License-Identifier: ISC
 *
 * Settings that are kept as the text they were given as: what may stand in
 * each type of them, and what they are when nothing is said, which depends on
 * who starts the server and how. Called by config, for which it checks; what
 * such a text leads to is the affair of the module that the setting is for.
 */
#ifndef LT_SERVER_CONFIG_TEXT_H
#define LT_SERVER_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "server/config.h"

/* What a daemon of root has. */
#define CONFIG_TEXT_PID_FILE "/run/localtunnel/ltserver.pid"
#define CONFIG_TEXT_SOCKET   "/run/localtunnel/ltserver.sock"

/* Words in place of a path. */
#define CONFIG_TEXT_NONE   "none"
#define CONFIG_TEXT_OFF	   "off"
#define CONFIG_TEXT_LOG	   "log"
#define CONFIG_TEXT_STDERR "stderr"
#define CONFIG_TEXT_JSON   "json"

/* Of sandbox, beside yes. */
#define CONFIG_TEXT_NO	 "no"
#define CONFIG_TEXT_TRAP "trap"

/* True for the types whose field is an owned text. */
bool config_text_is(enum config_type);

/* False, with `words` that go on after "is", if `value` cannot be. */
bool config_text_is_good(
    enum config_type, const char *value, char *words, size_t size);

/* The path of the socket that "syslog" or "syslog:PATH" means; NULL if a text
 * is neither. */
const char *config_text_syslog(const char *text);

/* The address that a text means; false for "off", and for what is none. */
bool config_text_address(const char *text, struct net_addr *);

/* Sets what was left out and does not depend on the users there are. */
void config_text_finish(struct config *);

#endif
