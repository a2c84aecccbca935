/* SPDX-License-Identifier: ISC
 *
 * One way to read and write for sockets with and without TLS. Used by all
 * that move the bytes of connections. It keeps nothing beside the socket and
 * its TLS, waits for nothing and has no events.
 */
#include "common/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/bufferevent.h>

#include "common/tls.h"

struct stream
stream_take(struct stream *from)
{
	struct stream s = *from;

	*from = (struct stream)STREAM_NONE;
	return s;
}

void
stream_close(struct stream *s)
{
	tls_free(s->tls);
	if (s->fd != -1)
		close(s->fd);
	*s = (struct stream)STREAM_NONE;
}

ssize_t
stream_read(const struct stream *s, void *buf, size_t len)
{
	return s->tls != NULL ? tls_read(s->tls, buf, len)
			      : recv(s->fd, buf, len, MSG_DONTWAIT);
}

ssize_t
stream_peek(const struct stream *s, void *buf, size_t len)
{
	return s->tls != NULL ? tls_peek(s->tls, buf, len)
			      : recv(s->fd, buf, len, MSG_PEEK | MSG_DONTWAIT);
}

ssize_t
stream_write(const struct stream *s, const void *buf, size_t len)
{
	return s->tls != NULL
		   ? tls_write(s->tls, buf, len)
		   : send(s->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t
stream_write_more(const struct stream *s, const void *buf, size_t len)
{
	return s->tls != NULL ? tls_write(s->tls, buf, len)
			      : send(s->fd, buf, len,
				    MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);
}

void
stream_push(const struct stream *s)
{
	const int on = 1;

	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

int
stream_skip(const struct stream *s, size_t len)
{
	char chunk[4096];
	ssize_t n;

	while (len > 0) {
		n = stream_read(
		    s, chunk, len < sizeof(chunk) ? len : sizeof(chunk));
		if (n == 0)
			errno = ENODATA;
		if (n <= 0)
			return -1;
		len -= (size_t)n;
	}
	return 0;
}

int
stream_shutdown(const struct stream *s)
{
	if (s->tls != NULL && tls_shutdown(s->tls) == -1)
		return -1;
	shutdown(s->fd, SHUT_WR);
	return 0;
}

struct bufferevent *
stream_bufferevent(struct event_base *base, const struct stream *s)
{
	return s->tls != NULL ? tls_bufferevent(base, s->tls)
			      : bufferevent_socket_new(base, s->fd, 0);
}
