/* SPDX-License-Identifier: ISC
 *
 * What TLS connections share: which certificate is shown, whom a client
 * trusts, which protocols and versions are agreed on, who may resume; and that
 * a file with a fault is named.
 */
#define _GNU_SOURCE

#include "common/tls_context.h"

#include <errno.h>
#include <signal.h>

#include <openssl/err.h>

#include "tests/common/pair_rig.h"
#include "tests/common/tls_rig.h"

#define HOST "tunnel.example"

static struct rig_cert ca, leaf;
static const struct tls_ticket_key key_a = { .bytes = "this is one key" };
static const struct tls_ticket_key key_b = { .bytes = "here is another" };

static void
setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	ca = rig_issue(NULL, NULL);
	leaf = rig_issue(&ca, "DNS:" HOST ",IP:127.0.0.1,IP:::1");
}

static void
teardown(void)
{
	rig_cert_fini(&ca);
	rig_cert_fini(&leaf);
}

/* --- one handshake ------------------------------------------------------- */

struct call {
	int fd[2];
	struct tls *client;
	struct tls *server;
	enum tls_result how[2]; /* of client and server */
};

static void
call_scoped(struct call *c, struct tls_context *client,
    struct tls_context *server, const char *name, const char *scope)
{
	char byte;

	small_pair(false, c->fd);
	c->client = tls_connect_new(client, c->fd[0], name, HOST);
	c->server = tls_accept_new(server, c->fd[1], scope);
	ck_assert_ptr_nonnull(c->client);
	ck_assert_ptr_nonnull(c->server);
	rig_handshake(c->client, c->server, c->how);
	if (c->how[0] == TLS_OK)
		ck_assert_int_eq(tls_read(c->client, &byte, 1), -1);
}

static void
hang_up(struct call *c)
{
	tls_free(c->client);
	close(c->fd[0]);
	close(c->fd[1]);
	tls_free(c->server); /* after its descriptor, as well as before */
}

static bool
is_done(const struct call *c)
{
	return c->how[0] == TLS_OK && c->how[1] == TLS_OK;
}

/* True if a client who wants `host` is content with what it gets for `name`. */
static bool
is_shown(struct tls_context *client, struct tls_context *server,
    const char *name, const char *host)
{
	struct call c;
	bool is_good;

	small_pair(false, c.fd);
	c.client = tls_connect_new(client, c.fd[0], name, host);
	c.server = tls_accept_new(server, c.fd[1], "here");
	rig_handshake(c.client, c.server, c.how);
	is_good = c.how[0] == TLS_OK;
	if (!is_good)
		ck_assert_ptr_nonnull(
		    strstr(tls_why(c.client), "hostname mismatch"));
	hang_up(&c);
	return is_good;
}

/* --- certificates by name ------------------------------------------------- */

static struct tls_context *
server_of(const struct rig_cert certs[], size_t n, const char *domain)
{
	struct tls_pair pairs[4];
	struct tls_server_setup s = { .pairs = pairs,
		.pairs_n = n,
		.domain = domain,
		.tickets = &key_a,
		.tickets_n = 1 };
	char why[TLS_WHY_MAX];
	struct tls_context *c;

	for (size_t i = 0; i < n; i++)
		pairs[i] = rig_pair(&certs[i]);
	c = tls_server_new(&s, why);
	ck_assert_msg(c != NULL, "%s", why);
	return c;
}

