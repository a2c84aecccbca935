/* SPDX-License-Identifier: ISC
 *
 * The decent end of a connection: writes a last answer, shuts down writing,
 * reads and throws away what still comes until the peer has ended too, then
 * closes. Without that the kernel answers unread bytes with a reset, and the
 * peer never sees the answer (RFC 9112, section 9.6).
 *
 * Bounded: at most DRAIN_MS in all and DRAIN_BYTES thrown away, and `max`
 * connections in a set; beyond that a connection is closed at once.
 */
#ifndef LT_COMMON_DRAIN_H
#define LT_COMMON_DRAIN_H

#include <stddef.h>

struct drain_set;
struct event_base;
struct stream;

#define DRAIN_MS    2000
#define DRAIN_BYTES (1024 * 1024)

struct drain_set *drain_set_new(struct event_base *, size_t max);

/* Closes what is left in it. NULL is fine. */
void drain_set_free(struct drain_set *);

/* Takes the stream, whose socket is non-blocking and without events. `text` is
 * copied; NULL, or len 0, if there is nothing to say. */
void drain_start(
    struct drain_set *, struct stream *, const void *text, size_t len);

/* How many are draining now. */
size_t drain_count(const struct drain_set *);

#endif
