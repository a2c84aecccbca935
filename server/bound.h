/* SPDX-License-Identifier: ISC
 *
 * The sockets that the master has bound and keeps: its listeners, which the
 * workers share, and the ports that it opens for tunnels that have one of their
 * own.
 * It reads from none of them.
 */
#ifndef LT_SERVER_BOUND_H
#define LT_SERVER_BOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bound;
struct config;
struct public;

/* Binds all listeners, says on the log where, and tells `public`. fatal() with
 * a clear message if one cannot be. */
struct bound *bound_new(const struct config *, struct public *);
void bound_free(struct bound *); /* NULL is fine; descriptors are left open */

/* The listeners, in the order in which `public` has them. */
const int *bound_listeners(const struct bound *, size_t *n);

/* Where metrics are served; -1: nowhere. */
int bound_metrics(const struct bound *);

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