/* Each certificate has a name of its own, which tells it from the others. */
START_TEST(pair_is_chosen_by_name)
{
	static const struct {
		const char *name;
		const char *host;
	} rows[] = {
		{ "first.example", "m0.example" },
		{ "a.dom.example", "m1.example" },
		{ "A.DOM.Example", "m1.example" },
		{ "exact.dom.example", "m2.example" },
		{ "dom.example", "m3.example" },
		{ "a.b.dom.example", "m0.example" }, /* not by the wildcard */
		{ "elsewhere.example", "m0.example" },
		{ "192.0.2.1", "m0.example" },
		{ NULL, "m0.example" },
	};
	struct rig_cert certs[] = {
		rig_issue(&ca, "DNS:first.example,DNS:m0.example"),
		rig_issue(&ca, "DNS:*.dom.example,DNS:m1.example"),
		rig_issue(&ca, "DNS:exact.dom.example,DNS:m2.example"),
		rig_issue(&ca, "DNS:dom.example,DNS:m3.example"),
	};
	struct tls_context *client = rig_client(&ca, NULL);
	struct tls_context *server = server_of(certs, 4, NULL);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(
		    is_shown(client, server, rows[i].name, rows[i].host), "%zu",
		    i);
		tls_context_forget(client);
		ck_assert(
		    !is_shown(client, server, rows[i].name, "another.example"));
	}
	tls_context_free(server);
	/* Whose own domain is that of the fourth shows it to all others. */
	server = server_of(certs, 4, "dom.example");
	ck_assert(is_shown(client, server, NULL, "m3.example"));
	tls_context_forget(client);
	ck_assert(is_shown(client, server, "elsewhere.example", "m3.example"));
	tls_context_forget(client);
	ck_assert(is_shown(client, server, "first.example", "m0.example"));
	tls_context_free(server);
	tls_context_forget(client);
	/* Nobody has a certificate for that: the first. */
	server = server_of(certs, 4, "nowhere.example");
	ck_assert(is_shown(client, server, NULL, "m0.example"));
	tls_context_free(server);
	tls_context_free(client);
	for (size_t i = 0; i < 4; i++)
		rig_cert_fini(&certs[i]);
}
END_TEST

/* --- files with faults ---------------------------------------------------- */

/* A pair is refused, and what is said about it has all these words. */
static void
refused(const struct tls_pair *pair, const char *file, const char *words)
{
	struct tls_pair pairs[2] = { rig_pair(&leaf), *pair };
	struct tls_server_setup s = {
		.pairs = pairs, .pairs_n = 2, .tickets = &key_a, .tickets_n = 1
	};
	char why[TLS_WHY_MAX] = "";

	pairs[1].cert_name = "/etc/second.crt";
	pairs[1].key_name = "/etc/second.key";
	ck_assert_ptr_null(tls_server_new(&s, why));
	ck_assert_msg(strstr(why, file) != NULL, "%s", why);
	ck_assert_msg(strstr(why, words) != NULL, "%s", why);
}

static void
swap_cert(struct tls_pair *pair, const char *text)
{
	pair->cert = text;
	pair->cert_len = strlen(text);
}

static void
swap_key(struct tls_pair *pair, const char *text)
{
	pair->key = text;
	pair->key_len = strlen(text);
}

START_TEST(faults_of_certificates)
{
	struct rig_cert old = rig_issue_dated(&ca, "DNS:" HOST, -30, -1);
	struct rig_cert early = rig_issue_dated(&ca, "DNS:" HOST, 1, 30);
	struct tls_pair pair = rig_pair(&old);

	refused(&pair, "/etc/second.crt", "has expired");
	pair = rig_pair(&early);
	refused(&pair, "/etc/second.crt", "not valid yet");
	pair = rig_pair(&leaf);
	swap_cert(&pair, "");
	refused(&pair, "/etc/second.crt", "no certificate can be read");
	swap_cert(&pair, "once upon a time\n");
	refused(&pair, "/etc/second.crt", "no certificate can be read");
	swap_cert(&pair, "-----BEGIN CERTIFICATE-----\nAAAA\n"
			 "-----END CERTIFICATE-----\n");
	refused(&pair, "/etc/second.crt", "no certificate can be read");
	swap_cert(&pair, leaf.key);
	refused(&pair, "/etc/second.crt", "no certificate can be read");
	pair.cert = NULL; /* an empty file has no bytes to point at */
	pair.cert_len = 0;
	refused(&pair, "/etc/second.crt", "no certificate can be read");
	rig_cert_fini(&old);
	rig_cert_fini(&early);
}
END_TEST

