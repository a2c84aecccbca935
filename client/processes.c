/* SPDX-License-Identifier: ISC
 *
 * Counts cores, called by options; maps what processes share, called by main.
 */
#define _GNU_SOURCE
#include "client/processes.h"

#include <ctype.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

bool
processes_read(unsigned *n, const char *text)
{
	unsigned long value;
	char *end;

	value = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || value < 1 ||
	    value > PROCESSES_MAX)
		return false;
	*n = (unsigned)value;
	return true;
}

unsigned
processes_default(void)
{
	cpu_set_t set;
	unsigned n;

	/* It fails on a machine with more cores than a cpu_set_t holds. */
	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return PROCESSES_MAX;
	n = (unsigned)CPU_COUNT(&set);
	return n < PROCESSES_MAX ? n : PROCESSES_MAX;
}

void *
processes_share(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

void
processes_unshare(void *at, size_t size)
{
	if (at != NULL)
		munmap(at, size);
}
