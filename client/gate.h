/* SPDX-License-Identifier: ISC
 *
 * Who may visit, as the user says it: passwords and networks. They are checked
 * here, so that what is wrong is known before a server is asked; the server
 * keeps the gate.
 */
#ifndef LT_CLIENT_GATE_H
#define LT_CLIENT_GATE_H

#include "common/login.h"
#include "common/ltp.h"

/* All zero: open to all. Must stay where it is: auth points into it. */
struct gate {
	struct ltp_list auth;
	struct ltp_list allow; /* borrowed, as deny is */
	struct ltp_list deny;
	char logins[LTP_LIST_MAX][LOGIN_MAX + 1];
};

/* Adds one; NULL, or what is wrong with it, static, to go on after "is". */
typedef const char *gate_add_fn(struct gate *, char *text);

/*
 * The password is copied, and wiped out of `text`, which is that of the command
 * line: everybody on the machine can read it there.
 */
gate_add_fn gate_add_auth, gate_add_allow, gate_add_deny;

/* What a server without extensions takes for a tunnel of kind http that is open
 * to all, in words; NULL if it is that. `kind` is NULL for http. */
const char *gate_needs(const struct gate *, const char *kind);

/* Adds the passwords of LT_AUTH, one a line, unless there are some already. */
const char *gate_add_environment(struct gate *);

#endif
