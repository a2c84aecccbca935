/* SPDX-License-Identifier: ISC
 *
 * Workers that were taken over, on their channels to a master's book of claims:
 * bytes as messages, four each: who, what, and two about it. Some of them are
 * sound and about sessions of other workers, others have any bytes in them.
 * The registry is looked over after each, and one that has sent nonsense is
 * replaced, as the master does.
 */
#define _GNU_SOURCE

#include "server/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "server/claim.h"
#include "server/tokens.h"

#define WORKERS 4
#define SIZE	6
#define REFS	8

struct master;

struct place {
	struct master *master;
	struct channel *channel; /* the master's end */
	int fd;			 /* the worker's */
	uint32_t slot;
};

struct master {
	struct event_base *base;
	struct registry *registry;
	struct claim_book *book;
	struct place places[WORKERS];
	struct channel_claimed refs[REFS]; /* what was granted, to anybody */
	size_t refs_n;
	unsigned ports;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void start_worker(struct place *);

/* --- the master ----------------------------------------------------------- */

static void
send_one(void *arg, uint32_t worker, const struct channel_msg *msg, int fd)
{
	struct master *m = arg;

	assert(worker < WORKERS);
	channel_send(m->places[worker].channel, msg, fd);
	if (msg->type == CHANNEL_CLAIMED &&
	    msg->claimed.verdict <= CHANNEL_FURTHER)
		m->refs[m->refs_n++ % REFS] = msg->claimed;
}

static void
send_all(void *arg, const struct channel_msg *msg)
{
	for (uint32_t i = 0; i < WORKERS; i++)
		send_one(arg, i, msg, -1);
}

static int
open_port(void *arg, bool is_tcp, uint16_t listener, uint16_t *port)
{
	struct master *m = arg;

	(void)is_tcp;
	(void)listener;
	if (m->ports == 3) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	m->ports++;
	if (*port == 0)
		*port = (uint16_t)(20000 + m->ports);
	return dup(STDERR_FILENO);
}

static void
close_port(void *arg, bool is_tcp, int fd, uint16_t port)
{
	struct master *m = arg;

	(void)is_tcp;
	(void)port;
	assert(m->ports > 0 && close(fd) == 0);
	m->ports--;
}

static uint32_t
pick(void *arg)
{
	struct master *m = arg;

	return m->refs_n % WORKERS;
}

/* What the master makes of a message. */
static void
message(void *arg, const struct channel_msg *msg, int fd)
{
	struct place *p = arg;
	struct claim_book *book = p->master->book;

	if (fd != -1)
		close(fd);
	if (msg->type == CHANNEL_READY)
		claim_worker_ready(book, p->slot);
	else if (msg->type == CHANNEL_EMPTY)
		claim_empty(
		    book, p->slot, msg->empty.session, msg->empty.is_empty);
	else if (msg->type == CHANNEL_CLAIM)
		claim_answer(book, p->slot, msg->id, &msg->claim);
	else if (msg->type == CHANNEL_DOWN)
		claim_down(book, p->slot, msg->down.session, msg->down.cause);
}

static void
closed(void *arg, const char *why)
{
	struct place *p = arg;

	assert(why != NULL);
	channel_free(p->channel);
	close(p->fd);
	start_worker(p);
	claim_worker_gone(p->master->book, p->slot);
}

static void
start_worker(struct place *p)
{
	static const struct channel_ops ops = { message, closed };
	int fds[2];

	if (channel_pair(fds) == -1)
		abort();
	p->fd = fds[1];
	p->channel = channel_new(p->master->base, fds[0], &ops, p);
	assert(p->channel != NULL);
}

/* --- the workers ---------------------------------------------------------- */

static void
make_claim(
    const struct master *m, struct channel_claim *c, uint8_t a, uint8_t b)
{
	const struct channel_claimed *known = &m->refs[a % REFS];

	snprintf(c->name, sizeof(c->name), "n%u", a % 9u);
	if (b & 1)
		memcpy(c->session, known->label, sizeof(c->session));
	c->dialect = REGISTRY_EXT + b / 2 % 3;
	c->kind = REGISTRY_HTTP + b / 8 % 3;
	c->has_proof = (b & 32) != 0;
	c->has_group = (b & 64) != 0;
	memset(c->proof, a / 64, sizeof(c->proof));
	memset(c->secret, a / 64, sizeof(c->secret));
	c->port = b & 128 ? a : 0;
}

/* One message; the rest of the input may go over it. */
static void
act(struct master *m, const uint8_t op[4], const uint8_t *rest, size_t len)
{
	struct place *p = &m->places[op[0] % WORKERS];
	const struct registry_ref ref = m->refs[op[2] % REFS].session;
	struct channel_msg msg = { .type = CHANNEL_READY + op[1] % 16,
		.id = op[3] };

	if (msg.type == CHANNEL_CLAIM)
		make_claim(m, &msg.claim, op[2], op[3]);
	else if (msg.type == CHANNEL_DOWN) {
		msg.down.session = ref;
		msg.down.cause = op[3];
	} else if (msg.type == CHANNEL_EMPTY) {
		msg.empty.session = ref;
		msg.empty.is_empty = op[3] & 1;
	}
	if (op[1] >= 128)
		memcpy((char *)&msg + op[3] % 64, rest,
		    len < sizeof(msg) - 64 ? len : sizeof(msg) - 64);
	/* Of another length, or the end. */
	if (op[1] % 16 == 15)
		shutdown(p->fd, SHUT_RDWR);
	else
		(void)send(p->fd, &msg, op[1] % 16 == 14 ? op[3] : sizeof(msg),
		    MSG_NOSIGNAL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct claim_ops ops = { send_one, send_all, open_port,
		close_port, pick };
	struct config *config = config_new();
	struct tokens *tokens = tokens_new();
	struct master m = { .base = event_base_new(),
		.registry = registry_new(SIZE) };

	m.book = claim_book_new(m.base, m.registry, config, tokens, &ops, &m);
	assert(m.registry != NULL && m.book != NULL);
	for (uint32_t i = 0; i < WORKERS; i++) {
		m.places[i].master = &m;
		m.places[i].slot = i;
		start_worker(&m.places[i]);
	}
	for (; size >= 4; data += 4, size -= 4) {
		act(&m, data, data + 4, size - 4);
		for (int turn = 0; turn < 4; turn++)
			event_base_loop(m.base, EVLOOP_NONBLOCK);
		assert(registry_check(m.registry) == NULL);
	}
	claim_book_free(m.book);
	for (uint32_t i = 0; i < WORKERS; i++) {
		channel_free(m.places[i].channel);
		close(m.places[i].fd);
	}
	registry_free(m.registry);
	event_base_free(m.base);
	tokens_free(tokens);
	config_free(config);
	return 0;
}
