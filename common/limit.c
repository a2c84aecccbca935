/* SPDX-License-Identifier: ISC */
#include "common/limit.h"

#include <stdint.h>
#include <sys/resource.h>

void
limit_raise_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

size_t
limit_fds(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == -1 ? SIZE_MAX
						      : limit.rlim_cur;
}
