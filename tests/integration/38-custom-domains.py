#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Custom host names: who may have one, found by Host and by SNI in every
worker, in clear, through TLS that ends here and through a tls tunnel; the URL;
421; redirects; and *.NAME below the base domain."""

import json
import os
import ssl
import subprocess

import ca
import lt
import ltp02
from tlsvisitor import TlsVisitor

authority = ca.Authority()
pair = authority.issue("localhost", "*.localhost", "app.example.org")
theirs = authority.issue("shop.example.org")
trusting = authority.client_context()
path, sock = lt.tmp + "/tokens", lt.tmp + "/sock"


def ctl(*args):
    return subprocess.run(
        [os.path.join(lt.BUILD, "ltctl"), "-s", sock, *args],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=True).stdout.strip()


token = ctl("-f", path, "token", "add", "customer", "domains=*.example.org")
plain = ctl("-f", path, "token", "add", "plain")
service = lt.Service()
server = lt.Server(workers=4, config=f"""
    tokens = "{path}"
    control-socket = "{sock}"
    tls-certificate = "{pair.cert}"
    tls-key = "{pair.key}"
""")


def client(*args, target=service, **kwargs):
    return lt.Client(server, target, "-t", token, *args, **kwargs)


def refused(words, code, *args):
    c = lt.Client(server, service, *args, wait=False)
    assert c.wait() == code and words in c.log(), (c.wait(), c.log())


refused("custom domain needs a token that allows it", 4,
        "-t", plain, "--domain", "app.example.org")
refused("custom domain needs a token that allows it", 4,
        "-t", token, "--domain", "app.example.net")
refused("not below the server's own", 1,
        "-t", token, "--domain", "a.b.localhost")
for domain in "x", "a..b", "a_b.\u00e4", "x" * 250 + ".org", "1.2/3":
    with ltp02.connect(server.address, {
            "control": {"name": "bad", "client": "x"},
            "ext": {"token": token, "domain": domain,
                    "must": ["domain"]}}) as conn:
        answer = ltp02.read_frame(conn)
    assert answer["error"] in ("badrequest", "exception"), (domain, answer)

app = client("--domain", "App.Example.Org", name="demo")
assert app.url == f"https://app.example.org:{server.port}", app.url
refused("another tunnel has this custom domain", 1,
        "-t", token, "--domain", "app.example.org", "-s", "other")

# By both names, whichever worker accepts; and by *.NAME.
for host in ("app.example.org", f"APP.example.ORG.:{server.port}",
             server.host("demo"), server.host("a.b.demo")):
    for _ in range(6):
        answer = lt.get(server, host)
        assert answer.status == 200, (host, answer.status)
        assert answer.seen("Host") == [host]
for host in ("example.org", "x.app.example.org", "app.example.orgx",
             "app.example.net"):
    assert lt.get(server, host).status == 404, host
# A connection stays with its tunnel; either of its names is that.
with lt.Visitor(server) as visitor:
    assert visitor.request("app.example.org").status == 200
    assert visitor.request(server.host("demo")).status == 200
    assert visitor.request("shop.example.org").status == 421

# TLS that ends here: SNI and Host must be of one tunnel.
with TlsVisitor(server, "app.example.org", trusting) as visitor:
    answer = visitor.request("app.example.org")
    assert answer.status == 200
    assert answer.seen("X-Forwarded-Proto") == ["https"]
with TlsVisitor(server, "app.example.org", trusting) as visitor:
    assert visitor.request(server.host("demo")).status == 200
with TlsVisitor(server, "app.example.org", trusting) as visitor:
    assert visitor.request("localhost").status == 421

# TLS that passes through.
secure = lt.Service("secure")
secure.http.socket = ca.server_context(theirs).wrap_socket(
    secure.http.socket, server_side=True)
shop = client("--domain", "shop.example.org", target=secure, kind="tls")
assert shop.url == f"https://shop.example.org:{server.port}", shop.url
for _ in range(6):
    with TlsVisitor(server, "shop.example.org", trusting) as visitor:
        assert visitor.request("shop.example.org").status == 200
answer = lt.get(server, "shop.example.org", "/x?y")
assert answer.status == 308
assert answer.header("Location") == \
    f"https://shop.example.org:{server.port}/x?y", answer.header("Location")
try:
    with TlsVisitor(server, "none.example.org", trusting):
        raise AssertionError("somebody answers for a name that nobody has")
except ssl.SSLError as e:
    assert "unrecognized name" in str(e).lower().replace("_", " "), e

# Operators see it; log lines have the name of the tunnel.
rows = {row["name"]: row for row in json.loads(ctl("-j", "tunnels"))}
assert rows["demo"]["domain"] == "app.example.org", rows
assert rows["demo"]["token"] == "customer", rows
server.wait_log("visitor tunnel=demo from=")

# It is the tunnel's: held with the name, had back by its client, and free at
# the end.
state = {"XDG_STATE_HOME": app.env["XDG_STATE_HOME"]}
app.kill()
refused("another tunnel has this custom domain", 1,
        "-t", token, "--domain", "app.example.org", "-s", "other")
app = client("--domain", "app.example.org", name="demo", env=state)
assert lt.get(server, "app.example.org").status == 200
# A worker that dies takes neither name with it.
for pid in server.workers()[:2]:
    lt.kill(pid)
lt.wait_until(lambda: lt.get(server, "app.example.org").status == 200)
app.stop()
lt.wait_until(lambda: lt.get(server, "app.example.org").status == 404)
other = client("--domain", "app.example.org", name="other")
assert lt.get(server, "app.example.org").status == 200

# A server that does not know it opens no tunnel; with LTP/0.2 the member of
# control that is called so has no meaning.
ancient = ltp02.OldServer()
old = lt.Client(ancient, service, "--domain", "app.example.org", name="old",
                wait=False)
assert old.wait() == 1 and "too old for --domain" in old.log(), old.log()
assert ancient.requests[0]["ext"]["must"] == ["domain", "strict"], \
    ancient.requests
ancient.close()
loose = lt.Server()
peer = ltp02.OldClient(loose, "old", service, domain="old.example.org")
assert lt.get(loose, "old").status == 200
assert lt.get(loose, "old.example.org").status == 404
peer.close()
