#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The metrics listener: what it says is in the right form and adds up exactly
with what visitors saw and with the access log; whoever calls it otherwise
disturbs nobody; and it is nobody's but the living server's."""

import os
import re
import shutil
import socket
import subprocess

import lt


def start(**program):
    options = {"metrics": "127.0.0.1:0", "access-log": access,
               "sessions": 1, **program}
    server = lt.Server(options=options)
    match = server.wait_log(r"metrics at 127\.0\.0\.1:(\d+)$")
    server.metrics_address = ("127.0.0.1", int(match.group(1)))
    return server


def ask(server, path, method="GET"):
    with lt.Visitor(server.metrics_address) as v:
        v.send(f"{method} {path} HTTP/1.0\r\n\r\n")
        return v.read_response(method)


def values(server):
    """All samples: {'name{labels}': value}."""
    answer = ask(server, "/metrics")
    assert answer.status == 200
    assert answer.header("content-type") == \
        "text/plain; version=0.0.4; charset=utf-8"
    return {m[0]: float(m[1]) for m in re.findall(
        r"^localtunnel_(\S+|\S+\{.*\}) (\S+)$", answer.body.decode(), re.M)}


access = os.path.join(lt.tmp, "access")
server = start()
client = lt.Client(server, lt.Service(), name="demo")
ledger = {}
for i in range(30):
    for name, path in (("demo", f"/blocks/{i * 50}"), ("nobody", "/")):
        status = lt.get(server, name, path).status
        ledger[status] = ledger.get(status, 0) + 1
with lt.Visitor(server) as v:
    v.send("GET / HTTP/1.1\r\nHost : x\r\n\r\n")
    assert v.read_response().status == 400
lt.wait_until(lambda: os.path.exists(access) and
              len(open(access).readlines()) == 61)
with open(access, encoding="ascii") as f:
    lines = f.read()
v = values(server)
assert v['visitors_total{result="joined"}'] == ledger[200] == 30, v
assert v['visitors_total{result="404"}'] == ledger[404] == 30
assert v['visitors_total{result="400"}'] == 1
assert sum(n for k, n in v.items() if k.startswith("visitors_total")) == \
    len(lines.splitlines())
for direction in "in", "out":
    assert v[f'bytes_total{{direction="{direction}"}}'] == sum(
        map(int, re.findall(rf" {direction}=(\d+)", lines)))
assert v["joined_total"] == v["join_seconds_count"] == 30
assert v['join_seconds_bucket{le="+Inf"}'] == 30
buckets = [n for k, n in v.items() if k.startswith("join_seconds_bucket")]
assert buckets == sorted(buckets) and len(buckets) == 13
assert v["tunnels"] == v["sessions"] == 1 and v["workers"] == 2
lt.wait_until(
    lambda: values(server)['proxy_connections{state="idle"}'] == 10)
assert v["log_dropped_total"] == 0 and v["worker_restarts_total"] == 0
assert {k for k in v if k.startswith("worker_room")} == \
    {'worker_room{worker="1"}', 'worker_room{worker="2"}'}
assert all(v[f'worker_open_fds{{worker="{n}"}}'] > 0 for n in (1, 2))

# Visitors who wait show, and so does the time that they have waited.
with lt.Visitor(server) as waiting:
    client.signal(lt.signal.SIGSTOP)
    idle = [lt.Visitor(server).send(lt.request(server.host("demo")))
            for _ in range(11)]
    lt.wait_until(lambda: values(server)[
        'visitors_waiting{for="proxy connection"}'] == 1)
    client.signal(lt.signal.SIGCONT)
    for visitor in idle:
        with visitor:
            assert visitor.read_response().status == 200
assert values(server)["join_seconds_count"] == 41

# A killed worker's counts stay, and it is counted.
lt.kill(server.workers()[0])
lt.wait_until(lambda: (v := values(server))["worker_restarts_total"] == 1
              and v["workers"] == 2)
assert values(server)["joined_total"] == 41

# The form, as Prometheus's own tool sees it.
if shutil.which("promtool"):
    done = subprocess.run(["promtool", "check", "metrics"],
                          input=ask(server, "/metrics").body,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    assert done.returncode == 0 and done.stdout == b"", done.stdout

# The other pages.
assert ask(server, "/health").body == b"alive\n"
assert ask(server, "/ready").status == 200
assert ask(server, "/ready?x=1").status == 200
head = ask(server, "/metrics", "HEAD")
assert head.status == 200 and head.body == b""
assert int(head.header("content-length")) > 1000
assert ask(server, "/").status == 404
assert ask(server, "/metricsx").status == 404
assert ask(server, "/metrics", "POST").status == 405
for data in (b"\r\n\r\n", b"\0" * 5000, os.urandom(4096), b"GET\r\n\r\n",
             b"GET /metrics\r\n\r\n", b"GET  /metrics HTTP/1.1\r\n\r\n",
             b"LTP/0.2\0\0\0\2{}\r\n\r\n", b"GET /metrics HTTP/2\r\n\r\n"):
    with lt.Visitor(server.metrics_address) as v:
        try:
            v.send(data).shut()
            answer = v.read_all()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 "), answer
        except (ConnectionResetError, BrokenPipeError):
            pass
# It is no listener for visitors, and theirs has no such page.
with lt.Visitor(server.metrics_address) as v:
    assert v.request(server.host("demo")).status == 404
assert lt.get(server, f"localhost:{server.port}", "/metrics").status == 404

# A hundred who say nothing.
silent = [lt.Visitor(server.metrics_address) for _ in range(100)]
for _ in range(20):
    assert ask(server, "/health").status == 200
assert lt.get(server, "demo").status == 200
for visitor in silent:
    visitor.close()

# While it drains it says so; a master that was killed leaves the port free.
with lt.Visitor(server) as visitor:
    assert visitor.request(server.host("demo")).status == 200
    server.signal(lt.SIGTERM)
    lt.wait_until(lambda: ask(server, "/ready").status == 503)
    assert ask(server, "/health").status == 200
    client.signal(lt.SIGKILL)
    client.wait()
assert server.wait() == 0
assert lt.refused(server.metrics_address)

server = start()
client = lt.Client(server, lt.Service(), name="demo")
with lt.Visitor(server) as visitor:
    assert visitor.request(server.host("demo")).status == 200
    orphans = server.workers()
    server.kill()
    lt.wait_until(lambda: lt.refused(server.metrics_address))
    assert any(map(lt.exists, orphans))
client.stop()

# Off unless it is asked for; what cannot be is named.
for value, why in (("9180x", "metrics: .*not off, or HOST:PORT"),
                   ("", "metrics: "), ("example.com:1", "metrics: "),
                   (f"127.0.0.1:{lt.free_port()}", None)):
    taken = value and why is None and socket.create_server(
        ("127.0.0.1", int(value.rpartition(":")[2])))
    server = lt.Server(options={"metrics": value}, wait=False)
    assert server.wait() == (1 if taken else 2)
    assert re.search(why or "metrics: cannot listen on", server.log())
