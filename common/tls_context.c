/* SPDX-License-Identifier: ISC
 *
 * What TLS connections share: certificates chosen by server name, whom to
 * trust, the keys of session tickets. Made by programs at start and at
 * reload. It owns OpenSSL's contexts, one for each pair, and copies of the
 * ticket keys. Private keys are read from memory of the caller, who wipes it.
 */
#define _GNU_SOURCE

#include "common/tls_context.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#define KEY_NAME_LEN 16
#define KEY_AES_LEN  32
#define KEY_HMAC_LEN 32

_Static_assert(KEY_NAME_LEN + KEY_AES_LEN + KEY_HMAC_LEN == TLS_TICKET_KEY_LEN,
    "a ticket key is a name and two keys");

struct tls_context {
	unsigned refs;
	SSL_CTX **each; /* a server's: one a pair, the default first; a
			   client's: one */
	size_t n;
	SSL_CTX *home; /* of the pair for our own domain; borrowed from each */
	SSL_SESSION *last; /* a client's: the newest session; or NULL */
	size_t tickets_n;
	struct tls_ticket_key tickets[TLS_TICKET_KEYS];
};

/* In order of preference. */
static const unsigned char server_protocols[] = "\3ltp\10http/1.1";

/* With TLS 1.2 only what has forward secrecy and authenticated encryption; no
 * group that is dear to compute, since strangers choose. */
#define SERVER_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define SERVER_GROUPS  "X25519:P-256:P-384"

__attribute__((format(printf, 2, 3))) static void
say(char why[TLS_WHY_MAX], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, TLS_WHY_MAX, fmt, args);
	va_end(args);
}

/* What OpenSSL has against a file: its first word, which is the cause. */
static const char *
error_text(void)
{
	unsigned long error = ERR_peek_error();
	const char *text = ERR_reason_error_string(error);

	if (ERR_SYSTEM_ERROR(error))
		return strerrordesc_np(ERR_GET_REASON(error));
	return text != NULL ? text : "not PEM";
}

/* --- the life of a context ----------------------------------------------- */

void
tls_init(void)
{
	uint8_t byte;

	/* What is wrong with the file is said by who makes a context. */
	(void)OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
	/* Both generators are made when they are first asked, and OpenSSL 3.0
	 * crashes if it finds no memory for one. */
	(void)RAND_bytes(&byte, 1);
	(void)RAND_priv_bytes(&byte, 1);
}

static struct tls_context *
context_new(size_t n)
{
	struct tls_context *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->refs = 1;
	if ((c->each = calloc(n, sizeof(*c->each))) == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

void
tls_context_free(struct tls_context *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	for (size_t i = 0; i < c->n; i++)
		SSL_CTX_free(c->each[i]);
	SSL_SESSION_free(c->last);
	free(c->each);
	OPENSSL_cleanse(c->tickets, sizeof(c->tickets));
	free(c);
}

struct tls_context *
tls_context_ref(struct tls_context *c)
{
	c->refs++;
	return c;
}

SSL_CTX *
tls_context_ssl(const struct tls_context *c)
{
	return c->home;
}

/* What every connection has, on either side. */
static SSL_CTX *
add_ctx(struct tls_context *c, const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL)
		return NULL;
	c->each[c->n++] = ctx;
	SSL_CTX_set_app_data(ctx, c);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	/* A peer that just closes still gets what we have to say to it; that
	 * there was no close_notify is noticed elsewhere (tls.c). */
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		     SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	/* Header and body of a record with one read(2). */
	SSL_CTX_set_read_ahead(ctx, 1);
	return ctx;
}

/* --- servers: certificate and key ---------------------------------------- */

/* A key that is locked with a password is refused, and nobody is asked. */
static int /* its type is given: NOLINTNEXTLINE(*-non-const-parameter) */
no_password(char *buf, int size, int writing, void *arg)
{
	bool *was_asked = arg;

	(void)buf;
	(void)size;
	(void)writing;
	*was_asked = true;
	return -1;
}

/* True, and `why` says it, if today is not within its dates. */
static bool
is_out_of_date(const X509 *cert, const char *name, char why[TLS_WHY_MAX])
{
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0) {
		say(why, "%s: the certificate has expired", name);
		return true;
	}
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0) {
		say(why, "%s: the certificate is not valid yet", name);
		return true;
	}
	return false;
}

