/* SPDX-License-Identifier: ISC
 *
 * What proves that a name is ours, kept from one run to the next: one file
 * per server and name in $XDG_STATE_HOME/localtunnel (else
 * ~/.local/state/localtunnel), for this user only.
 *
 * The running client holds a lock on the file. A second one for the same
 * server and name finds it locked and has no secret to send, so the server
 * refuses it, and the two do not take the name from each other for ever.
 */
#ifndef LT_CLIENT_SECRETS_H
#define LT_CLIENT_SECRETS_H

#include "common/ltp.h"

struct secrets;

#define SECRETS_TEXT_MAX 512 /* NUL included */
#define SECRETS_WHY_MAX	 512

struct secret {
	char client[LTP_CLIENT_MAX + 1]; /* who we are; never shown */
	char session[SECRETS_TEXT_MAX];	 /* "" if there is none */
	char secret[SECRETS_TEXT_MAX];	 /* "" if there is none */
};

enum secrets_result {
	SECRETS_OK,
	SECRETS_BUSY, /* another ltclient on this machine has it */
	SECRETS_NONE, /* cannot be kept */
};

/* A fresh identity: user, host, platform and 128 random bits. -1 if there is
 * no randomness. */
int secrets_new_client(struct secret *);

/* A name of our own making: 12 hex digits. -1 as above. */
int secrets_new_name(char name[LTP_NAME_MAX + 1]);

/* Opens and locks the file for a server ("host", "host:port", or that behind
 * "https:") and a name,
 * and reads it, if it holds anything, into the secret. SECRETS_OK: the caller
 * closes it, at its end. SECRETS_NONE: `why` says where and why. */
enum secrets_result secrets_open(struct secrets **, const char *server,
    const char *name, struct secret *, char why[SECRETS_WHY_MAX]);

/* Writes the secret. -1 and `why` as above. */
int secrets_save(
    struct secrets *, const struct secret *, char why[SECRETS_WHY_MAX]);

/* Unlocks and closes; NULL is fine. */
void secrets_close(struct secrets *);

#endif