/* The key of `leaf` behind a password. */
static char *
locked_key(void)
{
	BIO *bio = BIO_new(BIO_s_mem());
	unsigned char password[] = "secret";

	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, leaf.pkey,
			     EVP_aes_256_cbc(), password, 6, NULL, NULL),
	    1);
	return rig_text(bio);
}

START_TEST(faults_of_keys)
{
	struct tls_pair pair = rig_pair(&leaf);
	char *locked = locked_key();

	swap_key(&pair, ca.key);
	refused(&pair, "/etc/second.key", "does not match");
	refused(&pair, "/etc/second.crt", "does not match");
	swap_key(&pair, "");
	refused(&pair, "/etc/second.key", "no key can be read");
	swap_key(&pair, leaf.cert);
	refused(&pair, "/etc/second.key", "no key can be read");
	swap_key(&pair, locked);
	refused(&pair, "/etc/second.key", "locked with a password");
	pair.key = NULL;
	pair.key_len = 0;
	refused(&pair, "/etc/second.key", "no key can be read");
	free(locked);
}
END_TEST

/* What a client is told, with `file` in it. */
static void
client_refused(
    const struct tls_client_setup *s, const char *file, const char *words)
{
	char why[TLS_WHY_MAX] = "";

	ck_assert_ptr_null(tls_client_new(s, why));
	ck_assert_msg(strstr(why, file) != NULL, "%s", why);
	ck_assert_msg(strstr(why, words) != NULL, "%s", why);
}

START_TEST(faults_of_clients)
{
	char cert[] = "/tmp/check-crt-XXXXXX", key[] = "/tmp/check-key-XXXXXX";
	char locked[] = "/tmp/check-lck-XXXXXX", *text = locked_key();
	char other[] = "/tmp/check-oth-XXXXXX";
	struct tls_client_setup s = { .ca_file = "/nowhere/ca.pem" };

	rig_file(cert, leaf.cert);
	rig_file(key, leaf.key);
	rig_file(locked, text);
	rig_file(other, ca.key);
	client_refused(&s, "/nowhere/ca.pem", "No such file");
	s.ca_file = key; /* there is none in it */
	client_refused(&s, key, "no certificates can be read");
	s.ca_file = cert;
	s.cert_file = "/nowhere/cert.pem";
	s.key_file = key;
	client_refused(&s, "/nowhere/cert.pem", "No such file");
	s.cert_file = cert;
	s.key_file = "/nowhere/key.pem";
	client_refused(&s, "/nowhere/key.pem", "No such file");
	s.key_file = locked;
	client_refused(&s, locked, "locked with a password");
	s.key_file = other;
	client_refused(&s, other, "does not match");
	s.key_file = cert;
	client_refused(&s, cert, "no key can be read");
	unlink(cert);
	unlink(key);
	unlink(locked);
	unlink(other);
	free(text);
}
END_TEST

/* --- handshakes ----------------------------------------------------------- */

static struct tls_context *
client_at_most(int version)
{
	struct tls_context *c = rig_client(&ca, NULL);

	SSL_CTX_set_max_proto_version(tls_context_ssl(c), version);
	return c;
}

/* Over Unix and TCP sockets, with 1.2 and 1.3. */
START_TEST(handshake)
{
	struct tls_context *client =
	    client_at_most(_i & 2 ? TLS1_3_VERSION : TLS1_2_VERSION);
	struct tls_context *server = rig_server(&leaf);
	struct tls *c, *s;
	char buf[8];
	int fd[2];

	small_pair(_i & 1, fd);
	c = tls_connect_new(client, fd[0], "A.Name.Example", HOST);
	s = tls_accept_new(server, fd[1], "here");
	/* They outlive what they were made from. */
	tls_context_free(client);
	tls_context_free(server);
	ck_assert_int_eq(tls_handshake(s), TLS_WANT_READ);
	rig_join(c, s);
	ck_assert_str_eq(tls_server_name(s), "A.Name.Example");
	ck_assert(!tls_is_resumed(c));
	ck_assert(!tls_is_resumed(s));
	ck_assert_int_eq(tls_write(c, "hello", 5), 5);
	ck_assert_int_eq(tls_read(s, buf, sizeof(buf)), 5);
	ck_assert_mem_eq(buf, "hello", 5);
	close(fd[0]);
	close(fd[1]);
	tls_free(c);
	tls_free(s);
}
END_TEST

