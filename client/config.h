/* SPDX-License-Identifier: ISC
 *
 * The configuration file of ltclient: what would otherwise be typed each
 * time. Read with libconfuse: key = value lines, # comments.
 *
 *   server = "https://tunnel.example.com"
 *   ca = "/etc/ssl/our-ca.pem"
 *
 * /etc/localtunnel/ltclient.conf is read first, then ltclient.conf in
 * $XDG_CONFIG_HOME/localtunnel (~/.config/localtunnel), then the file that -c
 * names; what a later one sets wins. Only the last one has to exist.
 */
#ifndef LT_CLIENT_CONFIG_H
#define LT_CLIENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct config {
	char *server; /* a URL, or NULL */
	char *ca;     /* a path, or NULL */
	bool insecure;
};

/* Fills in what the files say; `file` is that of -c, or NULL. 0, or -1 with
 * the first fault in `why`, file and line named; config_fini() either way. */
int config_read(struct config *, const char *file, char *why, size_t why_size);

void config_fini(struct config *);

#endif
