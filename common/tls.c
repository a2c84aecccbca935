/* SPDX-License-Identifier: ISC
 *
 * TLS connections. Programs make contexts at start and connections from them;
 * nothing here waits, logs or ends the program. It owns what OpenSSL keeps
 * for a connection, but not the socket.
 *
 * A context outlives the connections made from it, since callbacks of OpenSSL
 * lead back to it: each connection holds a reference.
 */
#define _GNU_SOURCE

#include "common/tls.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/tls_context.h"

#define AHEAD_MIN 2048 /* what is made for bytes that were peeked at */

struct tls {
	SSL *ssl;
	struct tls_context *context;
	const char *why; /* static text */
	char *ahead;	 /* decrypted, not yet read; NULL: none */
	size_t ahead_size;
	size_t ahead_at;
	size_t ahead_len; /* from ahead_at on */
	int read_end;	  /* -1: none; 0: close_notify; else errno */
	int write_error;  /* 0: none; it does not end reading */
	bool was_shut;	  /* close_notify has come */
	bool is_owing;	  /* a record is half out */
	bool is_shut;	  /* nothing is left to do for tls_shutdown() */
};

/* --- making -------------------------------------------------------------- */

/* OpenSSL takes every end of the stream for an orderly one here; only the
 * alert that says so is. */
static void
alert_cb(const SSL *ssl, int where, int what)
{
	struct tls *t = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT &&
	    (what & 0xff) == SSL_AD_CLOSE_NOTIFY)
		t->was_shut = true;
}

static struct tls *
tls_new(struct tls_context *context, int fd)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->read_end = -1;
	t->why = "";
	t->ssl = SSL_new(tls_context_ssl(context));
	if (t->ssl == NULL || SSL_set_fd(t->ssl, fd) != 1) {
		SSL_free(t->ssl);
		free(t);
		return NULL;
	}
	SSL_set_app_data(t->ssl, t);
	SSL_set_info_callback(t->ssl, alert_cb);
	t->context = tls_context_ref(context);
	return t;
}

struct tls *
tls_accept_new(struct tls_context *context, int fd, const char *scope)
{
	struct tls *t = tls_new(context, fd);

	if (t == NULL)
		return NULL;
	SSL_set_accept_state(t->ssl);
	if (!tls_context_scope(t->ssl, scope)) {
		tls_free(t);
		return NULL;
	}
	return t;
}

struct tls *
tls_connect_new(
    struct tls_context *context, int fd, const char *name, const char *host)
{
	struct tls *t = tls_new(context, fd);

	if (t == NULL)
		return NULL;
	SSL_set_connect_state(t->ssl);
	if ((name != NULL && SSL_set_tlsext_host_name(t->ssl, name) != 1) ||
	    !tls_context_expect(context, t->ssl, host)) {
		tls_free(t);
		return NULL;
	}
	return t;
}

/* Whoever looks again and again holds no memory while nothing comes. */
static void
drop_ahead(struct tls *t)
{
	if (t->ahead != NULL)
		OPENSSL_cleanse(t->ahead, t->ahead_size);
	free(t->ahead);
	t->ahead = NULL;
	t->ahead_size = t->ahead_at = 0;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	/* Without this OpenSSL takes the session for broken off, and its
	 * ticket for worthless. */
	SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	tls_context_free(t->context);
	drop_ahead(t);
	free(t);
}

/* --- what OpenSSL says --------------------------------------------------- */

/* The peer's certificate has been looked at, and is no good. */
static bool
is_distrusted(const struct tls *t)
{
	return !SSL_is_server(t->ssl) &&
	       SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE &&
	       SSL_get_verify_result(t->ssl) != X509_V_OK;
}

/* Why a call has failed, from the queue of errors or the certificate. */
static const char *
reason(const struct tls *t, int saved_errno)
{
	unsigned long error = ERR_peek_last_error();
	const char *text;

	if (is_distrusted(t))
		return X509_verify_cert_error_string(
		    SSL_get_verify_result(t->ssl));
	if (error == 0)
		return saved_errno == 0 ? "the connection was closed"
					: strerrordesc_np(saved_errno);
	text = ERR_reason_error_string(error);
	return text != NULL ? text : "TLS failed";
}