/* Whom the client expects, whether it is him, and what is said if not. */
START_TEST(whom_the_client_expects)
{
	static const struct {
		const char *host;
		const char *why; /* NULL: it is him */
	} rows[] = {
		{ HOST, NULL },
		{ "Tunnel.EXAMPLE", NULL },
		{ "127.0.0.1", NULL },
		{ "::1", NULL },
		{ "other.example", "hostname mismatch" },
		{ "x." HOST, "hostname mismatch" },
		{ "127.0.0.2", "IP address mismatch" },
		{ "::2", "IP address mismatch" },
	};
	struct tls_context *client = client_at_most(_i);
	struct tls_context *server = rig_server(&leaf);
	struct call c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		small_pair(false, c.fd);
		c.client = tls_connect_new(client, c.fd[0], HOST, rows[i].host);
		c.server = tls_accept_new(server, c.fd[1], "here");
		rig_handshake(c.client, c.server, c.how);
		if (rows[i].why == NULL) {
			ck_assert(is_done(&c));
		} else {
			ck_assert_int_eq(c.how[0], TLS_BAD);
			ck_assert_ptr_nonnull(
			    strstr(tls_why(c.client), rows[i].why));
		}
		hang_up(&c);
		tls_context_forget(client);
	}
	tls_context_free(client);
	tls_context_free(server);
}
END_TEST

START_TEST(unknown_authority)
{
	struct rig_cert other = rig_issue(NULL, NULL);
	struct tls_context *client = rig_client(&other, NULL);
	struct tls_context *server = rig_server(&leaf);
	char byte;
	struct call c;

	call_scoped(&c, client, server, HOST, "here");
	ck_assert_int_eq(c.how[0], TLS_BAD);
	ck_assert_ptr_nonnull(strstr(tls_why(c.client), "issuer certificate"));
	/* With 1.3 the server has finished by the time it hears of it. */
	ck_assert_int_eq(tls_read(c.server, &byte, 1), -1);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_ptr_nonnull(strstr(tls_why(c.server), "unknown ca"));
	hang_up(&c);
	tls_context_free(client);
	tls_context_free(server);
	rig_cert_fini(&other);
}
END_TEST

/* Whoever wants it so takes anything, and says so by a setting of his own. */
START_TEST(insecure)
{
	struct rig_cert alone = rig_issue(NULL, "DNS:whoever.example");
	struct tls_client_setup setup = { .is_insecure = true };
	char why[TLS_WHY_MAX];
	struct tls_context *client = tls_client_new(&setup, why);
	struct tls_context *server = rig_server(&alone);
	struct call c;

	call_scoped(&c, client, server, HOST, "here");
	ck_assert(is_done(&c));
	hang_up(&c);
	tls_context_free(client);
	/* The roots of the system do not know it. */
	setup.is_insecure = false;
	client = tls_client_new(&setup, why);
	ck_assert_ptr_nonnull(client);
	call_scoped(&c, client, server, HOST, "here");
	ck_assert_int_eq(c.how[0], TLS_BAD);
	hang_up(&c);
	tls_context_free(client);
	tls_context_free(server);
	rig_cert_fini(&alone);
}
END_TEST

