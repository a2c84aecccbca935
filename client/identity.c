/* SPDX-License-Identifier: ISC
 *
 * Who a tunnel is to the server. Called by tunnel; session reads it. Owns the
 * lock on the file that keeps it.
 */
#include "client/identity.h"

#include <stdio.h>
#include <string.h>

#include "client/options.h"

/* Gets what an earlier run has kept, if a name was asked for. */
static void
open_secrets(
    struct identity *identity, const struct url *url, struct secret *secret)
{
	char server[URL_AUTHORITY_MAX + 8], why[SECRETS_WHY_MAX];

	if (identity->name[0] == '\0')
		return;
	/* What was said in TLS is for whoever has the certificate. */
	snprintf(server, sizeof(server), "%s%s", url->is_tls ? "https:" : "",
	    url->authority);
	switch (secrets_open(
	    &identity->secrets, server, identity->name, secret, why)) {
	case SECRETS_OK:
		break;
	case SECRETS_BUSY:
		identity->is_locked_out = true;
		break;
	case SECRETS_NONE:
		display_note(identity->display,
		    "the name cannot be kept for the next run: %s", why);
		break;
	}
}

int
identity_init(struct identity *identity, const struct options *options,
    const struct tunnel_options *of, char label[SECRETS_TEXT_MAX])
{
	struct secret secret;

	memset(identity, 0, sizeof(*identity));
	if (secrets_new_client(&secret) == -1 ||
	    secrets_new_name(identity->own_name) == -1)
		return -1;
	strcpy(identity->name, of->name);
	identity->kept_name = of->name;
	identity->kind = of->kind;
	identity->group = of->group;
	identity->display = &of->display;
	open_secrets(identity, &options->server, &secret);
	strcpy(identity->client, secret.client);
	strcpy(identity->secret, secret.secret);
	strcpy(label, secret.session);
	return 0;
}

void
identity_fini(struct identity *identity)
{
	secrets_close(identity->secrets);
	identity->secrets = NULL;
}

void
identity_take_name(struct identity *identity, const char *asked,
    const struct ltp_message *reply)
{
	char name[LTP_NAME_MAX + 1];

	/* An old server has no say in it. */
	if (reply->ext_name == NULL || !ltp_name(reply->ext_name, name))
		snprintf(name, sizeof(name), "%s", asked);
	if (asked[0] != '\0' && strcmp(name, asked) != 0)
		display_note(identity->display,
		    "the name %s is taken; this tunnel is called %s", asked,
		    name);
	strcpy(identity->name, name);
}

bool
identity_take_secret(struct identity *identity, const struct ltp_message *reply)
{
	const char *secret = reply->secret != NULL ? reply->secret : "";

	if (strlen(secret) >= sizeof(identity->secret))
		secret = "";
	if (strcmp(identity->secret, secret) == 0)
		return false;
	strcpy(identity->secret, secret);
	return true;
}

void
identity_take_sni(struct identity *identity, const char *sni)
{
	const char *dot = sni != NULL ? strchr(sni, '.') : NULL;

	if (dot == NULL || !hello_name(dot + 1, strlen(dot + 1), identity->sni))
		identity->sni[0] = '\0';
}

void
identity_save(struct identity *identity, const char *label)
{
	struct secret secret = { 0 };
	char why[SECRETS_WHY_MAX];

	if (identity->secrets == NULL ||
	    strcmp(identity->name, identity->kept_name) != 0)
		return;
	strcpy(secret.client, identity->client);
	strcpy(secret.secret, identity->secret);
	strcpy(secret.session, label);
	if (secrets_save(identity->secrets, &secret, why) == -1)
		display_note(identity->display,
		    "the secret of the tunnel cannot be kept: %s", why);
}
