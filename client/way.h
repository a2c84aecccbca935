/* SPDX-License-Identifier: ISC
 *
 * The way out to the tunnel server: straight, or through an HTTP proxy, and
 * which one. It is never the way to the local service.
 */
#ifndef LT_CLIENT_WAY_H
#define LT_CLIENT_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/url.h"
#include "common/net.h"

#define WAY_LOGIN_MAX 255 /* bytes of user:password */
#define WAY_WHY_MAX   256

/* All zero: straight. */
struct way {
	char host[NET_HOST_MAX]; /* of the proxy; "": there is none */
	uint16_t port;
	char authority[URL_AUTHORITY_MAX]; /* to be shown: no password */
	char login[(WAY_LOGIN_MAX + 2) / 3 * 4 + 1]; /* in base64; "": none */
};

/* Reads http://[USER:PASSWORD@]HOST[:PORT][/]; the scheme may be left out.
 * NULL, or static text that says what is wrong with it. */
const char *way_parse(struct way *, const char *url);

/* Reads USER:PASSWORD as it stands in a URL, with %XX for what has a meaning
 * there, `len` bytes of it; false if it is none, or is too long. */
bool way_login(char out[WAY_LOGIN_MAX + 1], const char *at, size_t len);

/* The same for --proxy: "" is straight; a password is wiped out of `url`. */
const char *way_take(struct way *, char *url);

/*
 * What the environment says of the way to that server: https_proxy or
 * HTTPS_PROXY for one with TLS, http_proxy for one without, unless no_proxy or
 * NO_PROXY excepts it; this machine is always reached straight. False if it
 * makes no sense: `why` names the variable.
 */
bool way_environment(
    struct way *, const struct url *server, char why[WAY_WHY_MAX]);

/* True if a no_proxy list excepts that host and port: a list of HOST, which
 * means all below it too, .DOMAIN, ADDRESS, NETWORK/BITS, each with :PORT or
 * without, or *; divided by commas and blanks. */
bool way_is_excepted(const char *list, const char *host, uint16_t port);

#endif
