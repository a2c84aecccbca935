/* SPDX-License-Identifier: ISC
 *
 * What the metrics listener is asked, and the text of its answer: Prometheus's
 * text format 0.0.4, summed from the shared counters of all workers without a
 * lock. A moment's sums need not fit together to the last one: counters are
 * read one after the other while workers go on.
 */
#ifndef LT_SERVER_METRICS_TEXT_H
#define LT_SERVER_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define METRICS_REQUEST_MAX 4096

struct counters;
struct evbuffer;
struct registry;

enum metrics_page {
	METRICS_METRICS,
	METRICS_HEALTH,
	METRICS_READY,
	METRICS_NO_PAGE,   /* 404 */
	METRICS_NO_METHOD, /* 405 */
	METRICS_BAD,	   /* 400: this is no request */
};

/* Reads a request head, of which the first line alone counts; false if more of
 * it must come. Pure. Those who look after servers often send no Host. */
bool metrics_request(
    const char *buf, size_t len, enum metrics_page *, bool *is_head);

/* Appends all metrics. -1 without memory. */
int metrics_text(struct evbuffer *, struct counters *, const struct registry *);

#endif
