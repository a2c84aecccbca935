/* SPDX-License-Identifier: ISC */
#include "client/tell.h"

#include <string.h>

#include "client/options.h"
#include "common/log.h"
#include "common/net.h"

void
tell_visitor(
    const struct tunnel_options *options, uint64_t number, const char *peer)
{
	char text[128];

	if (peer == NULL)
		peer = "the server does not say from where";
	display_detail(&options->display, "visitor %ju has come: %s",
	    (uintmax_t)number,
	    log_escape(text, sizeof(text), peer, strlen(peer)));
}

void
tell_joined(const struct tunnel_options *options, uint64_t number,
    const struct net_addr *to)
{
	char text[TARGET_TEXT_MAX];

	/* To write an address costs more than all else that a join does. */
	if (!options->display.verbose)
		return;
	display_detail(&options->display, "visitor %ju joined with %s",
	    (uintmax_t)number,
	    to != NULL ? net_addr_text(to, text)
		       : target_text(&options->target, text));
}

void
tell_end(const struct tunnel_options *options, uint64_t number, const char *why,
    uint64_t in, uint64_t out)
{
	display_detail(&options->display,
	    "visitor %ju ended: %s, %ju bytes in, %ju out", (uintmax_t)number,
	    why, (uintmax_t)in, (uintmax_t)out);
}