/* What a call that gave `n` <= 0 means, as errno; 0 for close_notify. The first
 * fault is the one that is told, since others follow from it; but what the peer
 * says explains why its socket takes nothing any more. */
static int
fail(struct tls *t, int n)
{
	int saved_errno = errno;
	int error = EPROTO;
	const char *why;

	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		error = t->was_shut ? 0 : TLS_NOT_SHUT;
		why = "the connection was closed";
		break;
	case SSL_ERROR_SYSCALL:
		error = saved_errno == 0 ? TLS_NOT_SHUT : saved_errno;
		why = reason(t, saved_errno);
		break;
	default:
		why = reason(t, 0);
	}
	if (t->why[0] == '\0' || (error == EPROTO && t->write_error != 0 &&
				     t->write_error != EPROTO))
		t->why = why;
	ERR_clear_error();
	return error;
}

/* The same for writing, where the peer's end is no answer. */
static int
fail_to_write(struct tls *t, int n)
{
	int error = fail(t, n);

	if (error == 0 || error == TLS_NOT_SHUT)
		error = EPIPE;
	if (error != EAGAIN)
		t->write_error = error;
	return error;
}

const char *
tls_why(const struct tls *t)
{
	return t->why;
}

enum tls_result
tls_handshake(struct tls *t)
{
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(t->ssl);
	if (n == 1)
		return TLS_OK;
	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	}
	n = fail(t, n);
	if (n == 0 || n == TLS_NOT_SHUT)
		n = ECONNRESET;
	t->read_end = t->write_error = n;
	tls_context_forget(t->context);
	errno = n;
	return TLS_BAD;
}

enum tls_cert
tls_cert_fault(const struct tls *t)
{
	if (!is_distrusted(t))
		return TLS_CERT_GOOD;
	switch (SSL_get_verify_result(t->ssl)) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_CERT_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_CERT_DATE;
	default:
		return TLS_CERT_UNKNOWN;
	}
}

const char *
tls_server_name(const struct tls *t)
{
	const char *name =
	    SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);

	return name != NULL ? name : "";
}

bool
tls_is_resumed(const struct tls *t)
{
	return SSL_session_reused(t->ssl) == 1;
}

bool
tls_is_alpn(const struct tls *t, const char *protocol)
{
	const unsigned char *got;
	unsigned len;

	SSL_get0_alpn_selected(t->ssl, &got, &len);
	return len == strlen(protocol) && memcmp(got, protocol, len) == 0;
}

/* --- bytes --------------------------------------------------------------- */

/* Decrypts into `buf`, without regard to what was peeked at. */
static ssize_t
decrypt(struct tls *t, void *buf, size_t len)
{
	int error = t->read_end, n;

	if (error == -1) {
		ERR_clear_error();
		errno = 0;
		n = SSL_read(t->ssl, buf, len > INT_MAX ? INT_MAX : (int)len);
		if (n > 0)
			return n;
		error = fail(t, n);
		if (error != EAGAIN)
			t->read_end = error;
	}
	errno = error;
	return error == 0 ? 0 : -1;
}

/* Takes what was peeked at; the buffer goes when it is empty. */
static size_t
take_ahead(struct tls *t, void *buf, size_t len)
{
	size_t n = len < t->ahead_len ? len : t->ahead_len;

	if (n == 0)
		return 0;
	memcpy(buf, t->ahead + t->ahead_at, n);
	t->ahead_at += n;
	t->ahead_len -= n;
	if (t->ahead_len == 0)
		drop_ahead(t);
	return n;
}

ssize_t
tls_read(struct tls *t, void *buf, size_t len)
{
	size_t n = take_ahead(t, buf, len);

	return n > 0 ? (ssize_t)n : decrypt(t, buf, len);
}

