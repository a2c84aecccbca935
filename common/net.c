/* SPDX-License-Identifier: ISC
 *
 * Addresses and sockets, as both programs use them. It owns nothing: every
 * descriptor goes to the caller, and one that could not be made ready is
 * closed before -1 is returned, with errno telling why.
 */
#define _GNU_SOURCE

#include "common/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES     3

_Static_assert(INET6_ADDRSTRLEN + sizeof("[]:65535") - 1 <= NET_TEXT_MAX,
    "every address must fit");

int
net_addr_from(struct net_addr *addr, const char *host, uint16_t port)
{
	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, host, &addr->in.sin_addr) == 1) {
		addr->in.sin_family = AF_INET;
		addr->in.sin_port = htons(port);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &addr->in6.sin6_addr) == 1) {
		addr->in6.sin6_family = AF_INET6;
		addr->in6.sin6_port = htons(port);
		return 0;
	}
	errno = EINVAL;
	return -1;
}

int
net_addr_copy(struct net_addr *addr, const struct sockaddr *sa, socklen_t len)
{
	memset(addr, 0, sizeof(*addr));
	if (len >= sizeof(addr->in) && sa->sa_family == AF_INET) {
		memcpy(&addr->in, sa, sizeof(addr->in));
		return 0;
	}
	if (len >= sizeof(addr->in6) && sa->sa_family == AF_INET6) {
		memcpy(&addr->in6, sa, sizeof(addr->in6));
		return 0;
	}
	errno = EAFNOSUPPORT;
	return -1;
}

socklen_t
net_addr_len(const struct net_addr *addr)
{
	switch (addr->sa.sa_family) {
	case AF_INET:
		return sizeof(addr->in);
	case AF_INET6:
		return sizeof(addr->in6);
	default:
		return 0;
	}
}

uint16_t
net_addr_port(const struct net_addr *addr)
{
	switch (addr->sa.sa_family) {
	case AF_INET:
		return ntohs(addr->in.sin_port);
	case AF_INET6:
		return ntohs(addr->in6.sin6_port);
	default:
		return 0;
	}
}

/* The bytes of the address, an IPv4 one mapped to IPv6 as IPv4; returns the
 * family. */
static int
addr_bytes(const struct net_addr *addr, const void **bytes)
{
	const struct in6_addr *in6 = &addr->in6.sin6_addr;

	if (addr->sa.sa_family == AF_INET) {
		*bytes = &addr->in.sin_addr;
		return AF_INET;
	}
	if (addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(in6)) {
		*bytes = in6->s6_addr + 12;
		return AF_INET;
	}
	*bytes = in6;
	return addr->sa.sa_family;
}

char *
net_decimal(char *out, unsigned n)
{
	char digits[NET_DECIMAL_MAX], *at = digits;

	do
		*at++ = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	while (at > digits)
		*out++ = *--at;
	return out;
}

/* As inet_ntop(), which takes a thousand instructions and is called for each
 * request. */
static void
put_in(const uint8_t *bytes, char *out)
{
	for (int i = 0; i < 4; i++) {
		out = net_decimal(out, bytes[i]);
		*out++ = i < 3 ? '.' : '\0';
	}
}

const char *
net_addr_host(const struct net_addr *addr, char out[NET_TEXT_MAX])
{
	const void *bytes;
	int family = addr_bytes(addr, &bytes);

	if (family == AF_INET)
		put_in(bytes, out);
	else if (inet_ntop(family, bytes, out, NET_TEXT_MAX) == NULL)
		memcpy(out, "-", sizeof("-"));
	return out;
}

const char *
net_addr_text(const struct net_addr *addr, char out[NET_TEXT_MAX])
{
	char host[NET_TEXT_MAX];
	const void *bytes;
	int family = addr_bytes(addr, &bytes);

	net_addr_host(addr, host);
	if (family == AF_INET6)
		(void)snprintf(
		    out, NET_TEXT_MAX, "[%.45s]:%u", host, net_addr_port(addr));
	else if (family == AF_INET)
		(void)snprintf(
		    out, NET_TEXT_MAX, "%.45s:%u", host, net_addr_port(addr));
	else
		(void)snprintf(out, NET_TEXT_MAX, "%.45s", host);
	return out;
}

bool
net_addr_same_host(const struct net_addr *x, const struct net_addr *y)
{
	const void *x_bytes, *y_bytes;
	int family = addr_bytes(x, &x_bytes);

	if (addr_bytes(y, &y_bytes) != family)
		return false;
	if (family == AF_INET)
		return memcmp(x_bytes, y_bytes, sizeof(struct in_addr)) == 0;
	return family == AF_INET6 &&
	       memcmp(x_bytes, y_bytes, sizeof(struct in6_addr)) == 0 &&
	       x->in6.sin6_scope_id == y->in6.sin6_scope_id;
}

