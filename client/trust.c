/* SPDX-License-Identifier: ISC
 *
 * Makes what TLS connections are made from. Called by main at start; control,
 * proxy and local hand it to dial. It knows no connection, and never says
 * anything itself.
 */
#include "client/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/options.h"

/* Whom to expect: without the dot at the end that a DNS name may have, and the
 * zone that an address may have; neither is in a certificate. */
static void
expect(struct trust *trust, const char *host)
{
	bool is_v6 = strchr(host, ':') != NULL;
	struct net_addr addr;
	size_t len = is_v6 ? strcspn(host, "%") : strlen(host);

	if (!is_v6 && len > 1 && host[len - 1] == '.')
		len--;
	memcpy(trust->host, host, len);
	trust->host[len] = '\0';
	if (!is_v6 && net_addr_from(&addr, trust->host, 0) == -1)
		trust->sni = trust->host;
}

static struct trust *
trust_new(const char *host, const struct tls_client_setup *setup,
    char why[TLS_WHY_MAX])
{
	struct trust *trust = calloc(1, sizeof(*trust));

	if (trust == NULL) {
		snprintf(why, TLS_WHY_MAX, "out of memory");
		return NULL;
	}
	expect(trust, host);
	trust->context = tls_client_new(setup, why);
	if (trust->context != NULL)
		return trust;
	free(trust);
	return NULL;
}

static struct trust *
server_new(
    const struct options *options, const char *alpn, char why[TLS_WHY_MAX])
{
	struct tls_client_setup setup = {
		.alpn = alpn,
		.ca_file = options->ca[0] != '\0' ? options->ca : NULL,
		.is_insecure = options->insecure,
	};

	return trust_new(options->server.host, &setup, why);
}

struct trust *
trust_server(const struct options *options, char why[TLS_WHY_MAX])
{
	return server_new(options, TLS_ALPN_LTP, why);
}

struct trust *
trust_web(const struct options *options, char why[TLS_WHY_MAX])
{
	return server_new(options, TLS_ALPN_HTTP, why);
}

/* It is spoken to in whatever the visitor speaks, which is HTTP/1: a server
 * that knows another language too must not choose that one. */
struct trust *
trust_local(const struct tunnel_options *options, char why[TLS_WHY_MAX])
{
	const struct target *target = &options->target;
	struct tls_client_setup setup = {
		.alpn = TLS_ALPN_HTTP,
		.ca_file = options->local_ca,
		.cert_file = options->local_cert,
		.key_file = options->local_key,
		.is_insecure = options->allow_invalid_cert,
	};

	return trust_new(
	    target->path[0] == '\0' ? target->host : "localhost", &setup, why);
}

void
trust_free(struct trust *trust)
{
	if (trust == NULL)
		return;
	tls_context_free(trust->context);
	free(trust);
}

const char *
trust_server_hint(enum tls_cert fault)
{
	switch (fault) {
	case TLS_CERT_GOOD:
		break;
	case TLS_CERT_UNKNOWN:
		return ": if it has an authority of its own, name that one's "
		       "certificate with --ca FILE";
	case TLS_CERT_NAME:
		return ": call the server by a name that its certificate is "
		       "for";
	case TLS_CERT_DATE:
		return ": whoever runs the server has to renew it, unless it "
		       "is the clock of this machine that is wrong";
	}
	return "";
}

const char *
trust_local_hint(enum tls_cert fault)
{
	switch (fault) {
	case TLS_CERT_GOOD:
		break;
	case TLS_CERT_UNKNOWN:
		return ": use --local-ca or --allow-invalid-cert";
	case TLS_CERT_NAME:
	case TLS_CERT_DATE:
		return ": use --allow-invalid-cert";
	}
	return "";
}

bool
trust_is_ltp(const struct stream *stream)
{
	return stream->tls == NULL || tls_is_alpn(stream->tls, TLS_ALPN_LTP);
}
