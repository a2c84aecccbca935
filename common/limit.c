/* SPDX-License-Identifier: ISC */
#include "common/limit.h"

#include <stdint.h>
#include <sys/resource.h>

#include "common/clock.h"

static uint64_t looked_ms; /* 0: what is kept is out of date */

void
limit_raise_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	looked_ms = 0;
}

int
limit_set_fds(size_t n)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return -1;
	limit.rlim_cur = n;
	if (limit.rlim_max < n)
		limit.rlim_max = n;
	looked_ms = 0;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

size_t
limit_fds(void)
{
	static size_t fds;
	struct rlimit limit;
	uint64_t now = clock_ms();

	if (looked_ms != 0 && now - looked_ms < LIMIT_AGE_MS)
		return fds;
	looked_ms = now;
	fds =
	    getrlimit(RLIMIT_NOFILE, &limit) == -1 ? SIZE_MAX : limit.rlim_cur;
	return fds;
}