/* A server that asks for a certificate is shown the client's. */
START_TEST(client_certificate)
{
	char cert[] = "/tmp/check-crt-XXXXXX", key[] = "/tmp/check-key-XXXXXX";
	struct tls_client_setup setup = {
		.is_insecure = true, .cert_file = cert, .key_file = key
	};
	struct tls_context *server = rig_server(&leaf), *client;
	SSL_CTX *ctx = tls_context_ssl(server);
	char why[TLS_WHY_MAX];
	struct call c;

	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca.x509);
	SSL_CTX_set_verify(
	    ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	rig_file(cert, leaf.cert);
	rig_file(key, leaf.key);
	client = tls_client_new(&setup, why);
	ck_assert_msg(client != NULL, "%s", why);
	call_scoped(&c, client, server, HOST, "here");
	ck_assert(is_done(&c));
	hang_up(&c);
	tls_context_free(client);
	setup.cert_file = NULL;
	client = tls_client_new(&setup, why);
	call_scoped(&c, client, server, HOST, "here");
	ck_assert_int_eq(c.how[1], TLS_BAD);
	hang_up(&c);
	tls_context_free(client);
	tls_context_free(server);
	unlink(cert);
	unlink(key);
}
END_TEST

START_TEST(protocols)
{
	static const char *const offers[] = { "ltp", "http/1.1", NULL, "h2" };
	struct tls_context *server = rig_server(&leaf), *client;
	struct call c;

	for (size_t i = 0; i < 4; i++) {
		client = rig_client(&ca, offers[i]);
		call_scoped(&c, client, server, HOST, "here");
		ck_assert_int_eq(tls_is_alpn(c.server, TLS_ALPN_LTP), i == 0);
		ck_assert_int_eq(tls_is_alpn(c.client, TLS_ALPN_LTP), i == 0);
		ck_assert_int_eq(tls_is_alpn(c.server, TLS_ALPN_HTTP), i == 1);
		ck_assert_int_eq(tls_is_alpn(c.client, TLS_ALPN_HTTP), i == 1);
		if (i < 3) {
			ck_assert(is_done(&c));
		} else {
			ck_assert_int_eq(c.how[0], TLS_BAD);
			ck_assert_int_eq(c.how[1], TLS_BAD);
			ck_assert_ptr_nonnull(strstr(tls_why(c.client),
			    "alert no application protocol"));
		}
		hang_up(&c);
		tls_context_free(client);
	}
	tls_context_free(server);
}
END_TEST

/* --- versions ------------------------------------------------------------- */

/* A peer of OpenSSL's own who is content with anything, but nothing new. */
static SSL *
raw_peer(const SSL_METHOD *method, int version, int fd)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	SSL *ssl;

	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_use_certificate(ctx, leaf.x509);
	SSL_CTX_use_PrivateKey(ctx, leaf.pkey);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	SSL_CTX_free(ctx);
	return ssl;
}

