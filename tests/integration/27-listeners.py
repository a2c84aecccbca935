#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Listeners that take only some kinds refuse all others, each in its own
language; URLs and ports are given out as the world knows them."""

import lt
import ltp02

# --- a listener for each kind -----------------------------------------------

server = lt.Server(listen=(), config="""
listen "127.0.0.1:0" { kinds = { "http" } }
listen "localhost:0" { kinds = { "ltp" } }
listen "0" { kinds = { "tls" } }
""")
http, ltp, tls = (("127.0.0.1", port) for port in server.ports)
base = f"localhost:{http[1]}"


def page(address, host, path="/"):
    with lt.Visitor(address) as visitor:
        return visitor.request(host, path)


assert page(http, base, "/meta/backend").body == str(ltp[1]).encode()
assert f"-S http://{base} ".encode() in page(http, base).body

# The client finds its port there. It came in where no visitor can, so its URL
# is at the port of the others.
client = lt.Client(f"http://{base}", lt.Service(), name="demo")
assert client.url == f"http://demo.{base}", client.url
assert page(http, f"demo.{base}").status == 200
passed = lt.Client(f"http://{base}", lt.Service(), name="tls", kind="tls")
assert passed.url == f"https://tls.localhost:{tls[1]}", passed.url
assert page(http, f"tls.{base}", "/x").header("Location") == \
    f"https://tls.localhost:{tls[1]}/x"

answer = page(ltp, base)
assert answer.status == 400 and b"clients" in answer.body, answer.body
assert page(ltp, base, "/meta/backend").body == str(ltp[1]).encode()
answer = page(tls, f"demo.localhost:{tls[1]}")
assert answer.status == 400 and b"https" in answer.body, answer.body
for address in http, tls:
    try:
        ltp02.open_control(address, "other")
    except ltp02.Refused as refused:
        assert refused.code == "exception", refused.code
        assert "not for clients" in refused.message, refused.message
    else:
        raise AssertionError(f"a client came in at {address}")
hello = bytes.fromhex(
    "16030100330100002f0303" + 32 * "00" + "00" + "00021301" + "0100" +
    "0004" + "00170000")
for address in http, ltp:
    with lt.Visitor(address) as visitor:
        visitor.send(hello)
        assert visitor.read_all() == b"\x15\x03\x01\x00\x02\x02\x70"
    server.wait_log("end=\"TLS on a port without it\"")

# --- behind a proxy, and behind NAT -----------------------------------------

server = lt.Server(listen=(), domain="t.localhost", config="""
listen "127.0.0.1:0" { kinds = { "http" }  public = "https://:443" }
listen "localhost:0" { kinds = { "ltp" } }
listen "0" { kinds = { "http", "ltp" }  public = "http://:8081" }
""")
proxied, ltp, direct = (("127.0.0.1", port) for port in server.ports)
url = f"http://t.localhost:{ltp[1]}"
for address in proxied, ltp:
    assert page(address, "t.localhost", "/meta/backend").body == \
        str(ltp[1]).encode()
assert page(direct, "t.localhost", "/meta/backend").body == b"8081"
# A proxy that ends TLS is no way for clients.
assert f"-S {url} ".encode() in page(proxied, "t.localhost").body
assert b"-S http://t.localhost:8081 " in page(direct, "t.localhost").body

client = lt.Client(url, lt.Service(), name="demo")
assert client.url == "https://demo.t.localhost", client.url
old = ltp02.OldClient(direct, "old", lt.Service())
assert old.host == "old.t.localhost:8081", old.host

seen = page(proxied, "demo.t.localhost")
assert seen.seen("X-Forwarded-Proto") == ["https"], seen.body
assert seen.seen("X-Forwarded-Port") == ["443"], seen.body
seen = page(direct, "demo.t.localhost:8081")
assert seen.seen("X-Forwarded-Proto") == ["http"], seen.body
assert seen.seen("X-Forwarded-Port") == ["8081"], seen.body
