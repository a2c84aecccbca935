/* SPDX-License-Identifier: ISC */
#include "server/conn.h"

#include <unistd.h>

struct conn
conn_take(struct conn *from)
{
	struct conn c = *from;

	from->fd = -1;
	return c;
}

void
conn_close(struct conn *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}
