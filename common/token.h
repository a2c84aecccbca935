/* SPDX-License-Identifier: ISC
 *
 * Tokens: what a client shows to be let in, and the line of the file that says
 * what it may have for it:
 *
 *      alice 4f1c...9e2a names=demo,team-* kinds=http,tls tunnels=3
 *
 * A name, the SHA-256 of the token as hexadecimal digits, and rights. The
 * token itself is kept nowhere. Pure; the server reads such lines, ltctl
 * writes them.
 */
#ifndef LT_COMMON_TOKEN_H
#define LT_COMMON_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_PREFIX	 "lt_" /* those who look for leaked secrets know it */
#define TOKEN_LEN	 (3 + 64) /* 256 random bits as hexadecimal digits */
#define TOKEN_HASH_LEN	 32	  /* SHA-256 */
#define TOKEN_NAME_MAX	 63
#define TOKEN_LINE_MAX	 2048 /* bytes, without the end of the line */
#define TOKEN_LIST_MAX	 511  /* bytes of a list of patterns */
#define TOKEN_RANGES_MAX 16
#define TOKEN_WHY_MAX	 192

enum token_kinds {
	TOKEN_HTTP = 1,
	TOKEN_TLS = 2,
	TOKEN_TCP = 4,
	TOKEN_KINDS = TOKEN_HTTP | TOKEN_TLS | TOKEN_TCP,
};

struct token_range {
	uint16_t first, last;
};

/* About 1.2 KB. */
struct token {
	char name[TOKEN_NAME_MAX + 1]; /* for people: letters, digits, "._-" */
	uint8_t hash[TOKEN_HASH_LEN];
	char names[TOKEN_LIST_MAX + 1];	  /* of tunnels; "": any */
	char domains[TOKEN_LIST_MAX + 1]; /* of its customers; "": none */
	unsigned kinds;			  /* of enum token_kinds */
	struct token_range ports[TOKEN_RANGES_MAX];
	size_t ports_n;	      /* 0: any */
	unsigned tunnels;     /* at once; 0: any number */
	unsigned connections; /* visitors of a tunnel at once; likewise */
	uint64_t bandwidth;   /* bytes/s of a tunnel; 0: no limit */
	int64_t expires_s;    /* since the epoch; 0: never */
};

enum token_result {
	TOKEN_NONE, /* an empty line, or a comment */
	TOKEN_OK,
	TOKEN_BAD, /* with a sentence in `why` that names the field */
};

/* Reads one line, without its end. */
enum token_result token_parse(
    struct token *, const char *line, size_t len, char why[TOKEN_WHY_MAX]);

/* True if one of the patterns of a list (a,b-*,*.c) is `word`: * stands for
 * anything, or nothing. */
bool token_matches(const char *list, const char *word);

/* False if a list of patterns has anything else in it than lower-case letters,
 * digits, hyphens, dots and *, or an item that is empty. */
bool token_list_is_good(const char *list);

/* A number of bytes per second, maybe with k, M or G behind it; false if it is
 * none, or 0. */
bool token_rate(const char *text, uint64_t *rate);

/* True if it may have that port. */
bool token_has_port(const struct token *, uint16_t port);

/* A token that nobody can guess, and its hash; false without random bytes. */
bool token_make(char out[TOKEN_LEN + 1]);
void token_hash(const char *token, uint8_t out[TOKEN_HASH_LEN]);

#endif
