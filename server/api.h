/* SPDX-License-Identifier: ISC
 *
 * The HTTP API of the Node.js localtunnel, on the base domain, as far as it
 * is asked over HTTP: a client registers a tunnel and learns the port to
 * connect to (the rest is node.h), and anybody asks how things are.
 *
 *   GET /?new  GET /NAME            registers; NAME if it is free
 *   GET /api/status                 how many tunnels there are
 *   GET /api/tunnels/NAME/status    how many connections one has
 *
 * Answers are JSON. The head was parsed already and is still unread.
 */
#ifndef LT_SERVER_API_H
#define LT_SERVER_API_H

#include <stdbool.h>
#include <stdint.h>

#include "common/http.h"
#include "common/ltp.h"
#include "server/channel.h"
#include "server/conn.h"

struct api;
struct worker;

enum api_what {
	API_NONE,     /* a page, or nothing that is here */
	API_NEW,      /* registers under any name */
	API_NAME,     /* registers under that name */
	API_BAD_NAME, /* wants to, and may not */
	API_STATUS,
	API_TUNNEL, /* the status of the tunnel of that name */
};

struct api_request {
	enum api_what what;
	char name[LTP_NAME_MAX + 1]; /* NAME, TUNNEL */
};

/* What a request to the base domain asks of the API. Pure. */
void api_parse(struct api_request *, const struct http_head *);

/* The registrations of a worker that the master has not answered yet. Fatal
 * without memory. */
struct api *api_new(void);
void api_free(struct api *);

/* Serves a request of the API and takes the connection; false, and it is
 * still the caller's, if it is none. */
bool api_serve(struct worker *, struct conn *, const struct http_head *);

/* The master's answer to claim `id`; the descriptor is taken out of *fd if it
 * is needed. False if the claim was not made here. */
bool api_claimed(
    struct worker *, uint32_t id, const struct channel_claimed *, int *fd);

/* True if somebody waits for the master's word. */
bool api_is_pending(const struct api *);

/* The master is gone: nobody waits any longer. */
void api_drop(struct worker *);

#endif
