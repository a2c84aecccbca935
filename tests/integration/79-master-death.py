#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""kill -9 of the master. Its workers close every port at once, so that a new
server can have them; what was joined goes on to its end; then they leave. The
clients come to the new server by themselves, with their names."""

import socket
import threading

import lt

go_on = threading.Event()
PIECES = [b"before ", b"after"]


class Slow:
    """A service that answers in two pieces, the second when told to."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.listener.accept()
            threading.Thread(
                target=self.answer, args=(peer,), daemon=True).start()

    @staticmethod
    def answer(peer):
        with peer:
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
                         % (len(b"".join(PIECES)), PIECES[0]))
            go_on.wait(lt.PATIENCE)
            peer.sendall(PIECES[1])


ports = [lt.free_port() for _ in range(3)]
options = {"tcp-ports": f"{ports[0]}-{ports[0]}",
           "node-ports": f"{ports[1]}-{ports[1]}",
           "metrics": f"127.0.0.1:{ports[2]}", "drain": 600}
server = lt.Server(workers=2, options=options)
lt.wait_until(lambda: server.log().count("is ready") == 2)
slow = lt.Client(server, Slow(), name="slow")
tcp = lt.Client(server, lt.Service(), kind="tcp", name="stream")
granted = lt.get(server, f"localhost:{server.port}", "/node").json()
assert granted["port"] == ports[1]
workers = server.workers()

visitor = lt.Visitor(server)
visitor.send(lt.request(server.host("slow"), headers={"Connection": "close"}))
assert lt.wait_until(lambda: visitor.socket.recv(4096, socket.MSG_PEEK)
                     .endswith(PIECES[0]))
server.kill()
for port in [server.port, *ports]:
    lt.wait_until(lambda: lt.refused(("127.0.0.1", port)),
                  what=f"port {port} is closed")
# The visitor's worker is there for him; the others have nobody left.
lt.wait_until(lambda: sum(map(lt.exists, workers)) == 1)

before = server.log().count("session started tunnel=stream")
server.start_again()
lt.wait_until(lambda: server.log().count("session started tunnel=stream")
              > before)
with lt.Visitor(("127.0.0.1", ports[0])) as other:
    assert other.request("stream").status == 200
assert sum(map(lt.exists, workers)) == 1
go_on.set()
assert visitor.read_response().body == b"".join(PIECES)
visitor.close()
lt.wait_until(lambda: not any(map(lt.exists, workers)))
lt.wait_until(lambda: lt.get(server, "slow").status == 200)