/* Makes room for more bytes ahead, of `max` at most; false without memory. */
static bool
grow(struct tls *t, size_t max)
{
	size_t size = t->ahead_size == 0 ? AHEAD_MIN : 2 * t->ahead_size;
	char *bigger;

	if (t->ahead_at > 0) {
		memmove(t->ahead, t->ahead + t->ahead_at, t->ahead_len);
		t->ahead_at = 0;
	}
	if (t->ahead_len < t->ahead_size)
		return true;
	bigger = malloc(size > max ? max : size);
	if (bigger == NULL)
		return false;
	if (t->ahead_len > 0)
		memcpy(bigger, t->ahead, t->ahead_len);
	if (t->ahead != NULL)
		OPENSSL_cleanse(t->ahead, t->ahead_size);
	free(t->ahead);
	t->ahead = bigger;
	t->ahead_size = size > max ? max : size;
	return true;
}

ssize_t
tls_peek(struct tls *t, void *buf, size_t len)
{
	ssize_t n = 1;
	int error;

	while (t->ahead_len < len && n > 0) {
		if (!grow(t, len)) {
			errno = ENOMEM;
			return -1;
		}
		n = decrypt(
		    t, t->ahead + t->ahead_len, t->ahead_size - t->ahead_len);
		if (n > 0)
			t->ahead_len += (size_t)n;
	}
	if (t->ahead_len == 0) {
		error = errno;
		drop_ahead(t);
		errno = error;
		return n;
	}
	if (t->ahead_len < len)
		len = t->ahead_len;
	memcpy(buf, t->ahead + t->ahead_at, len);
	return (ssize_t)len;
}

/* close_notify has been said, or a fatal alert; or it is on its way. */
static bool
is_shutting(const struct tls *t)
{
	return (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN) != 0;
}

ssize_t
tls_write(struct tls *t, const void *buf, size_t len)
{
	int n;

	if (len == 0)
		return 0;
	if (t->write_error != 0 || is_shutting(t)) {
		errno = t->write_error != 0 ? t->write_error : EPIPE;
		return -1;
	}
	ERR_clear_error();
	errno = 0;
	n = SSL_write(t->ssl, buf, len > INT_MAX ? INT_MAX : (int)len);
	if (n <= 0)
		errno = fail_to_write(t, n);
	t->is_owing = n <= 0 && errno == EAGAIN;
	return n > 0 ? n : -1;
}

/* OpenSSL is not asked twice: it would begin to read, and take what comes for
 * a fault. */
int
tls_shutdown(struct tls *t)
{
	int n;

	if (t->is_shut || t->is_owing || t->write_error != 0 ||
	    !SSL_is_init_finished(t->ssl))
		return 0;
	ERR_clear_error();
	errno = 0;
	n = SSL_shutdown(t->ssl);
	if (n < 0)
		errno = fail_to_write(t, n);
	t->is_shut = n >= 0 || errno != EAGAIN;
	return t->is_shut ? 0 : -1;
}

/* --- bufferevent --------------------------------------------------------- */

/* What is here already, and no more, goes into the input: no event will tell
 * of it. The end of the connection does not; the next read finds that. */
static bool
prime(struct tls *t, struct bufferevent *bev)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	char buf[AHEAD_MIN];
	bool has_memory = true;
	ssize_t n;

	while (has_memory && (t->ahead_len > 0 || SSL_has_pending(t->ssl)) &&
	       (n = tls_read(t, buf, sizeof(buf))) > 0)
		has_memory = evbuffer_add(in, buf, (size_t)n) == 0;
	return has_memory;
}

struct bufferevent *
tls_bufferevent(struct event_base *base, struct tls *t)
{
	int fd = SSL_get_fd(t->ssl);
	struct bufferevent *bev = bufferevent_openssl_socket_new(
	    base, fd, t->ssl, BUFFEREVENT_SSL_OPEN, 0);

	if (bev == NULL)
		return NULL;
	/* It does not look for a second record that was read with the first. */
	SSL_set_read_ahead(t->ssl, 0);
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	if (prime(t, bev))
		return bev;
	bufferevent_free(bev);
	return NULL;
}
