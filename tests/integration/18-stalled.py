#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A joined visitor whose machine is gone, without a word to us: he is ended, and
his connection to the client too. One who only does not read is not, for as long
as he likes. An idle one is, if that is wanted."""

import ctypes
import socket
import struct
import time

import lt

SO_ATTACH_FILTER = 26
SIZE = 32 << 20
STALL_S = 2


def vanish(sock):
    """Has the kernel drop all that comes for a socket: from now on its peer
    gets neither an acknowledgement nor a reset."""
    drop = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack(
        "HL" if struct.calcsize("L") == 4 else "H6xQ", 1,
        ctypes.addressof(drop)))


def download(server):
    """A visitor who has had the first bytes of an answer."""
    visitor = lt.Visitor(server)
    visitor.send(lt.request(server.host("demo"), f"/bytes/{SIZE}"))
    assert visitor.socket.recv(64, socket.MSG_PEEK)
    return visitor


server = lt.Server(options={"stall-timeout": STALL_S})
client = lt.Client(server, lt.Service(), name="demo")
slow, gone = download(server), download(server)
began = time.monotonic()
vanish(gone.socket)
server.wait_log('visitor tunnel=demo .* end="the visitor is gone"')
time.sleep(max(0, began + 4 * STALL_S - time.monotonic()))
page = slow.read_response()
assert page.status == 200 and page.sha256 == lt.sha256_of(SIZE)
assert server.log().count("is gone") == 1, server.log()
lt.wait_until(lambda: slow.close() or server.metrics()["joined"] == 0)
server.stop()

# A visitor who says nothing for ever.
server = lt.Server(options={"idle-timeout": 1},
                   listen=[f"127.0.0.1:{server.port}"])
lt.wait_until(lambda: lt.get(server, "demo").status == 200)
with lt.Visitor(server) as visitor:
    assert visitor.request(server.host("demo")).status == 200
    assert visitor.read_all() == b""
server.wait_log('visitor tunnel=demo .* end="idle for too long"')
