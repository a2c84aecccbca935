#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""HUP 500 times in some seconds, while visitors come and the file says one thing
and then the other: nobody is refused, and in the end there is nothing more than
at the beginning."""

import os
import signal
import time

import lt
from load import Load

PORTS = [lt.free_port() for _ in range(3)]
CONFIGS = [f"""
listen "127.0.0.1:{PORTS[0]}" {{ }}
listen "127.0.0.1:{port}" {{ }}
workers = {workers}
grace = {grace}
tcp-ports = {grace}00-{grace}99
trusted-proxies = {{ "10.0.0.0/8", "192.0.2.{grace}" }}
access-log = "{lt.tmp}/{log}"
""" for port, workers, grace, log in ((PORTS[1], 2, 40, "access"),
                                      (PORTS[2], 3, 50, "other"))]

server = lt.Server(listen=(), workers=None, config=CONFIGS[0])
client = lt.Client(server, lt.Service(), name="demo")


def put(text):
    """As an editor does it: never half of it."""
    with open(server.config + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(server.config + ".new", server.config)


def settle(n=0):
    """Waits until the first settings are in force, with their two workers."""
    put(CONFIGS[0])
    before = server.log().count("settings read again")
    server.signal(signal.SIGHUP)
    lt.wait_until(lambda: server.log().count("settings read again") > before)
    lt.wait_until(lambda: lt.refused(("127.0.0.1", PORTS[2])))
    lt.wait_until(lambda: len(server.workers()) == 2, 2 * lt.PATIENCE)


def size():
    """Of the master, which lives through all of them."""
    return sorted(lt.links(server.pid)), lt.rss(server.pid)


with Load(server, "demo") as load:
    for i in range(20):
        put(CONFIGS[i % 2])
        server.signal(signal.SIGHUP)
        time.sleep(0.1)
    settle()
    load.go_on()
    fds, rss = size()
    for i in range(500):
        put(CONFIGS[i // 7 % 2])
        server.signal(signal.SIGHUP)
        time.sleep(0.01)
    settle()
    load.go_on()
    now_fds, now_rss = size()
    names = [[link.partition(":[")[0] for link in links]
             for links in (fds, now_fds)]
    assert sorted(names[0]) == sorted(names[1]), (fds, now_fds)
    if not lt.under_sanitizer():
        assert now_rss < rss + 2 * 2 ** 20, (rss, now_rss)
done = server.log().count("settings read again")
print(f"{done} reloads, {load.served} visitors, "
      f"{(now_rss - rss) / 1024:.0f} KiB more")
assert done < 520
assert "error:" not in server.log(), server.log()