START_TEST(old_client)
{
	struct tls_context *server = rig_server(&leaf);
	enum tls_result how;
	struct tls *t;
	int fd[2], i, n = -1;
	SSL *old;

	small_pair(false, fd);
	old = raw_peer(TLS_client_method(), TLS1_1_VERSION, fd[0]);
	SSL_set_connect_state(old);
	t = tls_accept_new(server, fd[1], "here");
	ck_assert_int_eq(SSL_do_handshake(old), -1);
	how = tls_handshake(t);
	for (i = 0; i < 5 && n == -1; i++)
		n = SSL_do_handshake(old);
	ck_assert_int_eq(how, TLS_BAD);
	ck_assert_str_eq(tls_why(t), "unsupported protocol");
	ck_assert_int_eq(n, -1);
	ck_assert_int_eq(ERR_GET_REASON(ERR_peek_last_error()),
	    SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
	SSL_free(old);
	tls_free(t);
	close(fd[0]);
	close(fd[1]);
	tls_context_free(server);
}
END_TEST

START_TEST(old_server)
{
	struct tls_context *client = rig_client(&ca, NULL);
	enum tls_result how = TLS_WANT_READ;
	struct tls *t;
	int fd[2], i;
	SSL *old;

	small_pair(false, fd);
	old = raw_peer(TLS_server_method(), TLS1_1_VERSION, fd[1]);
	SSL_set_accept_state(old);
	t = tls_connect_new(client, fd[0], HOST, HOST);
	for (i = 0; i < 5 && how != TLS_BAD; i++) {
		how = tls_handshake(t);
		SSL_do_handshake(old);
	}
	ck_assert_int_eq(how, TLS_BAD);
	ck_assert_ptr_nonnull(strstr(tls_why(t), "protocol version"));
	SSL_free(old);
	tls_free(t);
	close(fd[0]);
	close(fd[1]);
	tls_context_free(client);
}
END_TEST

START_TEST(no_renegotiation)
{
	struct tls_context *server = rig_server(&leaf);
	struct tls *t;
	int fd[2], i;
	char buf[8];
	SSL *peer;

	small_pair(false, fd);
	peer = raw_peer(TLS_client_method(), TLS1_2_VERSION, fd[0]);
	SSL_set_connect_state(peer);
	t = tls_accept_new(server, fd[1], "here");
	for (i = 0; i < 5; i++) {
		SSL_do_handshake(peer);
		tls_handshake(t);
	}
	ck_assert_int_eq(SSL_write(peer, "x", 1), 1);
	ck_assert_int_eq(tls_read(t, buf, sizeof(buf)), 1);
	ck_assert_int_eq(SSL_renegotiate(peer), 1);
	ck_assert_int_eq(SSL_do_handshake(peer), -1);
	ck_assert_int_eq(tls_read(t, buf, sizeof(buf)), -1);
	ck_assert_int_eq(SSL_do_handshake(peer), -1);
	ck_assert_int_eq(
	    ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
	SSL_free(peer);
	tls_free(t);
	close(fd[0]);
	close(fd[1]);
	tls_context_free(server);
}
END_TEST

/* --- tickets -------------------------------------------------------------- */

static struct tls_context *
server_with_keys(
    const struct tls_ticket_key *one, const struct tls_ticket_key *two)
{
	struct tls_ticket_key keys[2] = { *one, two != NULL ? *two : *one };
	struct tls_pair pair = rig_pair(&leaf);
	struct tls_server_setup s = { .pairs = &pair,
		.pairs_n = 1,
		.tickets = keys,
		.tickets_n = two != NULL ? 2 : 1 };
	char why[TLS_WHY_MAX];
	struct tls_context *c = tls_server_new(&s, why);

	ck_assert_msg(c != NULL, "%s", why);
	return c;
}

/* Calls once more; both sides agree on whether it was a short handshake. */
static bool
is_resumed(
    struct tls_context *client, struct tls_context *server, const char *scope)
{
	struct call c;
	bool answer;

	call_scoped(&c, client, server, HOST, scope);
	ck_assert(is_done(&c));
	answer = tls_is_resumed(c.client);
	ck_assert_int_eq(answer, tls_is_resumed(c.server));
	hang_up(&c);
	return answer;
}

START_TEST(tickets)
{
	struct tls_context *client = client_at_most(_i);
	struct tls_context *one = server_with_keys(&key_a, NULL);
	struct tls_context *two = server_with_keys(&key_a, NULL);
	struct tls_context *newer = server_with_keys(&key_b, &key_a);
	struct tls_context *newest = server_with_keys(&key_b, NULL);

	ck_assert(!is_resumed(client, one, "a scope"));
	ck_assert(is_resumed(client, one, "a scope"));
	ck_assert(is_resumed(client, one, "a scope"));
	/* Another worker has the same keys. */
	ck_assert(is_resumed(client, two, "a scope"));
	/* A ticket opens one tunnel, and not another. */
	ck_assert(!is_resumed(client, two, "scope"));
	ck_assert(!is_resumed(client, two, "a scope"));
	/* A new key, and the old one still opens, */
	ck_assert(is_resumed(client, newer, "a scope"));
	/* what it opened is sealed with the new one since (with 1.2 OpenSSL's
	 * clients stay with the old ticket), */
	ck_assert_int_eq(
	    is_resumed(client, newest, "a scope"), _i == TLS1_3_VERSION);
	/* and what somebody else has sealed is worth nothing. */
	ck_assert(!is_resumed(client, one, "a scope"));
	ck_assert(!is_resumed(client, newest, "a scope"));
	tls_context_free(client);
	tls_context_free(one);
	tls_context_free(two);
	tls_context_free(newer);
	tls_context_free(newest);
}
END_TEST

/* A ticket that someone has changed is no ticket, and no error either. The
 * server's answer to a failed handshake may have been about the session. */
START_TEST(forgotten_after_a_failure)
{
	struct tls_context *client = client_at_most(_i);
	struct tls_context *server = server_with_keys(&key_a, NULL);
	enum tls_result how;
	struct tls *t;
	int fd[2];

	ck_assert(!is_resumed(client, server, "here"));
	ck_assert(is_resumed(client, server, "here"));
	small_pair(false, fd);
	t = tls_connect_new(client, fd[0], HOST, HOST);
	ck_assert_int_eq(tls_handshake(t), TLS_WANT_READ);
	ck_assert_int_eq(write(fd[1], "HTTP/1.1 400 What\r\n", 19), 19);
	how = tls_handshake(t);
	ck_assert_int_eq(how, TLS_BAD);
	ck_assert_str_ne(tls_why(t), "");
	tls_free(t);
	close(fd[0]);
	close(fd[1]);
	ck_assert(!is_resumed(client, server, "here"));
	tls_context_free(client);
	tls_context_free(server);
}
END_TEST

/* The other end goes away in the middle of it. */
START_TEST(end_in_the_handshake)
{
	struct tls_context *server = rig_server(&leaf);
	struct tls *t;
	int fd[2];

	small_pair(_i, fd);
	t = tls_accept_new(server, fd[1], "here");
	ck_assert_int_eq(write(fd[0], "\x16\x03\x01", 3), 3);
	ck_assert_int_eq(tls_handshake(t), TLS_WANT_READ);
	close(fd[0]);
	ck_assert_int_eq(tls_handshake(t), TLS_BAD);
	ck_assert_str_eq(tls_why(t), "the connection was closed");
	ck_assert_int_eq(tls_shutdown(t), 0);
	tls_free(t);
	close(fd[1]);
	tls_context_free(server);
}
END_TEST

static TCase *
contexts_case(void)
{
	TCase *tc = tcase_create("contexts");

	tcase_add_test(tc, pair_is_chosen_by_name);
	tcase_add_test(tc, faults_of_certificates);
	tcase_add_test(tc, faults_of_keys);
	tcase_add_test(tc, faults_of_clients);
	return tc;
}

static TCase *
handshakes_case(void)
{
	TCase *tc = tcase_create("handshakes");

	tcase_add_loop_test(tc, handshake, 0, 4);
	tcase_add_loop_test(
	    tc, whom_the_client_expects, TLS1_2_VERSION, TLS1_3_VERSION + 1);
	tcase_add_test(tc, unknown_authority);
	tcase_add_test(tc, insecure);
	tcase_add_test(tc, client_certificate);
	tcase_add_test(tc, protocols);
	tcase_add_test(tc, old_client);
	tcase_add_test(tc, old_server);
	tcase_add_test(tc, no_renegotiation);
	tcase_add_loop_test(tc, end_in_the_handshake, 0, 2);
	return tc;
}

static TCase *
tickets_case(void)
{
	TCase *tc = tcase_create("tickets");

	tcase_add_loop_test(tc, tickets, TLS1_2_VERSION, TLS1_3_VERSION + 1);
	tcase_add_loop_test(
	    tc, forgotten_after_a_failure, TLS1_2_VERSION, TLS1_3_VERSION + 1);
	return tc;
}

int
main(void)
{
	TCase *cases[] = { contexts_case(), handshakes_case(), tickets_case() };
	Suite *s = suite_create("tls_context");
	SRunner *sr;
	int failed;

	for (size_t i = 0; i < 3; i++) {
		tcase_add_checked_fixture(cases[i], setup, teardown);
		tcase_set_timeout(cases[i], 60);
		suite_add_tcase(s, cases[i]);
	}
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
