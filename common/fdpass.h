/* SPDX-License-Identifier: ISC
 *
 * A message of fixed length with at most one descriptor, over a Unix
 * SOCK_SEQPACKET socket (unix(7), SCM_RIGHTS). Everything about what arrives
 * is checked and a message that is wrong in any way is dropped whole, its
 * descriptors closed: the peer may have been taken over by somebody.
 */
#ifndef LT_COMMON_FDPASS_H
#define LT_COMMON_FDPASS_H

#include <stddef.h>

enum fdpass_result {
	FDPASS_OK,    /* done; on receipt *fd is -1 or now the caller's */
	FDPASS_AGAIN, /* the socket is full (sending: EAGAIN or ETOOMANYREFS)
			 or empty (receiving): try later */
	FDPASS_EOF,   /* the other end is closed for good */
	FDPASS_BAD,   /* receipt: wrong length or control data; dropped */
	FDPASS_LOST,  /* receipt: right message, but its descriptor could not
			 be taken (we are at our limit; MSG_CTRUNC) */
	FDPASS_ERROR, /* see errno */
};

/* Sends `len` bytes and, unless it is -1, a duplicate of `fd`, which the
 * caller keeps. Never blocks, never raises SIGPIPE. */
enum fdpass_result fdpass_send(int sock, const void *msg, size_t len, int fd);

/* Receives one message of exactly `len` bytes. Never blocks; what arrives is
 * close-on-exec. *fd is -1 in every case but FDPASS_OK. */
enum fdpass_result fdpass_recv(int sock, void *msg, size_t len, int *fd);

#endif
