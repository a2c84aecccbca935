#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""TLS for long: 1 GiB each way with curl and nginx, checksums right and memory
flat; a slow reader of 1 GiB; ten thousand proxy connections, nearly all of
them with a short handshake."""

import concurrent.futures
import shutil
import subprocess

import ca
import lt
import nginx
from tlsvisitor import TlsVisitor

if shutil.which("curl") is None:
    lt.skip("curl is not installed")

GIB = 1 << 30
ROOM = 6 << 20  # what memory may grow by
authority = ca.Authority()
pair = authority.issue("localhost", "demo.localhost")
server = lt.Server(workers=4, config=f"""
    tls-certificate = "{pair.cert}"
    tls-key = "{pair.key}"
""")
web = nginx.Nginx()
down = nginx.make_file(f"{web.www}/down", GIB)
client = lt.Client(f"https://localhost:{server.port}", web, "--ca",
                   authority.cert, name="demo")
base = f"https://demo.localhost:{server.port}"
curl = ["curl", "-sS", "--fail", "--cacert", authority.cert, "--resolve",
        f"demo.localhost:{server.port}:127.0.0.1"]


def memory():
    return sum(lt.rss(pid) for pid in
               [client.pid, *client.workers(), server.pid,
                *server.workers()])


with open(f"{web.www}/small", "w", encoding="ascii") as f:
    f.write("hello\n")
subprocess.run([*curl, f"{base}/small"], check=True, capture_output=True)
lt.wait_until(lambda: server.metrics()["idle"] == 12,
              what="the pools of all four sessions are full")
before = memory()
subprocess.run([*curl, "-o", f"{lt.tmp}/got", f"{base}/down"], check=True)
assert nginx.hash_file(f"{lt.tmp}/got") == down
subprocess.run([*curl, "-T", f"{lt.tmp}/got", f"{base}/up/file"], check=True)
assert nginx.hash_file(f"{web.www}/up/file") == down
assert memory() - before < ROOM, memory() - before

with TlsVisitor(server, "demo.localhost", authority.client_context()) as slow:
    slow.send(lt.request("demo.localhost", "/down"))
    for _ in range(40):
        slow.read(1000)
        lt.time.sleep(0.1)
    assert memory() - before < ROOM, memory() - before


def visits(_):
    with lt.Visitor(server) as visitor:
        page = visitor.request(server.host("demo"), "/small",
                               headers={"Connection": "close"})
        return page.status == 200


first = server.metrics()
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    assert all(pool.map(visits, range(10_000)))
last = server.metrics()
handshakes = last["handshakes"] - first["handshakes"]
resumed = last["resumed"] - first["resumed"]
print(f"{resumed} of {handshakes} handshakes were short; memory grew by "
      f"{memory() - before} bytes")
assert handshakes >= 10_000 and resumed > 0.95 * handshakes
assert last["handed_in"] > first["handed_in"]
web.stop()
