/* SPDX-License-Identifier: ISC */
#include "server/rights.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "server/config.h"
#include "server/config_text.h"

/* A token that names names is above the list of those that nobody gets. */
static bool
is_reserved(
    const struct config *config, const struct tokens_row *row, const char *name)
{
	return (row == NULL || row->token.names[0] == '\0') &&
	       config->reserved_names != NULL &&
	       strcmp(config->reserved_names, CONFIG_TEXT_NONE) != 0 &&
	       token_matches(config->reserved_names, name);
}

static unsigned
bit_of(enum registry_kind kind)
{
	if (kind == REGISTRY_TCP)
		return TOKEN_TCP;
	return kind == REGISTRY_TLS ? TOKEN_TLS : TOKEN_HTTP;
}

enum channel_verdict
rights_check(const struct config *config, const struct tokens_row *row,
    const struct registry_tunnel *tunnel, uint16_t port)
{
	const struct token *t = row == NULL ? NULL : &row->token;

	if (is_reserved(config, row, tunnel->name))
		return CHANNEL_RESERVED;
	if (tunnel->domain[0] != '\0' &&
	    (t == NULL || !token_matches(t->domains, tunnel->domain)))
		return CHANNEL_NOT_DOMAIN;
	if (t == NULL)
		return CHANNEL_GRANTED;
	if (t->names[0] != '\0' && !token_matches(t->names, tunnel->name))
		return CHANNEL_NOT_NAME;
	if ((t->kinds & bit_of(tunnel->kind)) == 0)
		return CHANNEL_NOT_KIND;
	if (tunnel->kind == REGISTRY_TCP && port != 0 &&
	    !token_has_port(t, port))
		return CHANNEL_NOT_PORT;
	return CHANNEL_GRANTED;
}

enum channel_verdict
rights_admit(struct tokens *tokens, const struct channel_claim *claim,
    struct tokens_row **row)
{
	uint8_t kept[REGISTRY_HASH_LEN];

	*row = NULL;
	if (!tokens_are_needed(tokens))
		return CHANNEL_GRANTED;
	if (!claim->has_token)
		return CHANNEL_NO_TOKEN;
	SHA256(claim->token, sizeof(claim->token), kept);
	*row = tokens_find(tokens, kept);
	if (*row == NULL)
		return CHANNEL_BAD_TOKEN;
	return tokens_is_expired(*row) ? CHANNEL_EXPIRED : CHANNEL_GRANTED;
}

bool
rights_is_proof(const uint8_t proof[REGISTRY_HASH_LEN], const uint8_t *kept)
{
	uint8_t hash[REGISTRY_HASH_LEN];

	SHA256(proof, REGISTRY_HASH_LEN, hash);
	return CRYPTO_memcmp(hash, kept, REGISTRY_HASH_LEN) == 0;
}

bool
rights_has_secret(
    const struct registry_session *session, const struct channel_claim *claim)
{
	return session->dialect == REGISTRY_EXT &&
	       claim->dialect == REGISTRY_EXT && claim->has_proof &&
	       rights_is_proof(claim->proof, session->secret);
}

bool
rights_is_of(const struct registry_tunnel *tunnel, const struct tokens_row *row)
{
	if (row == NULL)
		return true;
	return tunnel->has_token &&
	       CRYPTO_memcmp(tunnel->token, row->kept, REGISTRY_HASH_LEN) == 0;
}
