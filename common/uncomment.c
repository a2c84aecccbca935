/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "common/uncomment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STEP 4096

/* Where a text in quotes that begins at `i` ends. */
static size_t
skip_quoted(const char *text, size_t len, size_t i)
{
	char quote = text[i++];

	while (i < len && text[i] != quote)
		i += text[i] == '\\' ? 2 : 1;
	return i < len ? i + 1 : len;
}

/* Where a comment that begins at `i` ends; `i` if there is none. */
static size_t
skip_comment(const char *text, size_t len, size_t i)
{
	const char *end = NULL;

	if (i > 0 && strchr(" \t\r\n={}(),+", text[i - 1]) == NULL)
		return i; /* as in http://host */
	if (text[i] == '#' ||
	    (text[i] == '/' && i + 1 < len && text[i + 1] == '/')) {
		end = memchr(text + i, '\n', len - i);
	} else if (text[i] == '/' && i + 1 < len && text[i + 1] == '*') {
		end = memmem(text + i + 2, len - i - 2, "*/", 2);
		end = end != NULL ? end + 2 : NULL;
	} else {
		return i;
	}
	return end != NULL ? (size_t)(end - text) : len;
}

void
uncomment(char *text, size_t len)
{
	size_t i = 0, end;

	while (i < len) {
		if (text[i] == '"' || text[i] == '\'') {
			i = skip_quoted(text, len, i);
			continue;
		}
		end = skip_comment(text, len, i);
		if (end == i)
			i++;
		for (; i < end; i++)
			if (text[i] != '\n')
				text[i] = ' ';
	}
}

/* All of it; the caller frees it. NULL and errno. */
static char *
read_all(FILE *file, size_t *len)
{
	char *text = NULL, *more;

	*len = 0;
	do {
		more = realloc(text, *len + STEP);
		if (more == NULL) {
			free(text);
			return NULL;
		}
		text = more;
		*len += fread(text + *len, 1, STEP, file);
	} while (!feof(file) && !ferror(file));
	if (!ferror(file))
		return text;
	free(text);
	return NULL;
}

FILE *
uncomment_open(FILE *file)
{
	FILE *plain = NULL;
	size_t len;
	char *text = read_all(file, &len);
	int error = errno;

	fclose(file);
	if (text == NULL) {
		errno = error;
		return NULL;
	}
	uncomment(text, len);
	plain = fmemopen(NULL, len + 1, "w+");
	if (plain != NULL && (fwrite(text, 1, len, plain) != len ||
				 fseek(plain, 0, SEEK_SET) == -1)) {
		fclose(plain);
		plain = NULL;
	}
	free(text);
	return plain;
}
