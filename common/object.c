/* SPDX-License-Identifier: ISC
 *
 * JSON objects from outside. Used by ltp for each message. jansson reads them;
 * what it would take too lightly is refused before it sees the text.
 */
#include "common/object.h"

#include <stdbool.h>

/* The parser recurses, so nesting is counted before it sees the text: every
 * opening bracket outside a string, whether or not the rest is JSON. */
static bool
is_too_deep(const char *json, size_t len, int max)
{
	bool in_string = false;
	int depth = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (in_string) {
			if (json[i] == '\\')
				i++;
			else if (json[i] == '"')
				in_string = false;
		} else if (json[i] == '"') {
			in_string = true;
		} else if (json[i] == '{' || json[i] == '[') {
			if (++depth > max)
				return true;
		} else if (json[i] == '}' || json[i] == ']') {
			depth--;
		}
	}
	return false;
}

json_t *
object_load(const void *json, size_t len, int depth_max, const char **why)
{
	json_error_t error;
	json_t *top;

	*why = "nests too deeply";
	if (is_too_deep(json, len, depth_max))
		return NULL;
	top = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(top))
		return top;
	if (top != NULL)
		*why = "not an object";
	else if (json_error_code(&error) == json_error_duplicate_key)
		*why = "has a key twice";
	else
		*why = "not JSON";
	json_decref(top);
	return NULL;
}
