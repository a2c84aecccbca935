/* SPDX-License-Identifier: ISC
 *
 * What is asked for one tunnel. Called by options. Says nothing itself; texts
 * call things as the command line does.
 */
#include "client/options_tunnel.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "common/hello.h"

__attribute__((format(printf, 2, 3))) static bool
bad(char error[OPTIONS_ERROR_MAX], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(error, OPTIONS_ERROR_MAX, fmt, args);
	va_end(args);
	return false;
}

static bool
set_kind(struct tunnel_options *options, const char *kind, char *error)
{
	if (kind == NULL || strcmp(kind, "http") == 0)
		return true;
	if (strcmp(kind, "tls") == 0)
		options->kind = "tls";
	else if (strcmp(kind, "tcp") == 0)
		options->kind = "tcp";
	else
		return bad(error,
		    "\"%s\": there is no such kind of tunnel, only http, tls "
		    "and tcp",
		    kind);
	return true;
}

/* The public port that is asked for. Without a name the tunnel gets one that
 * follows from it, so that its secret is kept, and the port with it. */
static bool
set_port(struct tunnel_options *options, const char *text, char *error)
{
	char host[NET_HOST_MAX];

	if (text == NULL)
		return true;
	if (options->kind == NULL || strcmp(options->kind, "tcp") != 0)
		return bad(error, "--remote-port: only a tcp tunnel has a port "
				  "of its own");
	if (net_split(text, host, &options->remote_port) == -1 ||
	    host[0] != '\0' || options->remote_port == 0)
		return bad(error,
		    "--remote-port: \"%s\" is not a port from 1 to 65535",
		    text);
	if (options->name[0] == '\0')
		snprintf(options->name, sizeof(options->name), "tcp-%u",
		    (unsigned)options->remote_port);
	return true;
}

/* The name that is asked for, and who may share it. */
static bool
set_name(struct tunnel_options *options, const struct options_given *given,
    char *error)
{
	if (given->name != NULL && given->name[0] == '\0')
		return bad(error, "the name is empty");
	if (given->name != NULL && !ltp_name(given->name, options->name))
		return bad(error,
		    "\"%s\": a name has letters, digits and, inside "
		    "it, hyphens, %d at most",
		    given->name, LTP_NAME_MAX);
	if (given->group == NULL)
		return true;
	if (given->group[0] == '\0')
		return bad(error, "--group: the key is empty");
	if (given->name == NULL)
		return bad(error, "--group needs --name: that is what is "
				  "shared");
	if (given->fallback)
		return bad(error, "--group and --fallback contradict each "
				  "other: another name is not shared");
	options->group = given->group;
	return true;
}

static bool
set_domain(struct tunnel_options *options, const char *text, char *error)
{
	char domain[HELLO_NAME_MAX];

	if (text == NULL)
		return true;
	if (options->kind != NULL && strcmp(options->kind, "tcp") == 0)
		return bad(error, "--domain: a tcp tunnel is found by its "
				  "port, not by a host name");
	if (strchr(text, '.') == NULL ||
	    !hello_name(text, strlen(text), domain) ||
	    strlen(domain) > LTP_DOMAIN_MAX)
		return bad(error,
		    "--domain: \"%.64s\" is not a host name such as "
		    "app.example.org",
		    text);
	strcpy(options->domain, domain);
	return true;
}

static bool
set_target(struct tunnel_options *options, const struct options_given *given,
    char *error)
{
	struct target *target = &options->target;
	char text[TARGET_TEXT_MAX];
	const char *why;
	bool is_v6;

	if (given->target == NULL)
		return bad(error, "no TARGET: say which local port to expose");
	why = target_parse(target, given->target);
	if (why == NULL && given->local_host != NULL) {
		if (strpbrk(given->target, ":") != NULL)
			return bad(error,
			    "TARGET \"%s\": with --local-host it must "
			    "be a port",
			    given->target);
		is_v6 = strchr(given->local_host, ':') != NULL &&
			given->local_host[0] != '[';
		if (snprintf(text, sizeof(text), is_v6 ? "[%s]:%u" : "%s:%u",
			given->local_host,
			(unsigned)target->port) >= (int)sizeof(text))
			return bad(error, "--local-host is too long");
		why = target_parse(target, text);
	}
	if (why != NULL)
		return bad(error, "TARGET \"%s\": %s", given->target, why);
	return true;
}

