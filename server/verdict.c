/* SPDX-License-Identifier: ISC */
#include "server/verdict.h"

static const struct verdict verdicts[] = {
	[0] = { "unknown", "unavailable", 503, "the server cannot say" },
	[CHANNEL_GRANTED] = { "granted", NULL, 200, "" },
	[CHANNEL_RESUMED] = { "resumed", NULL, 200, "" },
	[CHANNEL_FURTHER] = { "further", NULL, 200, "" },
	[CHANNEL_TAKEN_NAME] = { "taken", "unavailable", 503,
	    "this name is in use by another client" },
	[CHANNEL_FULL] = { "full", "limit", 503,
	    "the server has no room for another tunnel" },
	[CHANNEL_NO_PORT] = { "no port", "limit", 503,
	    "the server has no free port for another tunnel" },
	[CHANNEL_PORT_TAKEN] = { "port taken", "limit", 503,
	    "this port is in use by somebody else" },
	[CHANNEL_PORT_RANGE] = { "port refused", "badrequest", 403,
	    "this port is not one that the server gives out" },
	[CHANNEL_RESERVED] = { "reserved", "unavailable", 403,
	    "this name is reserved: nobody gets it" },
	[CHANNEL_NO_TOKEN] = { "no token", "unauthorized", 401,
	    "this server wants a token: show it with ltclient -t" },
	[CHANNEL_BAD_TOKEN] = { "bad token", "unauthorized", 401,
	    "the server does not know this token" },
	[CHANNEL_EXPIRED] = { "token expired", "unauthorized", 401,
	    "the time of this token is over" },
	[CHANNEL_OTHER_TOKEN] = { "other token", "unavailable", 403,
	    "this tunnel was opened with another token or another domain" },
	[CHANNEL_NOT_NAME] = { "name not allowed", "unauthorized", 403,
	    "this token does not allow that name" },
	[CHANNEL_NOT_KIND] = { "kind not allowed", "unauthorized", 403,
	    "this token does not allow that kind of tunnel" },
	[CHANNEL_NOT_PORT] = { "port not allowed", "unauthorized", 403,
	    "this token does not allow that port" },
	[CHANNEL_NOT_DOMAIN] = { "domain not allowed", "unauthorized", 403,
	    "a custom domain needs a token that allows it" },
	[CHANNEL_TOKEN_FULL] = { "token full", "limit", 403,
	    "this token has as many tunnels as it may have" },
	[CHANNEL_ADDRESS_FULL] = { "address full", "limit", 429,
	    "this address has as many tunnels as it may have" },
	[CHANNEL_ALONE] = { "not shared", "limit", 403,
	    "a tunnel with a limit of bytes per second cannot be shared" },
	[CHANNEL_DOMAIN_TAKEN] = { "domain taken", "limit", 403,
	    "another tunnel has this custom domain" },
	[CHANNEL_IN_CLEAR] = { "token in clear", "unauthorized", 403,
	    "a token must not be sent in clear: come by https" },
	[CHANNEL_NO_ROOM] = { "no room", "limit", 503,
	    "the server has no room for another tunnel just now" },
	[CHANNEL_TOO_MANY] = { "too many", "limit", 429,
	    "too many new tunnels from this address: try again in a minute" },
	[CHANNEL_TOO_WRONG] = { "too many wrong tokens", "limit", 429,
	    "too many wrong tokens from this address: try again in a minute" },
};

#define VERDICTS_N (sizeof(verdicts) / sizeof(verdicts[0]))

const struct verdict *
verdict_of(enum channel_verdict verdict)
{
	unsigned n = (unsigned)verdict;

	return &verdicts[n < VERDICTS_N ? n : 0];
}

bool
verdict_is_good(enum channel_verdict verdict)
{
	return verdict_of(verdict)->code == NULL;
}

bool
verdict_is_about_name(enum channel_verdict verdict)
{
	return verdict == CHANNEL_TAKEN_NAME || verdict == CHANNEL_RESERVED;
}
