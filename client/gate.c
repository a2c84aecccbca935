/* SPDX-License-Identifier: ISC
 *
 * Who may visit. Called by options. It never shows a password: what is wrong
 * with one is said without it.
 */
#include "client/gate.h"

#include <stdlib.h>
#include <string.h>

#include "common/cidr.h"

#define TOO_MANY "one too many: there can be at most 32"

static const char *
add_login(struct gate *g, const char *text, size_t len)
{
	char *login = g->logins[g->auth.n];

	if (g->auth.n == LTP_LIST_MAX)
		return TOO_MANY;
	if (len > LOGIN_MAX)
		return "too long: at most 255 bytes";
	memcpy(login, text, len);
	login[len] = '\0';
	if (!login_is_good(login))
		return "not USER:PASSWORD, neither of them empty, without "
		       "control characters";
	g->auth.each[g->auth.n++] = login;
	return NULL;
}

const char *
gate_add_auth(struct gate *g, char *text)
{
	size_t len = strlen(text);
	const char *wrong = add_login(g, text, len);

	memset(text, 0, len);
	if (len > 0)
		text[0] = '*';
	return wrong;
}

static const char *
add_network(struct ltp_list *list, const char *text)
{
	const char *wrong;
	struct cidr c;

	if (list->n == LTP_LIST_MAX)
		return TOO_MANY;
	if (!cidr_parse(&c, text, &wrong))
		return wrong;
	list->each[list->n++] = text;
	return NULL;
}

const char *
gate_add_allow(struct gate *g, char *text)
{
	return add_network(&g->allow, text);
}

const char *
gate_add_deny(struct gate *g, char *text)
{
	return add_network(&g->deny, text);
}

const char *
gate_add_environment(struct gate *g)
{
	const char *text = getenv("LT_AUTH"), *wrong = NULL;
	size_t len;

	if (text == NULL || g->auth.n > 0)
		return NULL;
	for (; *text != '\0' && wrong == NULL; text += len) {
		len = strcspn(text, "\n");
		if (len > 0)
			wrong = add_login(g, text, len);
		else
			len = 1;
	}
	return wrong;
}

const char *
gate_needs(const struct gate *g, const char *kind)
{
	if (kind != NULL)
		return strcmp(kind, "tls") == 0 ? "tls tunnels" : "tcp tunnels";
	if (g->auth.n > 0)
		return "passwords of visitors (--auth, LT_AUTH)";
	if (g->allow.n > 0 || g->deny.n > 0)
		return "--allow and --deny";
	return NULL;
}
