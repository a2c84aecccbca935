/* SPDX-License-Identifier: ISC
 *
 * The configuration files of ltclient: what would otherwise be typed each
 * time. Read with libconfuse: key = value lines, sections, # comments.
 *
 *   server = "https://tunnel.example.com"
 *   ca = "/etc/ssl/our-ca.pem"
 *   tunnel "web" {
 *           target = 5000
 *   }
 *
 * /etc/localtunnel/ltclient.conf is read first, then ltclient.conf in
 * $XDG_CONFIG_HOME/localtunnel (~/.config/localtunnel), then the file that -c
 * names; what a later one sets wins, a tunnel as a whole. Only the last one
 * has to exist.
 */
#ifndef LT_CLIENT_CONFIG_H
#define LT_CLIENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_NAME_MAX 63 /* of a tunnel */

/* What may stand in the section of a tunnel. */
struct config_key {
	const char *name; /* NULL: behind the last */
	bool is_list;
};

/* One value that stands there. */
struct config_value {
	const char *key; /* that of config_read() */
	char *text;
	int line;
};

struct config_tunnel {
	char *name;
	char *file;
	int line; /* where it begins */
	struct config_value *values;
	size_t values_n;
};

struct config {
	char *server; /* a URL, or NULL */
	char *ca;     /* a path, or NULL */
	char *token;  /* or NULL */
	bool insecure;
	struct config_tunnel *tunnels; /* in the order of the files */
	size_t tunnels_n;
	char *files; /* those that were there, with commas; NULL: none */
};

/* Fills in what the files say; `keys` are those of a tunnel, `file` is that of
 * -c, or NULL. 0, or -1 with the first fault in `why`, file and line named;
 * config_fini() either way. */
int config_read(struct config *, const struct config_key *keys,
    const char *file, char *why, size_t why_size);

void config_fini(struct config *);

/* Reads yes or no, in words that the whole file may use; false if it is
 * neither. */
bool config_flag(bool *, const char *text);

/* The tunnel of that name; NULL if there is none. */
const struct config_tunnel *config_find(
    const struct config *, const char *name);

#endif