/* The certificate and what follows it in the file, its chain. */
static bool
use_chain(SSL_CTX *ctx, BIO *bio, const char *name, bool any_date,
    char why[TLS_WHY_MAX])
{
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	bool is_good;

	if (cert == NULL) {
		say(why, "%s: no certificate can be read: %s", name,
		    error_text());
		return false;
	}
	is_good = any_date || !is_out_of_date(cert, name, why);
	if (is_good && SSL_CTX_use_certificate(ctx, cert) != 1) {
		say(why, "%s: the certificate cannot be used: %s", name,
		    error_text());
		is_good = false;
	}
	X509_free(cert);
	while (is_good &&
	       (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			say(why, "%s: its chain cannot be used", name);
			is_good = false;
		}
	ERR_clear_error(); /* that there are no more */
	return is_good;
}

static bool
use_key(
    SSL_CTX *ctx, BIO *bio, const struct tls_pair *pair, char why[TLS_WHY_MAX])
{
	bool was_asked = false;
	EVP_PKEY *key =
	    PEM_read_bio_PrivateKey(bio, NULL, no_password, &was_asked);
	bool is_good = false;

	if (was_asked)
		say(why, "%s: the key is locked with a password",
		    pair->key_name);
	else if (key == NULL)
		say(why, "%s: no key can be read: %s", pair->key_name,
		    error_text());
	else if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), key) !=
		 1)
		say(why, "%s: the key does not match the certificate in %s",
		    pair->key_name, pair->cert_name);
	else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
		say(why, "%s: the key cannot be used: %s", pair->key_name,
		    error_text());
	else
		is_good = true;
	EVP_PKEY_free(key);
	ERR_clear_error();
	return is_good;
}

/* Of an empty file there may be no text at all. */
static BIO *
text_bio(const char *text, size_t len)
{
	return BIO_new_mem_buf(
	    len > 0 ? text : "", len > INT_MAX ? INT_MAX : (int)len);
}

static bool
use_pair(SSL_CTX *ctx, const struct tls_pair *pair, bool any_date,
    char why[TLS_WHY_MAX])
{
	BIO *cert = text_bio(pair->cert, pair->cert_len);
	BIO *key = text_bio(pair->key, pair->key_len);
	bool is_good = false;

	ERR_clear_error();
	if (cert == NULL || key == NULL)
		say(why, "out of memory");
	else
		is_good =
		    use_chain(ctx, cert, pair->cert_name, any_date, why) &&
		    use_key(ctx, key, pair, why);
	BIO_free(cert);
	BIO_free(key);
	return is_good;
}

/* --- servers: name, protocol, tickets ------------------------------------ */

/* The pair for a name: exact before wildcard; NULL if none fits. */
static SSL_CTX *
find_pair(const struct tls_context *c, const char *name)
{
	static const unsigned flags[] = { X509_CHECK_FLAG_NO_WILDCARDS,
		X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS };

	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < c->n; i++)
			if (X509_check_host(
				SSL_CTX_get0_certificate(c->each[i]), name, 0,
				flags[pass], NULL) == 1)
				return c->each[i];
	return NULL;
}

static int /* its type is given: NOLINTNEXTLINE(*-non-const-parameter) */
choose_pair(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_context *c = arg;
	SSL_CTX *found = name == NULL ? NULL : find_pair(c, name);

	(void)alert;
	if (found != NULL)
		SSL_set_SSL_CTX(ssl, found);
	return name == NULL ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto((unsigned char **)out, out_len,
		server_protocols, sizeof(server_protocols) - 1, in,
		in_len) == OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The key that a ticket was sealed with, or NULL. */
static const struct tls_ticket_key *
find_ticket_key(const struct tls_context *c, const unsigned char *name)
{
	for (size_t i = 0; i < c->tickets_n; i++)
		if (memcmp(c->tickets[i].bytes, name, KEY_NAME_LEN) == 0)
			return &c->tickets[i];
	return NULL;
}

static bool
use_ticket_key(const struct tls_ticket_key *key, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals)
{
	const uint8_t *aes = key->bytes + KEY_NAME_LEN;
	uint8_t *hmac = (uint8_t *)aes + KEY_AES_LEN;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, hmac, KEY_HMAC_LEN),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(
		   cipher, EVP_aes_256_cbc(), NULL, aes, iv, seals) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* 1: take it; 2: take it and send a new one; 0: no such key; -1: failed
 * (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)). With TLS 1.3 clients use a ticket
 * once only (RFC 8446, appendix C.4), so each is answered with another. */
