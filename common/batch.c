/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "common/batch.h"

#include <sched.h>

void
batch_set(void)
{
	const struct sched_param param = { 0 };

	/* A kernel that refuses leaves all as it is: slower, and no worse. */
	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)sched_setscheduler(0, SCHED_BATCH, &param);
}
