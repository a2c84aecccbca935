/* SPDX-License-Identifier: ISC
 *
 * Accepts connections on the listening sockets, which all workers share. Out
 * of descriptors or memory it pauses instead of spinning: callers wait in
 * the backlog meanwhile.
 */
#ifndef LT_SERVER_LISTENER_H
#define LT_SERVER_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/conn.h"

struct event_base;
struct listener_set;

struct listener_ops {
	void (*accepted)(void *arg, struct conn *); /* takes the connection */
	bool (*has_room)(void *arg); /* false: pause as when out of them */

	/* There was room, and the system has none: closes what is needed
	 * least, if there is any. */
	void (*make_room)(void *arg);
};

/* Empty. Fatal without memory. */
struct listener_set *listener_set_new(
    struct event_base *, const struct listener_ops *, void *arg);

/* One more; takes over `fd`, and `index` becomes conn.listener. False, and it
 * is closed, if there is no memory. */
bool listener_set_add(struct listener_set *, uint16_t index, int fd);

/* Closes one; nothing happens if there is none. */
void listener_set_remove(struct listener_set *, uint16_t index);

/* Accepts whoever waits in the backlogs, since closing a listener resets
 * them; bounded. */
void listener_set_last_call(struct listener_set *);

/* Closes them. NULL is fine. */
void listener_set_free(struct listener_set *);

#endif
