/* SPDX-License-Identifier: ISC
 *
 * Addresses and sockets: thin wrappers of system calls. -1 and errno on
 * failure; descriptors that come back are non-blocking and close-on-exec.
 * Nothing here resolves names and nothing here blocks.
 */
#ifndef LT_COMMON_NET_H
#define LT_COMMON_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An Internet address; fixed size, so that it travels between processes.
 * All zero (family AF_UNSPEC) means none. */
struct net_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
};

#define NET_TEXT_MAX 56	 /* "[IPv6]:port", NUL included */
#define NET_HOST_MAX 254 /* a DNS name, NUL included */

/* A literal address and a port; -1 (EINVAL) if `host` is not a literal. */
int net_addr_from(struct net_addr *, const char *host, uint16_t port);

/* Copies what the kernel filled in; -1 (EAFNOSUPPORT) unless IPv4 or IPv6. */
int net_addr_copy(struct net_addr *, const struct sockaddr *, socklen_t);

socklen_t net_addr_len(const struct net_addr *);
uint16_t net_addr_port(const struct net_addr *);

#define NET_DECIMAL_MAX 10

/* Writes a number, at most NET_DECIMAL_MAX bytes; returns its end. No NUL. */
char *net_decimal(char *out, unsigned n);

/* "203.0.113.7:40112", "[2001:db8::1]:443"; an IPv4 address mapped to IPv6
 * is written as IPv4; "-" if there is none. Returns `out`. */
const char *net_addr_text(const struct net_addr *, char out[NET_TEXT_MAX]);

/* The same without port and brackets. */
const char *net_addr_host(const struct net_addr *, char out[NET_TEXT_MAX]);

/* True if both have the same address, whatever the ports; none is like no
 * other, not even like none. */
bool net_addr_same_host(const struct net_addr *, const struct net_addr *);

/* True for 127.0.0.0/8 and ::1, which only this machine reaches. */
bool net_addr_is_loopback(const struct net_addr *);

/*
 * Splits "HOST:PORT", "[IPv6]:PORT" or "PORT" (host becomes ""); the port
 * must be there, 0 to 65535, digits only. 0, or -1 (EINVAL).
 */
int net_split(const char *text, char host[NET_HOST_MAX], uint16_t *port);

/*
 * A listening TCP socket with SO_REUSEADDR (and IPV6_V6ONLY). TCP_NODELAY and
 * keepalive (60 s, then 3 probes 10 s apart) are set on it: on Linux accepted
 * sockets inherit both, which saves two system calls a connection.
 */
int net_listen(const struct net_addr *, int backlog);

/* accept4(2); `peer` is filled in. */
int net_accept(int fd, struct net_addr *peer);

/* Begins to connect, TCP_NODELAY set; the descriptor becomes writable when that
 * is decided (see net_error). For one who `speaks` as soon as it is connected
 * the last packet of the handshake waits for what is said then (200 ms at most,
 * by TCP_QUICKACK, tcp(7)): it saves a packet, and waking the peer twice. */
int net_connect(const struct net_addr *, bool speaks);

/* Acknowledgements of a connected socket wait for what is sent, 40 ms at most.
 * For a peer that waits for none, because it has TCP_NODELAY. If the kernel
 * does not do it nothing is lost. */
void net_ack_later(int fd);

/* The same for a Unix stream socket. -1 (ENAMETOOLONG) if too long. */
int net_connect_unix(const char *path);

/* True if it is connected by now, as to a service on the same machine it mostly
 * is at once. */
bool net_is_connected(int fd);

/* The pending error of a socket (SO_ERROR), 0 if there is none. */
int net_error(int fd);

/* The local address of a socket. */
int net_local(int fd, struct net_addr *);

/* The address that net_addr_text() wrote; -1 if it is none. */
int net_addr_read(struct net_addr *, const char *text);

/* Keepalive, as listeners have it. */
int net_keepalive(int fd);

/* TCP_USER_TIMEOUT in milliseconds; 0 is the kernel's own rule. */
int net_user_timeout(int fd, unsigned ms);

/* Milliseconds since the peer of a TCP connection acknowledged anything, if it
 * has not acknowledged all that was sent; 0 if it has and there is more to
 * send, as to one that reads slowly; -1 if nothing is left. */
long net_unanswered_ms(int fd);

/* Makes the next close(2) of `fd` send a reset (SO_LINGER 0). */
int net_reset_on_close(int fd);

#endif
