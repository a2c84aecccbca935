/* SPDX-License-Identifier: ISC
 *
 * The sessions of one tunnel. Called by tunnel. Owns them.
 *
 * The server may take a session for another one of ours: whoever shows the
 * secret alone gets one that it holds for lost, or, if it has not noticed yet
 * that one is, the first. So labels are compared, and none is kept by two.
 */
#include "client/seats.h"

#include <stddef.h>
#include <string.h>

#include "client/session.h"

static struct session *
make(const struct seats *seats, unsigned number)
{
	const struct seats_plan *plan = &seats->plan;

	return session_new(plan->client, plan->service, number, plan->identity,
	    plan->ops, plan->arg);
}

int
seats_init(struct seats *seats, const struct seats_plan *plan)
{
	memset(seats, 0, sizeof(*seats));
	seats->plan = *plan;
	seats->all[0] = make(seats, 1);
	return seats->all[0] == NULL ? -1 : 0;
}

void
seats_fini(struct seats *seats)
{
	unsigned i;

	for (i = 0; i < SEATS_MAX; i++)
		session_free(seats->all[i]);
}

bool
seats_is_serving(const struct seats *seats)
{
	unsigned i;

	for (i = 0; i < SEATS_MAX; i++)
		if (seats->all[i] != NULL && session_is_up(seats->all[i]))
			return true;
	return false;
}

void
seats_forget_others(struct seats *seats, const struct session *known)
{
	unsigned i;

	for (i = 0; i < SEATS_MAX; i++)
		if (seats->all[i] != NULL && seats->all[i] != known)
			session_forget(seats->all[i]);
}

void
seats_forget_label(
    struct seats *seats, const char *label, const struct session *owner)
{
	struct session *session;
	unsigned i;

	for (i = 0; i < SEATS_MAX; i++) {
		session = seats->all[i];
		if (session != NULL && session != owner &&
		    strcmp(session_label(session), label) == 0)
			session_forget(session);
	}
}

bool
seats_has_taken_first(const struct seats *seats)
{
	const struct session *session;
	unsigned i;

	if (session_label(seats->all[0])[0] == '\0')
		return true;
	for (i = 1; i < SEATS_MAX; i++) {
		session = seats->all[i];
		if (session != NULL && session_is_trying(session) &&
		    session_label(session)[0] == '\0')
			return true;
	}
	return false;
}

/* Without a goodbye, which would be one of all. */
static void
drop(struct session **session)
{
	session_free(*session);
	*session = NULL;
}

void
seats_resize(struct seats *seats, int64_t n)
{
	struct session **session;
	unsigned i;

	for (i = 1; i < SEATS_MAX; i++) {
		session = &seats->all[i];
		if ((int64_t)i >= n) {
			drop(session);
			continue;
		}
		if (*session == NULL)
			*session = make(seats, i + 1);
		if (*session != NULL)
			session_sleep(*session);
	}
	seats_wake_next(seats);
}

void
seats_wake_next(struct seats *seats)
{
	struct session *session;
	unsigned i;

	for (i = 1; i < SEATS_MAX; i++) {
		session = seats->all[i];
		if (session == NULL)
			continue;
		if (session_is_asleep(session))
			session_wake(session);
		else if (!session_is_trying(session))
			continue;
		return;
	}
}

void
seats_leave(struct seats *seats)
{
	unsigned i;

	for (i = 0; i < SEATS_MAX; i++)
		if (seats->all[i] != NULL)
			session_leave(seats->all[i]);
}
