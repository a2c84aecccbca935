/* SPDX-License-Identifier: ISC
 *
 * What is asked of the metrics listener, and that its answer has what the
 * counters have.
 */
#include "server/metrics_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "server/counters.h"
#include "server/registry.h"

static void
asks(const char *text, enum metrics_page want)
{
	enum metrics_page page;
	bool is_head;

	for (size_t i = 0; i < strlen(text); i++)
		ck_assert(!metrics_request(text, i, &page, &is_head));
	ck_assert(metrics_request(text, strlen(text), &page, &is_head));
	ck_assert_msg(page == want, "%s: %d", text, (int)page);
	ck_assert(
	    is_head == (strncmp(text, "HEAD ", 5) == 0 && want != METRICS_BAD));
}

START_TEST(requests)
{
	asks("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", METRICS_METRICS);
	asks("GET /metrics?a=b HTTP/1.0\n\n", METRICS_METRICS);
	asks("HEAD /health HTTP/1.1\r\n\r\n", METRICS_HEALTH);
	asks("GET /ready HTTP/1.1\r\n\r\n", METRICS_READY);
	asks("GET / HTTP/1.1\r\n\r\n", METRICS_NO_PAGE);
	asks("GET /read HTTP/1.1\r\n\r\n", METRICS_NO_PAGE);
	asks("GET /ready/ HTTP/1.1\r\n\r\n", METRICS_NO_PAGE);
	asks("POST /ready HTTP/1.1\r\n\r\n", METRICS_NO_METHOD);
	asks("GETS /ready HTTP/1.1\r\n\r\n", METRICS_NO_METHOD);
	asks("GET /ready HTTP/2\r\n\r\n", METRICS_BAD);
	asks("GET /ready\r\n\r\n", METRICS_BAD);
	asks("GET ready HTTP/1.1\r\n\r\n", METRICS_BAD);
	asks("GET  /ready HTTP/1.1\r\n\r\n", METRICS_BAD);
	asks(" /ready HTTP/1.1\r\n\r\n", METRICS_BAD);
	asks("GET\r\n\r\n", METRICS_BAD);
	asks("\r\n\r\n", METRICS_BAD);
}
END_TEST

START_TEST(too_long)
{
	static char text[METRICS_REQUEST_MAX];
	enum metrics_page page;
	bool is_head;

	memset(text, 'x', sizeof(text));
	ck_assert(!metrics_request(text, sizeof(text) - 1, &page, &is_head));
	ck_assert(metrics_request(text, sizeof(text), &page, &is_head));
	ck_assert_int_eq(page, METRICS_BAD);
}
END_TEST

/* The text as a whole; static. */
static const char *
text_of(struct counters *c, const struct registry *r)
{
	static char text[32768];
	struct evbuffer *out = evbuffer_new();
	int n;

	ck_assert_int_eq(metrics_text(out, c, r), 0);
	n = evbuffer_remove(out, text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	evbuffer_free(out);
	return text;
}

static void
has(const char *text, const char *line)
{
	ck_assert_msg(strstr(text, line) != NULL, "no %s in %s", line, text);
}

START_TEST(sums)
{
	struct registry *r = registry_new(4);
	struct counters *c = counters_new(3, 4);
	struct counters_worker *first = counters_worker(c, 0);
	struct counters_worker *last = counters_worker(c, 2);
	const char *text;

	counter_set(&first->ready, 1);
	counter_set(&first->fds, 7);
	counter_add(&first->visitors, 3);
	counter_add(&last->visitors, 4);
	counter_add(&first->results[COUNTERS_404], 2);
	counter_add(&last->results[COUNTERS_404], 1);
	counter_add(&last->log_dropped, 5);
	counter_add(&counters_master(c)->log_dropped, 6);
	counters_joined(first, 0);
	counters_joined(first, 1);
	counters_joined(last, 2);
	counters_joined(last, 5001);
	text = text_of(c, r);
	has(text, "\nlocaltunnel_joined_total 7\n");
	has(text, "\nlocaltunnel_visitors_total{result=\"404\"} 3\n");
	has(text, "\nlocaltunnel_visitors_total{result=\"joined\"} 0\n");
	has(text, "\nlocaltunnel_log_dropped_total 11\n");
	has(text, "\nlocaltunnel_join_seconds_bucket{le=\"0.001\"} 2\n");
	has(text, "\nlocaltunnel_join_seconds_bucket{le=\"0.002\"} 3\n");
	has(text, "\nlocaltunnel_join_seconds_bucket{le=\"5\"} 3\n");
	has(text, "\nlocaltunnel_join_seconds_bucket{le=\"+Inf\"} 4\n");
	has(text, "\nlocaltunnel_join_seconds_sum 5.004\n");
	has(text, "\nlocaltunnel_join_seconds_count 4\n");
	has(text, "\nlocaltunnel_worker_open_fds{worker=\"1\"} 7\n");
	ck_assert_ptr_null(strstr(text, "{worker=\"3\"}"));
	counters_free(c);
	registry_free(r);
}
END_TEST

START_TEST(results)
{
	ck_assert_int_eq(counters_result(0, true), COUNTERS_JOINED);
	ck_assert_int_eq(counters_result(0, false), COUNTERS_CLOSED);
	ck_assert_int_eq(counters_result(308, false), COUNTERS_308);
	ck_assert_int_eq(counters_result(502, true), COUNTERS_502);
	ck_assert_int_eq(counters_result(418, false), COUNTERS_OTHER);
	for (int i = 0; i < COUNTERS_RESULTS; i++)
		ck_assert_ptr_nonnull(
		    counters_result_text((enum counters_result)i));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("metrics_text");
	TCase *tcase = tcase_create("metrics_text");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, requests);
	tcase_add_test(tcase, too_long);
	tcase_add_test(tcase, sums);
	tcase_add_test(tcase, results);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
