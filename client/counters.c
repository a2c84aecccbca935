/* SPDX-License-Identifier: ISC
 *
 * The counts of the client's processes. Made by main, before there is any
 * other.
 */
#include "client/counters.h"

#include <stddef.h>

#include "client/client.h"

struct counters *
counters_new(void)
{
	return processes_share(sizeof(struct counters));
}

void
counters_free(struct counters *counters)
{
	processes_unshare(counters, sizeof(*counters));
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
