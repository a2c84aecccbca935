/* SPDX-License-Identifier: ISC
 *
 * A connection as its bytes are read and written: a socket, with TLS or
 * without. Whoever moves bytes uses this and need not know which.
 */
#ifndef LT_COMMON_STREAM_H
#define LT_COMMON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bufferevent;
struct event_base;
struct tls;

struct stream {
	int fd;		 /* -1: none */
	bool is_watched; /* it is paused in the watch set of its process */
	bool is_unread;	 /* something was seen in it that is still there */
	struct tls *tls; /* NULL: in clear */
};

#define STREAM_NONE                                                            \
	{                                                                      \
		.fd = -1, .tls = NULL                                          \
	}

/* Moves it out of *from, which is none then. */
struct stream stream_take(struct stream *from);

/* Closes it if it is there; it is none then. Says nothing to the peer. */
void stream_close(struct stream *);

/* As read(2), recv(2) with MSG_PEEK and send(2), never blocking, never raising
 * SIGPIPE; with TLS as tls_read(), tls_peek() and tls_write(). */
ssize_t stream_read(const struct stream *, void *buf, size_t len);
ssize_t stream_peek(const struct stream *, void *buf, size_t len);
ssize_t stream_write(const struct stream *, const void *buf, size_t len);

/* The same as stream_write() when more follows at once: in clear it waits to go
 * out in the same segment. */
ssize_t stream_write_more(const struct stream *, const void *buf, size_t len);

/* Sends what that keeps back: nothing follows. TCP_NODELAY of tcp(7). */
void stream_push(const struct stream *);

/* Throws away `len` bytes that were peeked at; -1 and errno if they are gone.
 */
int stream_skip(const struct stream *, size_t len);

/* Says that no more will be written: close_notify, then the end of the stream.
 * 0, or -1 with EAGAIN: try again when it is writable. */
int stream_shutdown(const struct stream *);

/* A bufferevent, which borrows the stream: free it first. NULL without
 * memory. Its owner takes out what has come each time: it has no watermark,
 * since libevent 2.1 crashes where it finds no memory for one, and without one
 * no more is read at once than 16 KB and a record. */
struct bufferevent *stream_bufferevent(
    struct event_base *, const struct stream *);

#endif
