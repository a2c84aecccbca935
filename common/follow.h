/* SPDX-License-Identifier: ISC
 *
 * Walks along the two directions of a kept-alive HTTP/1 connection: requests
 * strictly, since each head is checked; answers leniently, since they are not
 * ours to judge. Pure: bytes in, values out.
 */
#ifndef LT_COMMON_FOLLOW_H
#define LT_COMMON_FOLLOW_H

#include "common/http.h"

/*
 * Follows the requests of one connection: head, body, head, body. Give it
 * contiguous bytes from where the last step ended.
 */
struct follow {
	llhttp_t parser;    /* inside a chunked body */
	uint64_t body_left; /* bytes to come of a body with a length */
	size_t scanned;
	bool is_chunked; /* inside a chunked body */
	char last;	 /* the byte before, if it was no data of a chunk */
	size_t excess;	 /* by how much chunk lines outweigh the data */
};

enum follow_step {
	FOLLOW_MORE, /* a head has begun and is not whole: give more */
	FOLLOW_HEAD, /* *head is a good head; *used is its length */
	FOLLOW_BODY, /* the next *used bytes are body; of a body with a
			   length, body_left more will be */
	FOLLOW_BAD,  /* head->status and head->why say it */
};

void follow_init(struct follow *);

/*
 * One step. len must not be 0; *used is 0 after MORE and BAD. Blank lines
 * before a head are not accepted. The caller may let bytes of a body with a
 * length pass unseen: it takes their number from body_left.
 *
 * Chunked bodies are checked as strictly as heads: their lines end with CRLF,
 * hold no control characters and do not begin with a blank; and the lines
 * between the data, trailers included, may outweigh it by HTTP_HEAD_MAX at
 * most, where a byte of data weighs as much as 16 of theirs.
 */
enum follow_step follow_next(struct follow *, const char *buf, size_t len,
    struct http_head *head, size_t *used);

/*
 * Follows the answers of one connection, as far as somebody needs to know
 * about them: llhttp in lenient mode, since nothing is decided by them but
 * what the log says and whether an upgrade was accepted.
 */
struct answer {
	llhttp_t parser;
	int status;    /* of the last head that was seen; 1xx too */
	bool is_head;  /* the request was HEAD: no body will come */
	bool is_done;  /* a final answer is complete, body and all */
	bool is_final; /* a status that ends the request was seen: not 1xx,
			  or 101 */
};

void answer_init(struct answer *);

/* Feeds bytes up to the end of the next head or the next complete answer,
 * whichever comes first; *used says how many. HTTP_OK: status, is_final,
 * is_done are news; HTTP_MORE: all was used; HTTP_BAD: this is no HTTP. */
enum http_result answer_feed(
    struct answer *, const char *buf, size_t len, size_t *used);

/* The next answer belongs to another request. */
void answer_next(struct answer *, bool is_head);

#endif
