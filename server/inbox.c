/* SPDX-License-Identifier: ISC
 *
 * The inboxes of all worker slots. The master makes them and keeps both ends
 * of each; a worker keeps all sending ends and the receiving end of its own.
 * Whatever is received is checked as if the sender had been taken over: it
 * can make us serve a connection, and nothing else.
 */
#define _GNU_SOURCE

#include "server/inbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "server/config.h"
#include "server/handoff.h"

#define INBOX_BUFFER   (4 * 1024 * 1024) /* about 10,000 messages */
#define INBOX_HOPS_MAX 16		 /* more than routing ever allows */

struct ends {
	int receive; /* -1 if it is not ours */
	int send;
};

struct inbox {
	size_t slots;
	struct ends ends[];
};

/* What is asked for counts only up to net.core.wmem_max, unless we are root:
 * then a full inbox comes sooner, and is tried again. */
static int
open_ends(struct ends *e)
{
	int fds[2], size = INBOX_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, fds) == -1)
		return -1;
	e->receive = fds[0];
	e->send = fds[1];
	if (setsockopt(
		e->send, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == 0)
		return 0;
	return setsockopt(e->send, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static struct inbox *
empty(size_t slots)
{
	struct inbox *in = malloc(sizeof(*in) + slots * sizeof(in->ends[0]));

	if (in == NULL)
		return NULL;
	in->slots = slots;
	for (size_t i = 0; i < slots; i++)
		in->ends[i] = (struct ends){ -1, -1 };
	return in;
}

struct inbox *
inbox_new(size_t slots)
{
	struct inbox *in = empty(slots);
	int saved_errno;

	for (size_t i = 0; in != NULL && i < slots; i++) {
		if (open_ends(&in->ends[i]) == 0)
			continue;
		saved_errno = errno;
		inbox_free(in);
		errno = saved_errno;
		return NULL;
	}
	return in;
}

void
inbox_save(const struct inbox *in, struct handoff *h)
{
	json_t *list = json_array();

	for (size_t i = 0; i < in->slots; i++) {
		json_t *part = json_object();

		handoff_put_fd(h, part, "receive", in->ends[i].receive);
		handoff_put_fd(h, part, "send", in->ends[i].send);
		json_array_append_new(list, part);
	}
	json_object_set_new(handoff_root(h), "inbox", list);
}

struct inbox *
inbox_adopt(struct handoff *h, size_t slots)
{
	const json_t *list = json_object_get(handoff_root(h), "inbox");
	struct inbox *in = empty(slots);

	for (size_t i = 0; in != NULL && i < slots; i++) {
		const json_t *part = json_array_get(list, i);

		in->ends[i].receive = handoff_take_fd(part, "receive");
		in->ends[i].send = handoff_take_fd(part, "send");
		if (in->ends[i].receive == -1 || in->ends[i].send == -1) {
			inbox_free(in);
			return NULL;
		}
	}
	return in;
}

static void
close_end(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void
inbox_free(struct inbox *in)
{
	if (in == NULL)
		return;
	for (size_t i = 0; i < in->slots; i++) {
		close_end(&in->ends[i].receive);
		close_end(&in->ends[i].send);
	}
	free(in);
}

void
inbox_keep(struct inbox *in, size_t slot)
{
	for (size_t i = 0; i < in->slots; i++)
		if (i != slot)
			close_end(&in->ends[i].receive);
}

int
inbox_fd(const struct inbox *in, size_t slot)
{
	assert(slot < in->slots);
	return in->ends[slot].receive;
}

enum fdpass_result
inbox_send(struct inbox *in, size_t slot, struct inbox_msg *msg)
{
	enum fdpass_result result;
	struct inbox_msg out = *msg;

	if (slot >= in->slots) {
		errno = EINVAL;
		return FDPASS_ERROR;
	}
	out.conn.stream = (struct stream)STREAM_NONE;
	result = fdpass_send(
	    in->ends[slot].send, &out, sizeof(out), msg->conn.stream.fd);
	if (result == FDPASS_OK)
		conn_close(&msg->conn);
	return result;
}

/* What came from elsewhere may hold any byte, and must not be read as a bool
 * before that is known. */
static bool
is_byte_bool(const bool *b)
{
	uint8_t byte;

	memcpy(&byte, b, sizeof(byte));
	return byte <= 1;
}

/* The refs are not looked at: whoever uses one compares its generation. */
static bool
is_sound(const struct inbox_msg *msg)
{
	sa_family_t family = msg->conn.peer.sa.sa_family;
	bool is_bool = is_byte_bool(&msg->conn.is_bridged);

	return msg->kind >= INBOX_VISITOR && msg->kind <= INBOX_PROXY &&
	       msg->conn.listener < CONFIG_SLOTS_MAX &&
	       msg->conn.hops <= INBOX_HOPS_MAX &&
	       msg->conn.language <= CONN_OPAQUE && is_bool &&
	       msg->conn.accepted_ms <= msg->conn.ready_ms &&
	       msg->conn.ready_ms <= clock_ms() &&
	       (family == AF_UNSPEC || family == AF_INET || family == AF_INET6);
}

enum fdpass_result
inbox_recv(struct inbox *in, size_t slot, struct inbox_msg *msg)
{
	enum fdpass_result result;
	int fd;

	assert(slot < in->slots);
	result = fdpass_recv(in->ends[slot].receive, msg, sizeof(*msg), &fd);
	msg->conn.stream = (struct stream){ .fd = fd };
	if (result != FDPASS_OK || (fd != -1 && is_sound(msg)))
		return result;
	conn_close(&msg->conn);
	return FDPASS_BAD;
}
