/* SPDX-License-Identifier: ISC
 *
 * Gates. control makes them, serve asks before a visitor gets a proxy
 * connection, visitor about each request. A password is compared as
 * browsers send it, in base64: so nothing that a visitor sends is decoded. It
 * never logs, since it sees what must not be logged.
 */
#include "server/gate.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "common/cidr.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/login.h"
#include "common/ltp.h"
#include "server/rate.h"

#define GATE_QUESTION "this tunnel asks for a user and a password"

#define TOKEN_MAX ((LOGIN_MAX + 2) / 3 * 4) /* base64 */

struct gate {
	unsigned refs;
	struct rate *failures; /* borrowed; NULL: no limit */
	struct cidr_list allow;
	struct cidr_list deny;
	size_t n; /* of pairs */
	uint8_t pairs[LTP_LIST_MAX][SHA256_DIGEST_LENGTH];
};

/* Adds one user:password. */
static bool
add_pair(struct gate *g, const char *pair)
{
	uint8_t token[TOKEN_MAX + 1];
	int len;

	if (g->n == LTP_LIST_MAX || !login_is_good(pair))
		return false;
	len = EVP_EncodeBlock(token, (const uint8_t *)pair, (int)strlen(pair));
	SHA256(token, (size_t)len, g->pairs[g->n++]);
	OPENSSL_cleanse(token, sizeof(token));
	return true;
}

/* NULL, or what is wrong: which entry it is, but never what is in it. */
static const char *
add_pairs(struct gate *g, const struct ltp_message *m, char why[GATE_WHY_MAX])
{
	for (size_t i = 0; i < m->auth.n; i++) {
		if (add_pair(g, m->auth.each[i]))
			continue;
		snprintf(why, GATE_WHY_MAX,
		    "auth: entry %zu is not user:password, of at most %d bytes",
		    i + 1, LOGIN_MAX);
		return why;
	}
	if (m->protect == NULL || add_pair(g, m->protect))
		return NULL;
	if (g->n == LTP_LIST_MAX)
		return "auth and protect have more than 32 entries together";
	return "protect is not user:password, of at most 255 bytes";
}

static const char *
add_networks(struct cidr_list *list, const struct ltp_list *from,
    const char *key, char why[GATE_WHY_MAX])
{
	char shown[CIDR_TEXT_MAX];
	const char *wrong;

	for (size_t i = 0; i < from->n; i++) {
		if (cidr_list_add(list, from->each[i], &wrong))
			continue;
		log_escape(
		    shown, sizeof(shown), from->each[i], strlen(from->each[i]));
		snprintf(
		    why, GATE_WHY_MAX, "%s: \"%s\" is %s", key, shown, wrong);
		return why;
	}
	return NULL;
}

const char *
gate_new(struct gate **gate, const struct ltp_message *m,
    enum registry_kind kind, struct rate *failures, char why[GATE_WHY_MAX])
{
	bool has_auth = m->auth.n > 0 || m->protect != NULL;
	const char *wrong;
	struct gate *g;

	*gate = NULL;
	if (has_auth && kind != REGISTRY_HTTP)
		return "auth: only a tunnel of kind http can ask visitors for "
		       "a password";
	if (!has_auth && m->allow.n == 0 && m->deny.n == 0)
		return NULL;
	if ((g = calloc(1, sizeof(*g))) == NULL)
		return "the server is out of memory";
	g->refs = 1;
	g->failures = failures;
	if ((wrong = add_pairs(g, m, why)) == NULL &&
	    (wrong = add_networks(&g->allow, &m->allow, "allow", why)) ==
		NULL &&
	    (wrong = add_networks(&g->deny, &m->deny, "deny", why)) == NULL) {
		*gate = g;
		return NULL;
	}
	gate_free(g);
	return wrong;
}

struct gate *
gate_ref(struct gate *g)
{
	if (g != NULL)
		g->refs++;
	return g;
}

void
gate_free(struct gate *g)
{
	if (g == NULL || --g->refs > 0)
		return;
	OPENSSL_cleanse(g, sizeof(*g));
	free(g);
}

bool
gate_admits(const struct gate *g, const struct net_addr *addr)
{
	if (g == NULL)
		return true;
	return !cidr_list_has(&g->deny, addr) &&
	       (g->allow.n == 0 || cidr_list_has(&g->allow, addr));
}

bool
gate_has_auth(const struct gate *g)
{
	return g != NULL && g->n > 0;
}

bool
gate_strip_basic(struct http_text *value)
{
	struct http_text scheme = { value->at, 5 };

	if (value->len <= 6 || !http_text_is(scheme, "Basic") ||
	    value->at[5] != ' ')
		return false;
	value->at += 6;
	value->len -= 6;
	while (value->len > 0 && value->at[0] == ' ') {
		value->at++;
		value->len--;
	}
	return true;
}

/* True if this is one of the passwords. */
static bool
is_password(const struct gate *g, const struct http_head *head, const char *buf,
    struct http_text token)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	struct http_text second;
	unsigned good = 0;

	if (http_header(head, buf, "Authorization", 1, &second) ||
	    !gate_strip_basic(&token) || token.len > TOKEN_MAX)
		return false;
	SHA256((const uint8_t *)token.at, token.len, hash);
	/* All of them, so that the time does not tell which it was. */
	for (size_t i = 0; i < g->n; i++)
		good |= CRYPTO_memcmp(hash, g->pairs[i], sizeof(hash)) == 0;
	return good != 0;
}

const char *
gate_refuses(const struct gate *g, const struct net_addr *from,
    const struct http_head *head, const char *buf, int *status)
{
	struct http_text token;

	*status = 403;
	if (!gate_admits(g, from))
		return GATE_FORBIDDEN;
	*status = 401;
	if (!gate_has_auth(g))
		return NULL;
	if (!http_header(head, buf, "Authorization", 0, &token))
		return GATE_QUESTION;
	if (rate_is_over(g->failures, from, clock_ms())) {
		*status = 429;
		return "too many wrong passwords came from your address";
	}
	if (is_password(g, head, buf, token))
		return NULL;
	rate_count(g->failures, from, clock_ms());
	return GATE_QUESTION;
}
