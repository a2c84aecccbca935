#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What one more connection costs in user memory, in each of the two programs:
512 bytes an idle proxy connection, 1 KB a visitor who is joined and quiet. In
clear; what several share, such as pages that are used for the first time, is
found by the difference between few of them and many. And what both programs
take at rest: tables for tunnels that nobody has opened are not touched."""

import re

import lt

IDLE, JOINED = 512, 1024
AT_REST = 3_000_000  # three processes of the server, two of the client
TUNNELS = 20

if lt.under_sanitizer():
    lt.skip("a sanitizer takes memory of its own")


def private(program):
    """Bytes that the processes of a program have for themselves alone."""
    total = 0
    for pid in (program.pid, *lt.children(program.pid)):
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            total += int(re.search(r"Private_Dirty: +(\d+)", f.read())[1])
    return total * 1024


def judge(what, limit, few, many, n):
    for who in few:
        each = (many[who] - few[who]) / n
        print(f"{what}, {who}: {each:.0f} bytes")
        assert each <= limit, f"{what}: {each:.0f} bytes of the {who}, " \
            f"{limit} at most"


def idle(each):
    """With so many idle proxy connections in each of some tunnels."""
    server = lt.Server(workers=1, options={"pool-idle": each})
    path = f"{server.base}/ltclient.conf"
    with open(path, "w", encoding="ascii") as f:
        f.write(f'server = "{server.url}"\n' + "".join(
            f'tunnel "t{i}" {{ target = 9  name = "t{i}" }}\n'
            for i in range(TUNNELS)))
    client = lt.Program("ltclient", "-c", path, "start", "--all").start()
    lt.wait_until(lambda: server.metrics()["idle"] == each * TUNNELS)
    used = {"server": private(server), "client": private(client)}
    assert client.stop() == 0 and server.stop() == 0
    return used


def greet(conn):
    """Answers and stays."""
    if conn.recv(65536):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        conn.recv(1)


server = lt.Server()
client = lt.Client(server, lt.Listener(greet).port, name="demo")
lt.wait_until(lambda: server.metrics()["sessions"] == 2 and
              server.metrics()["idle"] == 10)
used = private(server) + private(client)
print(f"at rest: {used} bytes")
assert used <= AT_REST, used
assert client.stop() == 0 and server.stop() == 0

judge("an idle proxy connection", IDLE, idle(4), idle(60), 56 * TUNNELS)

server = lt.Server(workers=1)
client = lt.Client(server, lt.Listener(greet).port, name="demo")
visitors = []


def come(n):
    """So many more visitors, who have had an answer."""
    for _ in range(n):
        visitors.append(lt.Visitor(server))
        visitors[-1].send(f"GET / HTTP/1.1\r\nHost: {server.host('demo')}"
                          "\r\n\r\n")
        assert visitors[-1].read_response().body == b"hi"
    lt.wait_until(lambda: server.metrics()["joined"] == len(visitors))
    return {"server": private(server), "client": private(client)}


few = come(100)
judge("a quiet visitor", JOINED, few, come(600), 600)
for visitor in visitors:
    visitor.close()