bool
net_addr_is_loopback(const struct net_addr *addr)
{
	const void *bytes;
	int family = addr_bytes(addr, &bytes);

	if (family == AF_INET)
		return *(const uint8_t *)bytes == IN_LOOPBACKNET;
	return family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

/* Reads a port that is the whole of `text`. */
static int
read_port(const char *text, uint16_t *port)
{
	unsigned n = 0;

	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (unsigned)(*text - '0');
		if (n > UINT16_MAX)
			return -1;
	}
	*port = (uint16_t)n;
	return 0;
}

/* Finds the host in "HOST:PORT" or "[IPv6]:PORT"; returns where the port
 * begins, NULL if it is neither. */
static const char *
find_host(const char *text, const char **host, size_t *len)
{
	const char *end;

	if (*text == '[') {
		end = strchr(text, ']');
		if (end == NULL || end[1] != ':')
			return NULL;
		*host = text + 1;
		*len = (size_t)(end - *host);
		return end + 2;
	}
	*host = text;
	*len = strcspn(text, ":");
	return text[*len] == ':' ? text + *len + 1 : NULL;
}

int
net_split(const char *text, char host[NET_HOST_MAX], uint16_t *port)
{
	const char *found = "", *rest = text;
	struct in6_addr in6;
	size_t len = 0;

	if (strchr(text, ':') != NULL) {
		rest = find_host(text, &found, &len);
		if (rest == NULL || len == 0 || len >= NET_HOST_MAX)
			goto bad;
	}
	if (read_port(rest, port) == -1)
		goto bad;
	memcpy(host, found, len);
	host[len] = '\0';
	if (*text == '[' && inet_pton(AF_INET6, host, &in6) != 1)
		goto bad;
	return 0;
bad:
	errno = EINVAL;
	return -1;
}

int
net_addr_read(struct net_addr *addr, const char *text)
{
	char host[NET_HOST_MAX];
	uint16_t port;

	if (net_split(text, host, &port) == -1)
		return -1;
	return net_addr_from(addr, host, port);
}

static int
set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static void
close_keep_errno(int fd)
{
	int saved_errno = errno;

	close(fd);
	errno = saved_errno;
}

/* A TCP socket with the option that every connection has. */
static int
open_tcp(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1) == -1) {
		close_keep_errno(fd);
		return -1;
	}
	return fd;
}

int
net_keepalive(int fd)
{
	if (set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1) == -1 ||
	    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S) == -1 ||
	    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S) == -1)
		return -1;
	return set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

int
net_listen(const struct net_addr *addr, int backlog)
{
	int fd = open_tcp(addr->sa.sa_family);

	if (fd == -1)
		return -1;
	if (net_keepalive(fd) == -1 ||
	    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) == -1 ||
	    (addr->sa.sa_family == AF_INET6 &&
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) == -1) ||
	    bind(fd, &addr->sa, net_addr_len(addr)) == -1 ||
	    listen(fd, backlog) == -1) {
		close_keep_errno(fd);
		return -1;
	}
	return fd;
}

int
net_accept(int fd, struct net_addr *peer)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	int conn;

	conn = accept4(
	    fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (conn != -1 &&
	    net_addr_copy(peer, (struct sockaddr *)&ss, len) == -1)
		memset(peer, 0, sizeof(*peer));
	return conn;
}

/* Begins to connect; consumes `fd` if that fails at once. */
static int
begin_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	if (connect(fd, sa, len) == -1 && errno != EINPROGRESS) {
		close_keep_errno(fd);
		return -1;
	}
	return fd;
}

int
net_connect(const struct net_addr *addr, bool speaks)
{
	int fd = open_tcp(addr->sa.sa_family);

	if (fd == -1)
		return -1;
	if (speaks)
		net_ack_later(fd);
	return begin_connect(fd, &addr->sa, net_addr_len(addr));
}

void
net_ack_later(int fd)
{
	(void)set_int(fd, IPPROTO_TCP, TCP_QUICKACK, 0);
}

int
net_connect_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(un.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	return begin_connect(fd, (struct sockaddr *)&un, sizeof(un));
}

bool
net_is_connected(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	return getpeername(fd, (struct sockaddr *)&ss, &len) == 0;
}

int
net_error(int fd)
{
	int error;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return errno;
	return error;
}

int
net_local(int fd, struct net_addr *addr)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	memset(addr, 0, sizeof(*addr));
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return -1;
	return net_addr_copy(addr, (struct sockaddr *)&ss, len);
}

int
net_user_timeout(int fd, unsigned ms)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

long
net_unanswered_ms(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	int left = 0;

	if (ioctl(fd, SIOCOUTQ, &left) == -1 || left == 0 ||
	    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
		return -1;
	return info.tcpi_unacked == 0 ? 0 : info.tcpi_last_ack_recv;
}

int
net_reset_on_close(int fd)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}
