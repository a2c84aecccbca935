/* SPDX-License-Identifier: ISC
 *
 * How one proxy connection is opened: at once, not at all, or too late.
 */
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "client/options.h"
#include "client/proxy.h"
#include "common/net.h"
#include "common/watch.h"

static struct options options;
static struct tunnel_options tunnel;
static struct service local = { .options = &tunnel };
static struct client client;
static struct proxy *proxy;
static struct proxy_to to = { .hello = "hello", .hello_len = 5 };
static int opened, ended;
static char why[128];

static void
opened_cb(void *arg)
{
	ck_assert_ptr_eq(arg, &opened);
	opened++;
}

static void
joined_cb(void *arg)
{
	(void)arg;
	ck_abort_msg("nobody has come");
}

static void
ended_cb(void *arg, const char *text)
{
	ck_assert_ptr_eq(arg, &opened);
	ck_assert_ptr_nonnull(text);
	strncpy(why, text, sizeof(why) - 1);
	ended++;
	event_base_loopbreak(client.base);
}

static void
setup(void)
{
	memset(&options, 0, sizeof(options));
	options.display.quiet = true;
	client.options = &options;
	client.base = event_base_new();
	client.watches = watch_set_new(client.base);
	ck_assert_ptr_nonnull(client.watches);
	to.is_bare = false;
	to.hello_len = 5;
	opened = ended = 0;
}

static void
teardown(void)
{
	proxy_free(&proxy);
	watch_set_free(client.watches);
	event_base_free(client.base);
}

static void
start(void)
{
	static const struct proxy_ops ops = { opened_cb, joined_cb, ended_cb };

	proxy = proxy_start(&client, &local, &to, &ops, &opened);
	ck_assert_ptr_nonnull(proxy);
	ck_assert_int_eq(ended, 0);
}

static int
listen_on_loopback(int backlog)
{
	int fd;

	ck_assert_int_eq(net_addr_from(&to.addr, "127.0.0.1", 0), 0);
	fd = net_listen(&to.addr, backlog);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(net_local(fd, &to.addr), 0);
	return fd;
}

START_TEST(at_once)
{
	int fd = listen_on_loopback(8), conn;
	struct net_addr peer;
	char got[8];

	start();
	ck_assert_int_eq(opened, 1);
	conn = net_accept(fd, &peer);
	ck_assert_int_ne(conn, -1);
	ck_assert_int_eq(read(conn, got, sizeof(got)), 5);
	close(conn);
	event_base_dispatch(client.base);
	ck_assert_int_eq(ended, 1);
	ck_assert_str_eq(why, "closed by the server");
	ck_assert(!proxy_is_refused(proxy));
	close(fd);
}
END_TEST

/* A bare one says nothing, so its handshake must not wait for that. */
START_TEST(bare)
{
	int fd = listen_on_loopback(8), conn;
	struct net_addr peer;

	to.is_bare = true;
	to.hello_len = 0;
	start();
	conn = net_accept(fd, &peer);
	ck_assert_int_ne(conn, -1);
	close(conn);
	close(fd);
}
END_TEST

START_TEST(refused)
{
	close(listen_on_loopback(1));
	start();
	event_base_dispatch(client.base);
	ck_assert_int_eq(opened, 0);
	ck_assert_int_eq(ended, 1);
	ck_assert(proxy_is_refused(proxy));
}
END_TEST

/* A listener whose backlog is full does not answer; then it does. */
START_TEST(silent)
{
	int i, fd = listen_on_loopback(0), before[2];
	struct net_addr peer;

	for (i = 0; i < 2; i++)
		ck_assert_int_ne(before[i] = net_connect(&to.addr, false), -1);
	start();
	for (i = 0; i < 100; i++)
		event_base_loop(client.base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(opened + ended, 0);
	if (_i == 0) {
		proxy_settle(proxy);
		event_base_dispatch(client.base);
		ck_assert_int_eq(ended, 1);
		ck_assert_str_eq(why, strerror(ETIMEDOUT));
		ck_assert(!proxy_is_refused(proxy));
	} else {
		close(net_accept(fd, &peer));
		while (opened == 0)
			event_base_loop(client.base, EVLOOP_ONCE);
		ck_assert_int_eq(ended, 0);
	}
	for (i = 0; i < 2; i++)
		close(before[i]);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("proxy");
	TCase *tc = tcase_create("opening");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, at_once);
	tcase_add_test(tc, bare);
	tcase_add_test(tc, refused);
	tcase_add_loop_test(tc, silent, 0, 2);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
