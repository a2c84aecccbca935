/* SPDX-License-Identifier: ISC
 *
 * Counts cores. Called by options.
 */
#define _GNU_SOURCE
#include "client/processes.h"

#include <ctype.h>
#include <sched.h>
#include <stdlib.h>

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
