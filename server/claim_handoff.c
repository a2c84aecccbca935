/* SPDX-License-Identifier: ISC
 *
 * The book of claims from one program to the next. Nearly all of it stands in
 * the registry, which stays; beside it there are the ports, and the sessions
 * whose client is leaving.
 */
#include "server/claim.h"

#include <jansson.h>

#include "common/clock.h"
#include "server/claim_inside.h"
#include "server/handoff.h"

void
claim_save(const struct claim_book *b, struct handoff *h)
{
	json_t *list = json_array();

	for (size_t i = 0; i < registry_size(b->registry); i++) {
		const struct claim_port *p = &b->ports[i];
		json_t *part;

		if (p->port == 0)
			continue;
		part = json_pack("{s:I, s:i, s:i, s:b}", "slot", (json_int_t)i,
		    "port", (int)p->port, "listener", (int)p->listener, "tcp",
		    (int)p->is_tcp);
		handoff_put_fd(h, part, "fd", p->fd);
		json_array_append_new(list, part);
	}
	json_object_set_new(handoff_root(h), "ports", list);
	list = json_array();
	for (size_t i = 0; i < registry_sessions(b->registry); i++)
		if (b->holds[i].is_leaving)
			json_array_append_new(
			    list, json_integer((json_int_t)i));
	json_object_set_new(handoff_root(h), "leaving", list);
}

static uint64_t
number(const json_t *part, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(part, key));
}

static void
adopt_port(struct claim_book *b, const json_t *part)
{
	struct claim_port *p = &b->ports[number(part, "slot")];

	p->fd = handoff_take_fd(part, "fd");
	p->port = (uint16_t)number(part, "port");
	p->listener = (uint16_t)number(part, "listener");
	p->is_tcp = json_is_true(json_object_get(part, "tcp"));
}

/* What is left of the grace period of a session without an owner. */
static void
hold_again(struct claim_book *b, const struct registry_session *session)
{
	uint64_t now = clock_ms(), end = session->grace_end_ms;
	struct hold *h = &b->holds[session->ref.slot];

	(void)claim_hold(b, session->ref, end > now ? end - now : 0);
	if (session->dialect == REGISTRY_NODE)
		claim_orphan(b, h);
}

/* A tunnel counts for the address at which its client is now. */
static void
count_again(struct claim_book *b, const struct registry_session *session)
{
	struct claim_port *p = &b->ports[session->tunnel.slot];

	if (p->of_peer == NULL)
		p->of_peer = peers_hold(b->peers, &session->peer);
}

void
claim_adopt(struct claim_book *b, struct handoff *h,
    void (*port)(void *arg, bool is_tcp, uint16_t port))
{
	const json_t *list = json_object_get(handoff_root(h), "ports"), *part;
	struct registry_session session;
	size_t i;

	json_array_foreach(list, i, part)
	{
		if (number(part, "slot") >= registry_size(b->registry))
			continue;
		adopt_port(b, part);
		port(b->arg, json_is_true(json_object_get(part, "tcp")),
		    (uint16_t)number(part, "port"));
	}
	list = json_object_get(handoff_root(h), "leaving");
	json_array_foreach(list, i, part)
	{
		uint64_t slot = (uint64_t)json_integer_value(part);

		if (slot < registry_sessions(b->registry))
			b->holds[slot].is_leaving = true;
	}
	for (i = 0; i < registry_sessions(b->registry); i++) {
		if (!registry_session_at(b->registry, i, &session))
			continue;
		if (session.worker == REGISTRY_NO_WORKER)
			hold_again(b, &session);
		count_again(b, &session);
	}
}