static int
ticket_cb(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals)
{
	const struct tls_context *c =
	    SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct tls_ticket_key *key = &c->tickets[0];

	if (seals) {
		memcpy(name, key->bytes, KEY_NAME_LEN);
		if (RAND_bytes(
			iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
	} else if ((key = find_ticket_key(c, name)) == NULL) {
		return 0;
	}
	if (!use_ticket_key(key, iv, cipher, mac, seals))
		return -1;
	return key == &c->tickets[0] && SSL_version(ssl) < TLS1_3_VERSION ? 1
									  : 2;
}

static SSL_CTX *
add_server_ctx(struct tls_context *c)
{
	SSL_CTX *ctx = add_ctx(c, TLS_server_method());

	if (ctx == NULL)
		return NULL;
	/* All that is known of a session is in its ticket, so that any worker
	 * can resume it. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_cipher_list(ctx, SERVER_CIPHERS) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, SERVER_GROUPS) != 1)
		return NULL;
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_cb);
	SSL_CTX_set_tlsext_servername_callback(ctx, choose_pair);
	SSL_CTX_set_tlsext_servername_arg(ctx, c);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	return ctx;
}

struct tls_context *
tls_server_new(const struct tls_server_setup *setup, char why[TLS_WHY_MAX])
{
	struct tls_context *c = context_new(setup->pairs_n);
	SSL_CTX *ctx;

	say(why, "out of memory");
	if (c == NULL)
		return NULL;
	for (size_t i = 0; i < setup->pairs_n; i++) {
		ctx = add_server_ctx(c);
		if (ctx == NULL ||
		    !use_pair(ctx, &setup->pairs[i], setup->any_date, why)) {
			tls_context_free(c);
			return NULL;
		}
	}
	c->home = setup->domain == NULL ? NULL : find_pair(c, setup->domain);
	if (c->home == NULL)
		c->home = c->each[0];
	c->tickets_n = setup->tickets_n;
	memcpy(c->tickets, setup->tickets,
	    setup->tickets_n * sizeof(c->tickets[0]));
	return c;
}

bool
tls_context_scope(SSL *ssl, const char *scope)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];

	SHA256((const uint8_t *)scope, strlen(scope), hash);
	return SSL_set_session_id_context(ssl, hash, sizeof(hash)) == 1;
}

/* --- clients ------------------------------------------------------------- */

/* A session has come, or a better ticket for it: it becomes ours. */
static int
new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(c->last);
	c->last = SSL_SESSION_dup(session);
	return 0;
}

static bool
trust(SSL_CTX *ctx, const struct tls_client_setup *setup, char why[TLS_WHY_MAX])
{
	if (setup->is_insecure) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
		return true;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (setup->ca_file == NULL) {
		if (SSL_CTX_set_default_verify_paths(ctx) == 1)
			return true;
		say(why, "the system's certificates cannot be read: %s",
		    error_text());
		return false;
	}
	if (SSL_CTX_load_verify_file(ctx, setup->ca_file) == 1)
		return true;
	say(why, "%s: no certificates can be read: %s", setup->ca_file,
	    error_text());
	return false;
}

/* The certificate that a client shows if it is asked for one. */
static bool
show(SSL_CTX *ctx, const struct tls_client_setup *setup, char why[TLS_WHY_MAX])
{
	bool was_asked = false;

	if (setup->cert_file == NULL)
		return true;
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &was_asked);
	if (SSL_CTX_use_certificate_chain_file(ctx, setup->cert_file) != 1) {
		say(why, "%s: no certificate can be read: %s", setup->cert_file,
		    error_text());
		return false;
	}
	if (SSL_CTX_use_PrivateKey_file(
		ctx, setup->key_file, SSL_FILETYPE_PEM) == 1)
		return true;
	if (was_asked)
		say(why, "%s: the key is locked with a password",
		    setup->key_file);
	else if (ERR_GET_REASON(ERR_peek_last_error()) ==
		 X509_R_KEY_VALUES_MISMATCH)
		say(why, "%s: the key does not match the certificate in %s",
		    setup->key_file, setup->cert_file);
	else
		say(why, "%s: no key can be read: %s", setup->key_file,
		    error_text());
	return false;
}

static bool
offer(SSL_CTX *ctx, const char *protocol)
{
	unsigned char list[256];
	size_t len;

	if (protocol == NULL)
		return true;
	len = strlen(protocol);
	list[0] = (unsigned char)len;
	memcpy(list + 1, protocol, len);
	return SSL_CTX_set_alpn_protos(ctx, list, (unsigned)len + 1) == 0;
}

struct tls_context *
tls_client_new(const struct tls_client_setup *setup, char why[TLS_WHY_MAX])
{
	struct tls_context *c = context_new(1);
	SSL_CTX *ctx;

	tls_init();
	ctx = c == NULL ? NULL : add_ctx(c, TLS_client_method());
	say(why, "out of memory");
	ERR_clear_error();
	if (ctx == NULL || !offer(ctx, setup->alpn) ||
	    !trust(ctx, setup, why) || !show(ctx, setup, why)) {
		ERR_clear_error();
		tls_context_free(c);
		return NULL;
	}
	c->home = ctx;
	SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, new_session);
	return c;
}

/* A literal address is looked for among the addresses of a certificate. */
static bool
is_literal(const char *host)
{
	unsigned char addr[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, addr) == 1 ||
	       inet_pton(AF_INET6, host, addr) == 1;
}

bool
tls_context_expect(struct tls_context *c, SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	SSL_SESSION *session;

	/* A copy, since OpenSSL would use a ticket only once: so that nobody
	 * can tell that two connections are from one client, which is no
	 * secret here. Many are opened at once. */
	if (c->last != NULL && SSL_SESSION_is_resumable(c->last) == 1) {
		session = SSL_SESSION_dup(c->last);
		SSL_set_session(ssl, session);
		SSL_SESSION_free(session);
	}
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return is_literal(host)
		   ? X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1
		   : X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

void
tls_context_forget(struct tls_context *c)
{
	SSL_SESSION_free(c->last);
	c->last = NULL;
}
