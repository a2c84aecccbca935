/* SPDX-License-Identifier: ISC
 *
 * The sockets that the master has bound and keeps: its listeners, which the
 * workers share, the one for metrics, and the ports that it opens for tunnels
 * that have one of their own. It reads from none of them.
 *
 * Other settings are taken in two steps: first all that is new is bound, which
 * may fail; then what is not wanted any more is closed, which cannot.
 */
#ifndef LT_SERVER_BOUND_H
#define LT_SERVER_BOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOUND_WHY_MAX 160
#define BOUND_METRICS UINT16_MAX /* in place of the slot of a listener */

struct bound;
struct config;
struct handoff;

/* Binds all listeners, says on the log where, and puts ports and slots into the
 * settings; a listener that was not asked for and cannot be is taken out of
 * them. fatal() with a clear message if one cannot be bound. */
struct bound *bound_new(struct config *);
void bound_free(struct bound *); /* NULL is fine; descriptors are left open */

/* For a program that takes the place of this one: the listeners, and as many
 * again from it. NULL if one is missing. */
void bound_save(const struct bound *, struct handoff *);
struct bound *bound_adopt(struct handoff *, const struct config *);

/* After that: a port of a tunnel that lives on. */
void bound_port_adopt(struct bound *, bool is_tcp, uint16_t port);

/* The first step: binds what the settings have more, and puts slots and ports
 * into them. False with `why`, and nothing has changed. */
bool bound_prepare(struct bound *, struct config *, char why[BOUND_WHY_MAX]);

/* Gives back what was prepared. */
void bound_cancel(struct bound *);

/* The second step: what was prepared is what there is. Calls fn for each
 * listener that has come, with its descriptor, or has gone, with -1; then
 * closes those that have gone. */
void bound_commit(
    struct bound *, void (*fn)(void *arg, uint16_t slot, int fd), void *arg);

/* The listener of a slot; -1 if there is none. BOUND_METRICS: where metrics are
 * served. */
int bound_fd(const struct bound *, uint16_t slot);

/* Closes the listeners: nobody new is accepted once the workers have done so
 * too. */
void bound_close(struct bound *);

/* A port for a tunnel of kind tcp, or else for a node session, on the address
 * of the listener by which its client came; see open_port in claim.h. The
 * descriptor is the caller's. */
int bound_port_open(
    struct bound *, bool is_tcp, uint16_t listener, uint16_t *port);

/* Closes it, and lets the port rest. */
void bound_port_close(struct bound *, bool is_tcp, int fd, uint16_t port);

#endif
