/* SPDX-License-Identifier: ISC
 *
 * A socket pair a worker slot, on which any worker hands connections, still
 * unread, to the worker in that slot. Made by the master before the first
 * fork and kept there, both ends: what waits in the inbox of a worker that
 * was killed is read by its replacement. End of file never comes on it.
 */
#ifndef LT_SERVER_INBOX_H
#define LT_SERVER_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/fdpass.h"
#include "server/conn.h"
#include "server/registry.h"

enum inbox_kind {
	INBOX_VISITOR = 1,
	INBOX_CONTROL,
	INBOX_PROXY,
};

struct inbox_msg {
	enum inbox_kind kind;
	struct registry_ref tunnel;  /* VISITOR, PROXY; CONTROL to resume */
	struct registry_ref session; /* the same */
	struct conn conn;	     /* fd is meaningless on the way */
};

struct handoff;
struct inbox;

/* As many pairs as slots. NULL with errno. */
struct inbox *inbox_new(size_t slots);
void inbox_free(struct inbox *);

/* For a program that takes the place of this one: both ends of all pairs, and
 * as many again from it. NULL if one is missing. */
void inbox_save(const struct inbox *, struct handoff *);
struct inbox *inbox_adopt(struct handoff *, size_t slots);

/* In a worker, after fork: closes every receiving end but its own. */
void inbox_keep(struct inbox *, size_t slot);

/* The receiving end of a slot, to wait on. */
int inbox_fd(const struct inbox *, size_t slot);

/*
 * Hands msg->conn to `slot`. FDPASS_OK: it is closed here and msg->conn.stream
 * is none (the caller has removed its events before). FDPASS_AGAIN: it is
 * still ours, try later.
 */
enum fdpass_result inbox_send(struct inbox *, size_t slot, struct inbox_msg *);

/*
 * Takes the next connection from the inbox of `slot`. FDPASS_OK: every field
 * was checked for range, msg->conn.stream is the caller's. FDPASS_BAD and
 * FDPASS_LOST: one message was dropped, go on; FDPASS_AGAIN: it is empty.
 */
enum fdpass_result inbox_recv(struct inbox *, size_t slot, struct inbox_msg *);

#endif
