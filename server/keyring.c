/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "common/log.h"
#include "server/certs.h"
#include "server/config.h"
#include "server/handoff.h"
#include "server/pairs.h"

struct keyring {
	int dir_fd; /* where relative paths start, also as a daemon */
	int fd;	    /* -1: no certificates */
	struct event *rotate;
	unsigned rotation_s;
	keyring_changed_fn *changed;
	void *arg;
};

static void
make_ticket_key(struct tls_ticket_key *key)
{
	if (RAND_bytes(key->bytes, sizeof(key->bytes)) != 1)
		fatal("no random bytes");
}

/* What is good becomes what workers are given. */
static bool
replace(struct keyring *k, const struct certs *c, char why[TLS_WHY_MAX])
{
	int fd = certs_seal(c);

	if (fd == -1) {
		snprintf(why, TLS_WHY_MAX, "cannot put certificates by: %s",
		    strerror(errno));
		return false;
	}
	if (k->fd != -1)
		close(k->fd);
	k->fd = fd;
	return true;
}

/* True if connections can be made from it. */
static bool
check(const struct certs *c, const struct config *config, char why[TLS_WHY_MAX])
{
	struct tls_context *tls = certs_context(c, config->domain, false, why);

	tls_context_free(tls);
	return tls != NULL;
}

/* The ticket keys that there are, or the first one. */
static bool
find_tickets(
    const struct keyring *k, struct certs *fresh, char why[TLS_WHY_MAX])
{
	const struct certs *old;

	if (k->fd == -1) {
		make_ticket_key(&fresh->tickets[0]);
		fresh->tickets_n = 1;
		return true;
	}
	if ((old = certs_open(k->fd, why)) == NULL)
		return false;
	memcpy(fresh->tickets, old->tickets, sizeof(fresh->tickets));
	fresh->tickets_n = old->tickets_n;
	certs_close(old);
	return true;
}

static bool
read_files(
    struct keyring *k, const struct config *config, char why[TLS_WHY_MAX])
{
	struct certs fresh = { 0 };
	bool is_good = find_tickets(k, &fresh, why) &&
		       pairs_read(&fresh, config, k->dir_fd, why) &&
		       check(&fresh, config, why) && replace(k, &fresh, why);

	pairs_free(&fresh);
	OPENSSL_cleanse(&fresh, sizeof(fresh));
	return is_good;
}

/* Changes the time between two ticket keys, if that is another one. */
static void
set_rotation(struct keyring *k, unsigned rotation_s)
{
	struct timeval tv = { .tv_sec = rotation_s };

	if (k->rotate != NULL && k->rotation_s != rotation_s)
		event_add(k->rotate, &tv);
	k->rotation_s = rotation_s;
}

bool
keyring_read(
    struct keyring *k, const struct config *config, char why[TLS_WHY_MAX])
{
	if (config->certificates.n > 0) {
		if (!read_files(k, config, why))
			return false;
	} else if (k->fd != -1) {
		close(k->fd);
		k->fd = -1;
	}
	set_rotation(k, config->ticket_rotation);
	return true;
}

/* Another ticket key in front, and the oldest goes once there are enough. */
static bool
rotate(struct keyring *k, char why[TLS_WHY_MAX])
{
	const struct certs *old = certs_open(k->fd, why);
	struct certs fresh;
	bool is_good;

	if (old == NULL)
		return false;
	fresh = *old;
	if (fresh.tickets_n < TLS_TICKET_KEYS)
		fresh.tickets_n++;
	memcpy(&fresh.tickets[1], &old->tickets[0],
	    (fresh.tickets_n - 1) * sizeof(fresh.tickets[0]));
	make_ticket_key(&fresh.tickets[0]);
	is_good = replace(k, &fresh, why);
	OPENSSL_cleanse(&fresh, sizeof(fresh));
	certs_close(old);
	return is_good;
}

static struct keyring *
empty(void)
{
	struct keyring *k = log_must_alloc(1, sizeof(*k));

	k->fd = -1;
	k->dir_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (k->dir_fd == -1)
		k->dir_fd = AT_FDCWD;
	return k;
}

void
keyring_save(const struct keyring *k, struct handoff *h)
{
	json_t *part = json_object();

	handoff_put_fd(h, part, "fd", k->fd);
	json_object_set_new(handoff_root(h), "certificates", part);
}

struct keyring *
keyring_adopt(struct handoff *h, const struct config *config)
{
	struct keyring *k = empty();

	k->fd = handoff_take_fd(
	    json_object_get(handoff_root(h), "certificates"), "fd");
	k->rotation_s = config->ticket_rotation;
	return k;
}

struct keyring *
keyring_new(const struct config *config, char why[TLS_WHY_MAX])
{
	struct keyring *k = empty();

	if (keyring_read(k, config, why))
		return k;
	keyring_free(k);
	return NULL;
}

void
keyring_free(struct keyring *k)
{
	if (k == NULL)
		return;
	if (k->fd != -1)
		close(k->fd);
	if (k->dir_fd >= 0)
		close(k->dir_fd);
	if (k->rotate != NULL)
		event_free(k->rotate);
	free(k);
}

int
keyring_fd(const struct keyring *k)
{
	return k->fd;
}

static void
rotate_cb(evutil_socket_t fd, short what, void *arg)
{
	struct keyring *k = arg;
	char why[TLS_WHY_MAX];

	(void)fd;
	(void)what;
	if (k->fd == -1)
		return;
	if (!rotate(k, why)) {
		log_error("the ticket key stays as it was: %s", why);
		return;
	}
	log_debug("another ticket key");
	k->changed(k->arg);
}

void
keyring_start(struct keyring *k, struct event_base *base,
    keyring_changed_fn *changed, void *arg)
{
	struct timeval tv = { .tv_sec = k->rotation_s };

	k->changed = changed;
	k->arg = arg;
	k->rotate = event_new(base, -1, EV_PERSIST, rotate_cb, k);
	if (k->rotate == NULL || event_add(k->rotate, &tv) == -1)
		fatal("out of memory");
}
