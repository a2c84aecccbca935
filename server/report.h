/* SPDX-License-Identifier: ISC
 *
 * What ltctl is answered: lines of JSON, each an object with one key.
 *
 *      {"row": {...}}     any number of them
 *      {"done": true}     at the end; or, in its place,
 *      {"error": TEXT}
 *
 * Lines are made one by one, when there is room for them, so that the master
 * is never busy with a long answer. It reads registry, counters and settings,
 * and changes nothing.
 */
#ifndef LT_SERVER_REPORT_H
#define LT_SERVER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/command.h"

struct config;
struct counters;
struct places_worker;
struct registry;
struct registry_tunnel;

/* What answers are made from; lives as long as its owner. */
struct report_source {
	const struct config *config;
	const struct registry *registry;
	struct counters *counters;
	uint64_t started_ms;
	/* About a slot; false if there is no such slot. */
	bool (*worker)(void *arg, size_t slot, struct places_worker *);
	bool (*is_draining)(void *arg);
	/* The name of a tunnel's token; "" if it has none. */
	const char *(*token)(void *arg, const struct registry_tunnel *);
	void *arg;
};

/* Where an answer is at; all zero at first. */
struct report {
	size_t next; /* slot or row that comes next */
};

/* The next line, its end included, to be freed; NULL after the last row (then
 * comes the end) or without memory. Slots without a row are passed over, some
 * at a time: then the line is empty. */
char *report_next(
    const struct report_source *, enum command_kind, struct report *);

/* The last line: NULL is success. NULL without memory. */
char *report_end(const char *error);

#endif
