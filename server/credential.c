/* SPDX-License-Identifier: ISC */
#include "server/credential.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/clock.h"
#include "common/token.h"
#include "server/forwarded.h"
#include "server/gate.h"
#include "server/public.h"
#include "server/rate.h"
#include "server/rights.h"
#include "server/room.h"
#include "server/worker.h"

#define BASE64_MAX (CREDENTIAL_MAX / 3 * 4 + 4)

/* True if nobody on the way can have read what was sent: over TLS, from this
 * machine, or to a proxy in front that the world reaches over TLS. */
static bool
is_private(const struct worker *w, const struct conn *conn)
{
	struct public_way way;

	if (conn->stream.tls != NULL || net_addr_is_loopback(&conn->peer))
		return true;
	way = public_used(w->config, conn->listener, false);
	return strcmp(way.scheme, "https") == 0 &&
	       (config_listener(w->config, conn->listener)->proxy_protocol ||
		   forwarded_trusted(w->config, conn) != NULL);
}

/* True if the tunnel is there and whoever claims shows its secret: it will be
 * no new one. The secret of one that is gone proves nothing. */
static bool
is_back(const struct worker *w, const struct channel_claim *claim)
{
	struct registry_session session;
	struct registry_tunnel tunnel;

	if (!claim->has_proof ||
	    !registry_find(w->registry, claim->name, &tunnel))
		return false;
	for (uint32_t i = 0; i < tunnel.seats_n; i++)
		if (registry_session(
			w->registry, tunnel.seats[i].session, &session) &&
		    rights_has_secret(&session, claim))
			return true;
	return false;
}

/* One more of an address: too many, or it is counted. A proxy has the clients
 * of many. */
static bool
is_one_too_many(struct worker *w, const struct net_addr *peer, uint64_t now)
{
	if (config_is_shared(w->config, peer))
		return false;
	if (rate_is_over(w->openings, peer, now))
		return true;
	rate_count(w->openings, peer, now);
	return false;
}

enum channel_verdict
credential_take(struct worker *w, const struct conn *conn, const char *token,
    struct channel_claim *claim)
{
	uint64_t now = clock_ms();

	if (token != NULL && !is_private(w, conn))
		return CHANNEL_IN_CLEAR;
	if (token != NULL && !config_is_shared(w->config, &conn->peer) &&
	    rate_is_over(w->failures, &conn->peer, now))
		return CHANNEL_TOO_WRONG;
	if (!is_back(w, claim)) {
		if (!room_is_left(w, ROOM_TUNNEL))
			return CHANNEL_NO_ROOM;
		if (is_one_too_many(w, &conn->peer, now))
			return CHANNEL_TOO_MANY;
	}
	claim->has_token = token != NULL;
	if (token != NULL)
		token_hash(token, claim->token);
	return CHANNEL_GRANTED;
}

/* The password that base64 hides; false if it hides none. */
static bool
decode(struct http_text value, char out[BASE64_MAX + 1], const char **password)
{
	uint8_t text[BASE64_MAX];
	char *colon;
	int len;

	if (value.len == 0 || value.len > BASE64_MAX || value.len % 4 != 0)
		return false;
	memcpy(text, value.at, value.len);
	len = EVP_DecodeBlock((uint8_t *)out, text, (int)value.len);
	OPENSSL_cleanse(text, sizeof(text));
	if (len < 0)
		return false;
	/* It counts the padding, as zeros. */
	out[len] = '\0';
	colon = strchr(out, ':');
	*password = colon == NULL ? NULL : colon + 1;
	return colon != NULL;
}

enum channel_verdict
credential_take_basic(struct worker *w, const struct conn *conn,
    const struct http_head *head, const char *buf, struct channel_claim *claim)
{
	char text[BASE64_MAX + 1];
	const char *password = NULL;
	enum channel_verdict verdict;
	struct http_text value;

	if (http_header(head, buf, "Authorization", 0, &value) &&
	    (!gate_strip_basic(&value) || !decode(value, text, &password)))
		password = "";
	verdict = credential_take(w, conn, password, claim);
	OPENSSL_cleanse(text, sizeof(text));
	return verdict;
}

void
credential_answered(struct worker *w, const struct channel_claim *claim,
    enum channel_verdict verdict)
{
	counter_add(&w->count->claims, 1);
	if (verdict == CHANNEL_BAD_TOKEN)
		rate_count(w->failures, &claim->peer, clock_ms());
}
