/* SPDX-License-Identifier: ISC
 *
 * user:password. What it is about must not be logged, so it says no more than
 * yes or no.
 */
#include "common/login.h"

#include <jansson.h>
#include <string.h>

/* It has to go through JSON, which knows best what is UTF-8. */
static bool
is_utf8(const char *text)
{
	json_t *string = json_string(text);
	bool is_one = string != NULL;

	json_decref(string);
	return is_one;
}

bool
login_is_good(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	const char *colon = strchr(text, ':');

	if (colon == NULL || colon == text || colon[1] == '\0' ||
	    strlen(text) > LOGIN_MAX)
		return false;
	while (*c >= ' ' && *c != 0x7f)
		c++;
	return *c == '\0' && is_utf8(text);
}
