/* SPDX-License-Identifier: ISC */
#include "server/conn.h"

struct conn
conn_take(struct conn *from)
{
	struct conn c = *from;

	from->stream = (struct stream)STREAM_NONE;
	return c;
}

void
conn_close(struct conn *c)
{
	stream_close(&c->stream);
}
