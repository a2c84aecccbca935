/* SPDX-License-Identifier: ISC
 *
 * The shared memory of the client's processes. Made by main, before there is
 * any other.
 */
#define _GNU_SOURCE
#include "client/counters.h"

#include <stddef.h>
#include <sys/mman.h>

#include "client/client.h"

struct counters *
counters_new(void)
{
	void *at = mmap(NULL, sizeof(struct counters), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

void
counters_free(struct counters *counters)
{
	if (counters != NULL)
		munmap(counters, sizeof(*counters));
}

uint64_t
counters_joined(const struct counters *counters)
{
	uint64_t joined = 0;

	for (size_t i = 0; i < PROCESSES_MAX; i++)
		joined += counters->process[i].joined;
	return joined;
}

void
counters_traffic(const struct counters *counters, struct traffic *traffic)
{
	*traffic = (struct traffic){ .now = counters_joined(counters),
		.all = counters->visitors };
	for (size_t i = 0; i < PROCESSES_MAX; i++) {
		traffic->in += counters->process[i].bytes_in;
		traffic->out += counters->process[i].bytes_out;
	}
}
