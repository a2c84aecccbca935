/* SPDX-License-Identifier: ISC
 *
 * The master's certificates and ticket keys: read, refused, read again,
 * rotated. Certificates are made here, in a directory of the test.
 */
#define _GNU_SOURCE

#include "server/keyring.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "server/certs.h"
#include "server/config.h"

static char dir[] = "/tmp/check_keyring.XXXXXX";
static char before[4096]; /* where we were */
static struct config *config;
static struct event_base *base;
static char why[TLS_WHY_MAX];
static unsigned changes;

static void
set(const char *key, const char *value)
{
	ck_assert_msg(
	    config_set(config, key, value, why, sizeof(why)) == 0, "%s", why);
}

static void
put_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

/* A certificate, good for `days` from yesterday on, and its key. */
static void
make_pair(const char *cert_path, const char *key_path, int days)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	FILE *file;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -24 * 3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), (days - 1) * 24l * 3600 + 60);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)cert_path, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
	file = fopen(cert_path, "w");
	ck_assert_int_eq(PEM_write_X509(file, cert), 1);
	fclose(file);
	file = fopen(key_path, "w");
	ck_assert_int_eq(
	    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void
setup(void)
{
	umask(077);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
	ck_assert_int_eq(chdir(dir), 0);
	make_pair("a.pem", "a.key", 2);
	make_pair("b.pem", "b.key", 2);
	make_pair("old.pem", "old.key", 1 - 1);
	put_file("empty", "");
	put_file("text", "no PEM\n");
	config = config_new();
	base = event_base_new();
	changes = 0;
}

static void
teardown(void)
{
	static const char *const files[] = { "a.pem", "a.key", "b.pem", "b.key",
		"old.pem", "old.key", "empty", "text", "large" };

	event_base_free(base);
	config_free(config);
	ck_assert_int_eq(chdir(dir), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(files[i]);
	ck_assert_int_eq(chdir(before), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct keyring *
good(void)
{
	struct keyring *k = keyring_new(config, why);

	ck_assert_msg(k != NULL, "%s", why);
	return k;
}

static const struct certs *
open_it(const struct keyring *k)
{
	const struct certs *c = certs_open(keyring_fd(k), why);

	ck_assert_msg(c != NULL, "%s", why);
	return c;
}

/* True if a pair of what is in the keyring has the text of that file. */
static bool
has_cert(const struct keyring *k, size_t i, const char *path)
{
	const struct certs *c = open_it(k);
	char text[8192];
	FILE *file = fopen(path, "r");
	size_t len = fread(text, 1, sizeof(text), file);
	bool has = c->pairs[i].cert_len == len &&
		   memcmp(c->pairs[i].cert, text, len) == 0;

	fclose(file);
	certs_close(c);
	return has;
}

START_TEST(empty)
{
	struct keyring *k = good();

	ck_assert_int_eq(keyring_fd(k), -1);
	keyring_start(k, base, NULL, NULL);
	ck_assert(keyring_read(k, config, why));
	ck_assert_int_eq(keyring_fd(k), -1);
	/* Settings may have pairs later, and have none again. */
	set("tls-certificate", "a.pem");
	set("tls-key", "a.key");
	ck_assert(keyring_read(k, config, why));
	ck_assert(has_cert(k, 0, "a.pem"));
	config_free(config);
	config = config_new();
	ck_assert(keyring_read(k, config, why));
	ck_assert_int_eq(keyring_fd(k), -1);
	keyring_free(k);
	keyring_free(NULL);
}
END_TEST

START_TEST(two_pairs)
{
	const struct certs *c;
	struct tls_context *tls;
	struct keyring *k;
	char path[128];

	set("tls-certificate", "a.pem");
	snprintf(path, sizeof(path), "%s/b.pem", dir);
	set("tls-certificate", path);
	set("tls-key", "a.key");
	set("tls-key", "b.key");
	k = good();
	c = open_it(k);
	ck_assert_uint_eq(c->pairs_n, 2);
	ck_assert_uint_eq(c->tickets_n, 1);
	ck_assert_str_eq(c->pairs[0].cert_name, "a.pem");
	ck_assert_str_eq(c->pairs[1].cert_name, path);
	ck_assert(has_cert(k, 0, "a.pem"));
	ck_assert(has_cert(k, 1, "b.pem"));
	tls = certs_context(c, "localhost", false, why);
	ck_assert_msg(tls != NULL, "%s", why);
	tls_context_free(tls);
	certs_close(c);
	keyring_free(k);
}
END_TEST

/* The pair is refused, and these words say why. */
static void
bad(const char *cert, const char *key, const char *words)
{
	config_free(config);
	config = config_new();
	set("tls-certificate", cert);
	set("tls-key", key);
	why[0] = '\0';
	ck_assert_ptr_null(keyring_new(config, why));
	ck_assert_msg(strstr(why, words) != NULL, "no %s in: %s", words, why);
}

START_TEST(bad_pairs)
{
	FILE *file = fopen("large", "w");

	ck_assert_int_eq(fseek(file, 256 * 1024, SEEK_SET), 0);
	fputc('x', file);
	fclose(file);
	bad("none.pem", "a.key", "none.pem: No such file");
	bad("a.pem", "none.key", "none.key: No such file");
	bad("a.pem", ".", ".: not a regular file");
	bad("empty", "a.key", "empty: the file is empty");
	bad("large", "a.key", "large: the file is larger than 256 KiB");
	bad("text", "a.key", "text: ");
	bad("a.pem", "text", "text: ");
	bad("a.key", "a.key", "a.key: ");
	bad("a.pem", "b.key", "b.key: ");
	bad("old.pem", "old.key", "old.pem: ");
	if (geteuid() != 0) {
		ck_assert_int_eq(chmod("b.key", 0), 0);
		bad("b.pem", "b.key", "b.key: Permission denied");
	}
}
END_TEST

/* Who checks with any_date takes what has expired: a worker that is started
 * when nobody has cared for a new one. */
START_TEST(expired_since)
{
	struct certs c = { .pairs_n = 1, .tickets_n = 1 };
	struct tls_context *tls;
	char cert[8192] = "", key[8192] = "";
	FILE *file;

	file = fopen("old.pem", "r");
	c.pairs[0].cert_len = fread(cert, 1, sizeof(cert), file);
	fclose(file);
	file = fopen("old.key", "r");
	c.pairs[0].key_len = fread(key, 1, sizeof(key), file);
	fclose(file);
	c.pairs[0].cert = cert;
	c.pairs[0].key = key;
	c.pairs[0].cert_name = "old.pem";
	c.pairs[0].key_name = "old.key";
	ck_assert_ptr_null(certs_context(&c, "localhost", false, why));
	tls = certs_context(&c, "localhost", true, why);
	ck_assert_msg(tls != NULL, "%s", why);
	tls_context_free(tls);
}
END_TEST

static void
changed(void *arg)
{
	(void)arg;
	changes++;
	event_base_loopbreak(base);
}

static struct keyring *
started(void)
{
	struct keyring *k;

	set("tls-certificate", "a.pem");
	set("tls-key", "a.key");
	k = good();
	keyring_start(k, base, changed, NULL);
	return k;
}

START_TEST(rotated)
{
	struct tls_ticket_key keys[5];
	const struct certs *c;
	struct keyring *k;

	set("ticket-rotation", "1");
	k = started();
	c = open_it(k);
	keys[0] = c->tickets[0];
	certs_close(c);
	for (unsigned i = 1; i < 5; i++) {
		unsigned kept =
		    i + 1 < TLS_TICKET_KEYS ? i + 1 : TLS_TICKET_KEYS;

		event_base_dispatch(base);
		ck_assert_uint_eq(changes, i);
		c = open_it(k);
		ck_assert_uint_eq(c->tickets_n, kept);
		keys[i] = c->tickets[0];
		for (unsigned j = 0; j < kept; j++)
			ck_assert_mem_eq(
			    &c->tickets[j], &keys[i - j], sizeof(keys[0]));
		for (unsigned j = 0; j < i; j++)
			ck_assert_mem_ne(&keys[j], &keys[i], sizeof(keys[0]));
		certs_close(c);
		ck_assert(has_cert(k, 0, "a.pem"));
	}
	keyring_free(k);
}
END_TEST

START_TEST(read_again)
{
	struct keyring *k = started();
	const struct certs *c = open_it(k);
	struct tls_ticket_key key = c->tickets[0];

	certs_close(c);
	make_pair("a.pem", "a.key", 2);
	ck_assert(!has_cert(k, 0, "a.pem"));
	/* As a daemon does; the paths are relative. */
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert(keyring_read(k, config, why));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert(has_cert(k, 0, "a.pem"));
	c = open_it(k);
	ck_assert_mem_eq(&c->tickets[0], &key, sizeof(key));
	ck_assert_uint_eq(c->tickets_n, 1);
	certs_close(c);
	keyring_free(k);
}
END_TEST

START_TEST(broken_files)
{
	struct keyring *k = started();
	struct stat was, is;

	ck_assert_int_eq(rename("a.pem", "old.pem"), 0);
	put_file("a.pem", "-----BEGIN CERTIFICATE-----\n");
	ck_assert_int_eq(fstat(keyring_fd(k), &was), 0);
	ck_assert(!keyring_read(k, config, why));
	ck_assert_msg(strstr(why, "a.pem") != NULL, "%s", why);
	ck_assert_int_eq(fstat(keyring_fd(k), &is), 0);
	ck_assert_uint_eq(was.st_ino, is.st_ino);
	ck_assert(has_cert(k, 0, "old.pem"));
	/* And once they are good again, they are taken. */
	ck_assert_int_eq(rename("old.pem", "a.pem"), 0);
	ck_assert(keyring_read(k, config, why));
	ck_assert(has_cert(k, 0, "a.pem"));
	keyring_free(k);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("keyring");
	TCase *tcase = tcase_create("keyring");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, empty);
	tcase_add_test(tcase, two_pairs);
	tcase_add_test(tcase, bad_pairs);
	tcase_add_test(tcase, expired_since);
	tcase_add_test(tcase, rotated);
	tcase_add_test(tcase, read_again);
	tcase_add_test(tcase, broken_files);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
