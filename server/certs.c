/* SPDX-License-Identifier: ISC
 *
 * The form of the memfd, in the byte order of the machine:
 *
 *      header, a row of lengths for each pair, ticket keys, then for each pair
 *      certificate, key, and the names of both files with their NUL
 *
 * and nothing behind that.
 */
#define _GNU_SOURCE

#include "server/certs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/crypto.h>

#include "server/sealed.h"

#define MAGIC  0x4c546365 /* "LTce" */
#define LAYOUT 1	  /* changes with anything that is in the memfd */

struct header {
	uint32_t magic;
	uint32_t layout;
	uint32_t pairs_n;
	uint32_t tickets_n;
};

struct row {
	uint32_t cert_len;
	uint32_t key_len;
	uint32_t cert_name_size; /* NUL included */
	uint32_t key_name_size;
};

/* What is mapped, and where. */
struct opened {
	struct certs certs; /* first: it is what the caller has */
	void *map;
	size_t len;
};

static bool
put_rows(int fd, const struct certs *c)
{
	for (size_t i = 0; i < c->pairs_n; i++) {
		const struct tls_pair *p = &c->pairs[i];
		struct row row = {
			.cert_len = (uint32_t)p->cert_len,
			.key_len = (uint32_t)p->key_len,
			.cert_name_size = (uint32_t)strlen(p->cert_name) + 1,
			.key_name_size = (uint32_t)strlen(p->key_name) + 1,
		};

		if (!sealed_put(fd, &row, sizeof(row)))
			return false;
	}
	return true;
}

static bool
put_pairs(int fd, const struct certs *c)
{
	for (size_t i = 0; i < c->pairs_n; i++) {
		const struct tls_pair *p = &c->pairs[i];

		if (!sealed_put(fd, p->cert, p->cert_len) ||
		    !sealed_put(fd, p->key, p->key_len) ||
		    !sealed_put(fd, p->cert_name, strlen(p->cert_name) + 1) ||
		    !sealed_put(fd, p->key_name, strlen(p->key_name) + 1))
			return false;
	}
	return true;
}

int
certs_seal(const struct certs *c)
{
	struct header header = { MAGIC, LAYOUT, (uint32_t)c->pairs_n,
		(uint32_t)c->tickets_n };
	int fd = sealed_begin("localtunnel certificates");

	if (fd == -1)
		return -1;
	return sealed_end(fd, sealed_put(fd, &header, sizeof(header)) &&
				  put_rows(fd, c) &&
				  sealed_put(fd, c->tickets,
				      c->tickets_n * sizeof(c->tickets[0])) &&
				  put_pairs(fd, c));
}

/* What is left to be read. */
struct rest {
	const char *at;
	size_t len;
};

/* The next `len` bytes; NULL if there are not so many. */
static const char *
take(struct rest *rest, size_t len)
{
	const char *at = rest->at;

	if (len > rest->len)
		return NULL;
	rest->at += len;
	rest->len -= len;
	return at;
}

static const char *
take_file(struct rest *rest, size_t len)
{
	return len == 0 || len > CERTS_FILE_MAX ? NULL : take(rest, len);
}

/* A text, whose only NUL is its last byte. */
static const char *
take_name(struct rest *rest, size_t size)
{
	const char *at;

	if (size < 2 || size > PATH_MAX || (at = take(rest, size)) == NULL)
		return NULL;
	return memchr(at, '\0', size) == at + size - 1 ? at : NULL;
}

static bool
take_pair(struct tls_pair *p, struct rest *rest, const struct row *row)
{
	p->cert_len = row->cert_len;
	p->key_len = row->key_len;
	return (p->cert = take_file(rest, row->cert_len)) != NULL &&
	       (p->key = take_file(rest, row->key_len)) != NULL &&
	       (p->cert_name = take_name(rest, row->cert_name_size)) != NULL &&
	       (p->key_name = take_name(rest, row->key_name_size)) != NULL;
}

const char *
certs_parse(struct certs *c, const void *buf, size_t len)
{
	struct rest rest = { buf, len };
	const char *header_at = take(&rest, sizeof(struct header));
	const char *rows, *tickets;
	struct header h;
	struct row row;

	memset(c, 0, sizeof(*c));
	if (header_at == NULL)
		return "it has no header";
	memcpy(&h, header_at, sizeof(h));
	if (h.magic != MAGIC || h.layout != LAYOUT)
		return "it is of another kind";
	if (h.pairs_n == 0 || h.pairs_n > CONFIG_PAIRS_MAX ||
	    h.tickets_n == 0 || h.tickets_n > TLS_TICKET_KEYS)
		return "there are too few or too many of them";
	rows = take(&rest, h.pairs_n * sizeof(row));
	tickets = take(&rest, h.tickets_n * sizeof(c->tickets[0]));
	if (rows == NULL || tickets == NULL)
		return "it is too short";
	memcpy(c->tickets, tickets, h.tickets_n * sizeof(c->tickets[0]));
	for (size_t i = 0; i < h.pairs_n; i++) {
		memcpy(&row, rows + i * sizeof(row), sizeof(row));
		if (!take_pair(&c->pairs[i], &rest, &row))
			return "a pair is not sound";
	}
	if (rest.len != 0)
		return "it is too long";
	c->pairs_n = h.pairs_n;
	c->tickets_n = h.tickets_n;
	return NULL;
}

const struct certs *
certs_open(int fd, char why[TLS_WHY_MAX])
{
	const char *wrong;
	size_t len = sealed_size(fd, &wrong);
	struct opened *o;

	if (len == 0) {
		snprintf(why, TLS_WHY_MAX, "%s", wrong);
		return NULL;
	}
	o = calloc(1, sizeof(*o));
	if (o == NULL) {
		snprintf(why, TLS_WHY_MAX, "out of memory");
		return NULL;
	}
	o->len = len;
	o->map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (o->map == MAP_FAILED) {
		snprintf(why, TLS_WHY_MAX, "%s", strerror(errno));
		free(o);
		return NULL;
	}
	(void)madvise(o->map, len, MADV_DONTDUMP);
	wrong = certs_parse(&o->certs, o->map, len);
	if (wrong == NULL)
		return &o->certs;
	snprintf(why, TLS_WHY_MAX, "%s", wrong);
	certs_close(&o->certs);
	return NULL;
}

void
certs_close(const struct certs *c)
{
	/* It is what certs_open() has made. */
	struct opened *o = (struct opened *)c;

	if (o == NULL)
		return;
	munmap(o->map, o->len);
	OPENSSL_cleanse(o, sizeof(*o));
	free(o);
}

struct tls_context *
certs_context(const struct certs *c, const char *domain, bool any_date,
    char why[TLS_WHY_MAX])
{
	struct tls_server_setup setup = {
		.pairs = c->pairs,
		.pairs_n = c->pairs_n,
		.domain = domain,
		.tickets = c->tickets,
		.tickets_n = c->tickets_n,
		.any_date = any_date,
	};

	return tls_server_new(&setup, why);
}
