/* SPDX-License-Identifier: ISC
 *
 * What tests need for TLS: certificates, made anew in each run and never
 * written into the tree, contexts that trust them, and handshakes with both
 * ends in one process.
 */
#ifndef LT_TESTS_COMMON_TLS_RIG_H
#define LT_TESTS_COMMON_TLS_RIG_H

#include "common/tls.h"

#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/clock.h"

#define RIG_DAY (24 * 3600)

/* A certificate, its key, and both as PEM. */
struct rig_cert {
	X509 *x509;
	EVP_PKEY *pkey;
	char *cert;
	char *key;
};

/* What is in a BIO, as text; frees the BIO. */
static inline char *
rig_text(BIO *bio)
{
	char *data, *text;
	long len = BIO_get_mem_data(bio, &data);

	text = strndup(data, (size_t)len);
	BIO_free(bio);
	return text;
}

static inline void
rig_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ck_assert_ptr_nonnull(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

/* A certificate from the authority `by` (NULL: it is one itself) for `names`
 * ("DNS:a.example,IP:127.0.0.1"), good from one day to another one, counted
 * from today. */
static inline struct rig_cert
rig_issue_dated(
    const struct rig_cert *by, const char *names, long from, long to)
{
	static long serial = 1;
	struct rig_cert c = { X509_new(), EVP_EC_gen("P-256"), NULL, NULL };
	X509 *issuer = by != NULL ? by->x509 : c.x509;
	X509_NAME *name = X509_get_subject_name(c.x509);
	char cn[32];
	BIO *bio;

	X509_set_version(c.x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x509), serial);
	snprintf(cn, sizeof(cn), "number %ld", serial++);
	X509_gmtime_adj(X509_getm_notBefore(c.x509), from * RIG_DAY);
	X509_gmtime_adj(X509_getm_notAfter(c.x509), to * RIG_DAY);
	X509_set_pubkey(c.x509, c.pkey);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(c.x509, X509_get_subject_name(issuer));
	rig_extend(c.x509, issuer, NID_basic_constraints,
	    by != NULL ? "critical,CA:FALSE" : "critical,CA:TRUE");
	rig_extend(c.x509, issuer, NID_subject_key_identifier, "hash");
	if (names != NULL)
		rig_extend(c.x509, issuer, NID_subject_alt_name, names);
	ck_assert_int_gt(
	    X509_sign(c.x509, by != NULL ? by->pkey : c.pkey, EVP_sha256()), 0);
	PEM_write_bio_X509(bio = BIO_new(BIO_s_mem()), c.x509);
	c.cert = rig_text(bio);
	PEM_write_bio_PrivateKey(
	    bio = BIO_new(BIO_s_mem()), c.pkey, NULL, NULL, 0, NULL, NULL);
	c.key = rig_text(bio);
	return c;
}

static inline struct rig_cert
rig_issue(const struct rig_cert *by, const char *names)
{
	return rig_issue_dated(by, names, -1, 30);
}

static inline void
rig_cert_fini(struct rig_cert *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->pkey);
	free(c->cert);
	free(c->key);
}

static inline struct tls_pair
rig_pair(const struct rig_cert *c)
{
	return (struct tls_pair){ c->cert, strlen(c->cert), c->key,
		strlen(c->key), "cert.pem", "key.pem" };
}

/* A file with this text; `path` ends in XXXXXX and is filled in. */
static inline void
rig_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A server with one certificate. */
static inline struct tls_context *
rig_server(const struct rig_cert *cert)
{
	struct tls_pair pair = rig_pair(cert);
	struct tls_ticket_key key = { .bytes = "a ticket key of this test" };
	struct tls_server_setup setup = {
		.pairs = &pair, .pairs_n = 1, .tickets = &key, .tickets_n = 1
	};
	char why[TLS_WHY_MAX];
	struct tls_context *c = tls_server_new(&setup, why);

	ck_assert_msg(c != NULL, "%s", why);
	return c;
}

/* A client that trusts an authority. */
static inline struct tls_context *
rig_client(const struct rig_cert *ca, const char *alpn)
{
	char path[] = "/tmp/check-ca-XXXXXX", why[TLS_WHY_MAX];
	struct tls_client_setup setup = { .alpn = alpn, .ca_file = path };
	struct tls_context *c;

	rig_file(path, ca->cert);
	c = tls_client_new(&setup, why);
	unlink(path);
	ck_assert_msg(c != NULL, "%s", why);
	return c;
}

static inline bool
rig_is_under_way(enum tls_result how)
{
	return how == TLS_WANT_READ || how == TLS_WANT_WRITE;
}

/* Both ends in turn, until both know how it ends. */
static inline void
rig_handshake(struct tls *one, struct tls *two, enum tls_result how[2])
{
	uint64_t deadline = clock_ms() + 20000;

	how[0] = how[1] = TLS_WANT_READ;
	while (rig_is_under_way(how[0]) || rig_is_under_way(how[1])) {
		ck_assert_msg(clock_ms() < deadline, "no end of a handshake");
		if (rig_is_under_way(how[0]))
			how[0] = tls_handshake(one);
		if (rig_is_under_way(how[1]))
			how[1] = tls_handshake(two);
		sched_yield();
	}
}

/* One that must succeed; the client has read its ticket afterwards. */
static inline void
rig_join(struct tls *client, struct tls *server)
{
	enum tls_result how[2];
	char c;

	rig_handshake(client, server, how);
	ck_assert_msg(how[0] == TLS_OK, "client: %s", tls_why(client));
	ck_assert_msg(how[1] == TLS_OK, "server: %s", tls_why(server));
	ck_assert_int_eq(tls_read(client, &c, 1), -1);
}

#endif
