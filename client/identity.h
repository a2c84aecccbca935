/* SPDX-License-Identifier: ISC
 *
 * Who a tunnel is to the server: its name, and what proves that the name is
 * ours. All its sessions say the same. With a name that the user asked for it
 * is kept from one run to the next, see secrets.h.
 */
#ifndef LT_CLIENT_IDENTITY_H
#define LT_CLIENT_IDENTITY_H

#include <stdbool.h>

#include "client/secrets.h"
#include "common/hello.h"
#include "common/ltp.h"

struct display;
struct options;
struct tunnel_options;

struct identity {
	char name[LTP_NAME_MAX + 1];	 /* "": any */
	char own_name[LTP_NAME_MAX + 1]; /* for servers that need one */
	char client[LTP_CLIENT_MAX + 1];
	char secret[SECRETS_TEXT_MAX]; /* "": none yet */
	char sni[HELLO_NAME_MAX];      /* for sessions that are new to the
					  server; "": the server's own name */
	const char *kind;	       /* NULL: http */
	const char *group;	       /* NULL: none */
	const struct display *display;
	bool strict;		 /* no other name will do */
	bool is_locked_out;	 /* another ltclient has the secret */
	struct secrets *secrets; /* NULL: not kept */
	const char *kept_name;	 /* for which it is kept */
};

/* Makes one up, or finds that of an earlier run; `label` is then that of its
 * session, else "". The options are borrowed. -1 if there is no randomness. */
int identity_init(struct identity *, const struct options *,
    const struct tunnel_options *, char label[SECRETS_TEXT_MAX]);

/* NULL pointers inside are fine. */
void identity_fini(struct identity *);

/* Takes the name that was given; says so if another was `asked` for. */
void identity_take_name(
    struct identity *, const char *asked, const struct ltp_message *reply);

/* Takes the secret that came with a reply; true if it is another one than
 * before. */
bool identity_take_secret(struct identity *, const struct ltp_message *reply);

/* Takes the server name of the first session, but for its label. */
void identity_take_sni(struct identity *, const char *sni);

/* Keeps it for the next run, with the label of the first session. */
void identity_save(struct identity *, const char *label);

#endif
