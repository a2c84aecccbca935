#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The end of one direction is passed on, the other goes on; a reset is passed
on; a local service that says nothing gets a page said for it."""

import threading

import lt

SIZE = 5_000_000


def answers_at_the_end(conn):
    """Reads until the visitor has ended, then answers with all it got."""
    got = b""
    while data := conn.recv(65536):
        got += data
    conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + got)


server = lt.Server()
local = lt.Listener(answers_at_the_end)
client = lt.Client(server, f"127.0.0.1:{local.port}", name="demo")

# The visitor has said all before the first byte of the answer comes.
head = lt.request(server.host("demo"), method="POST", headers={
    "Content-Length": SIZE})
with lt.Visitor(server) as visitor:
    visitor.send(head)
    sender = threading.Thread(target=lambda: (
        visitor.send(lt.stream(SIZE)), visitor.shut()))
    sender.start()
    answer = visitor.read_response()
    sender.join()
    assert answer.status == 200
    assert answer.body.endswith(lt.stream(SIZE)), len(answer.body)

service = lt.Service()
client2 = lt.Client(server, service, name="toy")

# A visitor who ends at once after the request gets the whole answer.
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("toy"), f"/bytes/{SIZE}")).shut()
    assert visitor.read_response().sha256 == lt.sha256_of(SIZE)

# No answer at all: the visitor is told so.
for path in ("/close", "/reset"):
    page = lt.get(server, "toy", path)
    assert page.status == 502, (path, page.status)


# A reset in the middle of an answer is no clean end.
def resets(conn):
    conn.recv(65536)
    conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000)
    lt.wait_until(lambda: half_read.is_set())
    lt.Visitor.reset(lt_socket(conn))


class lt_socket:
    def __init__(self, conn):
        self.socket, self.close = conn, conn.close


half_read = threading.Event()
local = lt.Listener(resets)
client3 = lt.Client(server, f"127.0.0.1:{local.port}", name="cut")
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("cut")))
    visitor.read(500)
    half_read.set()
    try:
        visitor.read_all()
        raise SystemExit("the reset arrived as a clean end")
    except ConnectionResetError:
        pass
