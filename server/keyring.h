/* SPDX-License-Identifier: ISC
 *
 * What the master holds for TLS: certificates and keys as they were last read,
 * and the keys for session tickets, together in one sealed memfd that each
 * worker is given. It is made anew, never changed: when the files are read
 * again, and when it is time for another ticket key. Ticket keys outlive the
 * reading of files.
 */
#ifndef LT_SERVER_KEYRING_H
#define LT_SERVER_KEYRING_H

#include <stdbool.h>

#include "common/tls.h"

struct config;
struct event_base;
struct handoff;
struct keyring;

typedef void keyring_changed_fn(void *arg);

/* Reads and checks. NULL with `why`, which names the file. Without certificates
 * in the settings it is empty. */
struct keyring *keyring_new(const struct config *, char why[TLS_WHY_MAX]);

/* For a program that takes the place of this one: the memfd, ticket keys in
 * it; and the same from it. */
void keyring_save(const struct keyring *, struct handoff *);
struct keyring *keyring_adopt(struct handoff *, const struct config *);

/* Wipes; NULL is fine. */
void keyring_free(struct keyring *);

/* The sealed memfd for certs_open(), still the keyring's; -1 if empty. */
int keyring_fd(const struct keyring *);

/* Begins to change ticket keys in their time. `changed` is called whenever
 * that has made another memfd. Fatal without memory. */
void keyring_start(
    struct keyring *, struct event_base *, keyring_changed_fn *, void *arg);

/* Reads the files of these settings, be they the same ones or others. False
 * with `why` if they are not good, and all stays as it was. */
bool keyring_read(
    struct keyring *, const struct config *, char why[TLS_WHY_MAX]);

#endif
