#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""One port for everything, all at once: visitors in clear and over TLS, TLS
that is passed through, clients in clear and over TLS. What goes with clients
over TLS: short handshakes, server names, and a server that wants no others."""

import json
import shutil
import struct
import subprocess
import threading

import ca
import lt
import ltp02
import nginx
from tlsvisitor import TlsVisitor

if shutil.which("curl") is None:
    lt.skip("curl is not installed")

SIZE = 30_000_000
authority = ca.Authority()
ours = authority.issue("localhost", "demo.localhost", "clear.localhost")
theirs = authority.issue("own.localhost")
server = lt.Server(workers=4, config=f"""
    tls-certificate = "{ours.cert}"
    tls-key = "{ours.key}"
""")
https = f"https://localhost:{server.port}"
web = nginx.Nginx()
down = nginx.make_file(f"{web.www}/down", SIZE)
up = nginx.make_file(f"{lt.tmp}/up", SIZE)
secure = lt.Service("secure")
secure.http.socket = ca.server_context(theirs).wrap_socket(
    secure.http.socket, server_side=True)

client = lt.Client(https, web, "--ca", authority.cert, name="demo")
own = lt.Client(https, secure, "--ca", authority.cert, name="own", kind="tls")
clear = lt.Client(server, web, name="clear")
assert client.url == f"https://demo.localhost:{server.port}", client.url
assert own.url == f"https://own.localhost:{server.port}", own.url


def curl(url, *args):
    host = url.split("/")[2]
    return subprocess.run(
        ["curl", "-sS", "--fail", "--cacert", authority.cert, "--resolve",
         f"{host}:127.0.0.1", *args, url], check=True, capture_output=True)


def fetches(name, scheme, i):
    base = f"{scheme}://{name}.localhost:{server.port}"
    curl(f"{base}/down", "-o", f"{lt.tmp}/got-{i}")
    assert nginx.hash_file(f"{lt.tmp}/got-{i}") == down
    curl(f"{base}/up/{i}", "-T", f"{lt.tmp}/up")
    assert nginx.hash_file(f"{web.www}/up/{i}") == up


def sees_its_own_certificate():
    out = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}",
         "-servername", "own.localhost", "-CAfile", authority.cert,
         "-verify_return_error", "-brief"], input=b"", capture_output=True,
        check=True).stderr
    assert b"CN = own.localhost" in out and b"Verification: OK" in out, out


faults = []


def all_at_once(*jobs):
    def run(job):
        try:
            job()
        except BaseException as e:
            faults.append(e)
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults


all_at_once(lambda: fetches("demo", "https", 1),
            lambda: fetches("demo", "http", 2),
            lambda: fetches("clear", "https", 3),
            lambda: fetches("clear", "http", 4),
            sees_its_own_certificate, sees_its_own_certificate)

# A proxy connection for each visitor, nearly all with a short handshake; with
# the server name of its session it comes to the owner, whoever accepts.
before = server.metrics()
for i in range(200):
    assert lt.get(server, "demo", "/up/1", method="HEAD").status == 200


def counted():
    """What was counted since, once each one used has been replaced."""
    after = server.metrics()
    since = {key: after[key] - before[key] for key in after}
    return since["handshakes"] >= 200 and since


count = lt.wait_until(counted)
assert count["resumed"] >= 0.95 * count["handshakes"], count
assert count["handed_in"] > 0


unchecked = authority.client_context()
unchecked.check_hostname = False


def reads(conn):
    """The next message."""
    return json.loads(conn.read(struct.unpack(">I", conn.read(4))[0]))


def refusal(name, message):
    with TlsVisitor(server, name, unchecked, alpn=["ltp"]) as conn:
        conn.send(ltp02.HEADER + ltp02.frame(message))
        return reads(conn)


def proxy(name, session, secret):
    return {"proxy": {"name": name, "client": "c"},
            "ext": {"session": session, "secret": secret}}


# Server name and frame have to be about the same session.
with TlsVisitor(server, "localhost", unchecked, alpn=["ltp"]) as control:
    control.send(ltp02.HEADER + ltp02.frame(
        {"control": {"name": "mine", "client": "c"}, "ext": {}}))
    reply = reads(control)["ext"]
    assert reply["sni"] == f"{reply['session']}.mine.localhost", reply
    for sni, name in ((reply["sni"], "demo"), ("demo.localhost", "mine"),
                      (f"s{'0' * 23}.mine.localhost", "mine")):
        error = refusal(sni, proxy(name, reply["session"], reply["secret"]))
        assert error["error"] == "badrequest", (sni, error)
    # The right one is taken, and joined.
    with TlsVisitor(server, reply["sni"], unchecked, alpn=["ltp"]) as conn, \
            lt.Visitor(server) as visitor:
        conn.send(ltp02.HEADER + ltp02.frame(
            proxy("mine", reply["session"], reply["secret"])))
        visitor.send(lt.request(server.host("mine")))
        joined = reads(conn)
        assert joined["proxy"] is True and joined["ext"]["scheme"] == "http"
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        assert visitor.read_response().body == b"hi"
# HTTP where LTP was agreed on, and the other way.
with TlsVisitor(server, "localhost", unchecked, alpn=["ltp"]) as conn:
    conn.send(lt.request("localhost"))
    assert b"not LTP/0.2" in conn.read_all()
with TlsVisitor(server, "localhost", unchecked, alpn=["http/1.1"]) as conn:
    conn.send(ltp02.HEADER + ltp02.frame(
        {"control": {"name": "x", "client": "c"}, "ext": {}}))
    assert b"badrequest" in conn.read_all()

# A server that wants no clients in clear tells both kinds of them so.
strict = lt.Server(config=f"""
    tls-certificate = "{ours.cert}"
    tls-key = "{ours.key}"
    backend-tls = required
""")
refused = lt.Client(strict, web, name="demo", wait=False)
assert refused.wait() == 1
assert "over TLS only" in refused.log(), refused.log()
try:
    ltp02.OldClient(strict, "demo", web)
    raise AssertionError("a client in clear was taken")
except ltp02.Refused as e:
    assert e.code == "exception" and "over TLS only" in e.message, e
taken = lt.Client(f"https://localhost:{strict.port}", web, "--ca",
                  authority.cert, name="demo")
assert lt.get(strict, "demo", "/up/1", method="HEAD").status == 200
web.stop()