/* Which certificate of the local service will do, and what it is shown. */
static bool
set_local_tls(struct tunnel_options *options, const struct options_given *given,
    char *error)
{
	struct target *target = &options->target;
	bool is_asked = given->local_https || given->allow_invalid_cert ||
			given->local_ca != NULL || given->local_cert != NULL ||
			given->local_key != NULL;

	if (options->kind != NULL && (is_asked || target->is_tls))
		return bad(error,
		    "a %s tunnel is closed to us: the visitor and the local "
		    "service speak with each other, so neither https:// "
		    "nor --local-... has a meaning with it",
		    options->kind);
	if (given->local_https && strncasecmp(given->target, "http:", 5) == 0)
		return bad(error,
		    "TARGET \"%s\": with --local-https it is https://",
		    given->target);
	target->is_tls |= given->local_https;
	if (is_asked && !target->is_tls)
		return bad(error, "--local-ca, --local-cert, --local-key and "
				  "--allow-invalid-cert need a TARGET with "
				  "https://, or --local-https");
	if ((given->local_cert == NULL) != (given->local_key == NULL))
		return bad(
		    error, "--local-cert and --local-key need each other");
	if (given->local_ca != NULL && given->allow_invalid_cert)
		return bad(error, "--local-ca and --allow-invalid-cert "
				  "contradict each other");
	options->local_ca = given->local_ca;
	options->local_cert = given->local_cert;
	options->local_key = given->local_key;
	options->allow_invalid_cert = given->allow_invalid_cert;
	return true;
}

/* Who may visit, and what the local service is told of him. */
static bool
set_visitors(struct tunnel_options *options, const struct options_given *given,
    char *error)
{
	const char *wrong = gate_add_environment(&options->gate);
	const char *version = given->proxy_protocol;

	if (wrong != NULL)
		return bad(error, "LT_AUTH: line %zu is %s",
		    options->gate.auth.n + 1, wrong);
	if (options->kind != NULL && options->gate.auth.n > 0)
		return bad(error,
		    "--auth and LT_AUTH: visitors of a %s tunnel cannot be "
		    "asked for a password, since nobody but the local service "
		    "reads what they send",
		    options->kind);
	if (version == NULL)
		return true;
	if (strcmp(version, "1") != 0 && strcmp(version, "2") != 0)
		return bad(error,
		    "--proxy-protocol: \"%s\" is no version of it: say 1 or 2",
		    version);
	options->proxy_protocol = version[0] - '0';
	return true;
}

static bool
set_host_header(struct tunnel_options *options, const char *value, char *error)
{
	const unsigned char *c;

	if (value == NULL)
		return true;
	if (strcmp(value, "rewrite") == 0) {
		target_host(&options->target, options->host_header);
		return true;
	}
	if (value[0] == '\0' || strlen(value) >= sizeof(options->host_header))
		return bad(error, "--host-header: no value, or too long");
	for (c = (const unsigned char *)value; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return bad(error, "--host-header: no blank, control "
					  "or non-ASCII character can be in "
					  "it");
	strcpy(options->host_header, value);
	return true;
}

bool
options_tunnel(struct tunnel_options *options,
    const struct options_given *given, char error[OPTIONS_ERROR_MAX])
{
	options->fallback = given->fallback;
	options->print_requests = given->print_requests;
	if (!set_kind(options, given->kind, error) ||
	    !set_name(options, given, error) ||
	    !set_port(options, given->remote_port, error) ||
	    !set_domain(options, given->domain, error) ||
	    !set_target(options, given, error) ||
	    !set_local_tls(options, given, error) ||
	    !set_visitors(options, given, error))
		return false;
	if (options->kind != NULL &&
	    (given->print_requests || given->host_header != NULL))
		return bad(error,
		    "--print-requests and --host-header need to read what "
		    "visitors send, and a %s tunnel is closed to us",
		    options->kind);
	return set_host_header(options, given->host_header, error);
}
