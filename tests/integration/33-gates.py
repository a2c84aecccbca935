#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Who may visit: passwords, networks, and both through proxies that say who
calls. Whatever is refused has its page; nothing of a password is ever shown."""

import base64
import socket
import ssl

import lt
import ltp02

SECRET, OTHER = "corr:ect hörse", "t0wer"


def basic(user, password, scheme="Basic"):
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"{scheme} {token}"}


ADA, BOB = basic("ada", SECRET), basic("bob", OTHER)


def page_of(answer, status, text):
    assert answer.status == status, (answer.status, answer.body)
    assert text in answer.body.decode(), answer.body
    assert answer.header("Connection") == "close", answer.headers
    return answer


# --- passwords --------------------------------------------------------------

service = lt.Service()
server = lt.Server(workers=4)
client = lt.Client(server, service, "--verbose", "--auth", f"ada:{SECRET}",
                   f"--auth=bob:{OTHER}", name="demo")
open_to_all = lt.Client(server, service, name="open")

# Without one, with a wrong one, in the wrong form: 401, and where to log in.
for headers in ({}, basic("ada", OTHER), basic("bob", SECRET),
                basic("ada", SECRET[:-1]), basic("ada", SECRET + "x"),
                basic("", ""), basic("ADA", SECRET),
                basic("ada", SECRET, "Bearer"), {"Authorization": "Basic"},
                {"Authorization": "Basic "}, {"Authorization": "Basic ="},
                {"Authorization": ADA["Authorization"] + "="},
                {"Authorization": "Basic" + "A" * 5000},
                {"Proxy-Authorization": ADA["Authorization"]}):
    answer = page_of(lt.get(server, "demo", headers=headers), 401, "password")
    assert answer.header("WWW-Authenticate") == \
        'Basic realm="demo", charset="UTF-8"', answer.headers
assert not service.requests, service.requests
# A refusal costs no proxy connection.
assert server.metrics()["visitors"] == 0
answer = lt.get(server, "demo", headers={"Accept": "text/html"})
assert answer.status == 401 and b"<html" in answer.body
answer = lt.get(server, "demo", method="HEAD")
assert answer.status == 401 and answer.header("WWW-Authenticate")

# Each of several; the scheme in any case. It is the gate's: the service does
# not get it, and gets everything else.
for headers in (ADA, BOB, basic("ada", SECRET, "bASIC"),
                basic("bob", OTHER, "Basic  ")):
    answer = lt.get(server, "demo", "/x", headers=headers | {"X-Y": "z"})
    assert answer.status == 200, (headers, answer.body)
    assert answer.seen("Authorization") == []
    assert answer.seen("X-Y") == ["z"]
    assert answer.seen("X-Forwarded-For") == ["127.0.0.1"]
# Two of them could be read in two ways.
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("demo"), headers=ADA)[:-2] +
                 f"authorization: {BOB['Authorization']}\r\n\r\n".encode())
    page_of(visitor.read_response(), 401, "password")
# A tunnel without a gate leaves it alone.
answer = lt.get(server, "open", headers=ADA)
assert answer.seen("Authorization") == [ADA["Authorization"]]

# Every request of a connection, not the first alone; with a body between.
with lt.Visitor(server) as visitor:
    for i in range(3):
        assert visitor.request(server.host("demo"), f"/{i}", "POST", BOB,
                               b"x" * 3000).status == 200
    page_of(visitor.request(server.host("demo"), "/3"), 401, "password")
    assert visitor.read_all() == b""
assert ("GET", "/3") not in service.requests
# Pipelined: what came before is answered, and no page gets in between.
with lt.Visitor(server) as visitor:
    visitor.send(lt.request(server.host("demo"), "/4", headers=ADA) +
                 lt.request(server.host("demo"), "/5"))
    assert visitor.read_response().json()["path"] == "/4"
    assert visitor.read_all() == b""
assert ("GET", "/5") not in service.requests
# An upgrade is a request like the others.
with lt.Visitor(server) as visitor:
    page_of(visitor.request(server.host("demo"), headers={
        "Connection": "Upgrade", "Upgrade": "websocket"}), 401, "password")

# The command line of the running client does not say it, nor does any log.
with open(f"/proc/{client.pid}/cmdline", "rb") as f:
    line = f.read()
assert b"--auth" in line and b"demo" in line
for secret in (SECRET, OTHER, "ada:", "bob:", ADA["Authorization"][6:]):
    assert secret.encode() not in line, line
    for program in (client, server):
        assert secret not in program.log() + program.output(), secret
assert lt.wait_until(lambda: "status=401" in server.log())

# Out of the environment, one a line; the command line wins.
for env, args, good, bad in (
        (f"\nada:{SECRET}\nbob:{OTHER}\n", [], [ADA, BOB], [{}]),
        (f"ada:{SECRET}", ["--auth", f"bob:{OTHER}"], [BOB], [ADA])):
    other = lt.Client(server, service, *args, name="env", env={"LT_AUTH": env})
    for headers in good:
        assert lt.get(server, "env", headers=headers).status == 200
    for headers in bad:
        assert lt.get(server, "env", headers=headers).status == 401
    other.stop()

# LTP/0.2 calls it protect.
old = ltp02.OldClient(server, "old", service, protect=f"ada:{SECRET}")
assert lt.get(server, "old").status == 401
assert lt.get(server, "old", headers=ADA).status == 200
assert lt.get(server, "old", headers=BOB).status == 401
old.close()


# --- networks ---------------------------------------------------------------

def visit(tunnel, source, path="/", to=server, **request):
    with lt.Visitor(to, source=(source, 0)) as visitor:
        return visitor.request(to.host(tunnel), path, **request)


gated = lt.Client(server, service, "--allow", "127.0.0.2",
                  "--allow=127.1.0.0/16", "--deny", "127.1.2.0/24",
                  name="gated")
for source, status in (("127.0.0.2", 200), ("127.0.0.3", 403),
                       ("127.1.9.9", 200), ("127.1.2.3", 403),
                       ("127.2.0.1", 403)):
    for _ in range(4):  # whichever worker accepts
        answer = visit("gated", source)
        assert answer.status == status, (source, answer.status)
page_of(answer, 403, "not open to your address")
assert visit("gated", "127.0.0.3", method="HEAD").status == 403
denied = lt.Client(server, service, "--deny", "127.0.0.4", name="denied")
assert visit("denied", "127.0.0.4").status == 403
assert visit("denied", "127.0.0.5").status == 200
# What a visitor says of himself is not believed.
answer = visit("gated", "127.0.0.3", headers={"X-Forwarded-For": "127.0.0.2"})
assert answer.status == 403
# Who is not let in takes no proxy connection: none is ever joined.
before = server.metrics()["visitors"]
assert [visit("gated", "127.0.0.3").status for _ in range(30)] == [403] * 30
assert server.metrics()["visitors"] == before
# Both gates at once: the address first.
both = lt.Client(server, service, "--auth", f"ada:{SECRET}", "--allow",
                 "127.0.0.2/32", name="both")
assert visit("both", "127.0.0.3", headers=ADA).status == 403
assert visit("both", "127.0.0.2").status == 401
assert visit("both", "127.0.0.2", headers=ADA).status == 200

# The gate is that of the last request: another one after a resume.
gated.kill()
gated = lt.Client(server, service, "--deny", "127.0.0.2", name="gated",
                  env={"XDG_STATE_HOME": gated.env["XDG_STATE_HOME"]})
assert visit("gated", "127.0.0.2").status == 403
assert visit("gated", "127.0.0.3").status == 200

# TLS that passes through: an alert, before the service sees anything.
raw = lt.Listener()
passed = lt.Client(server, raw.port, "--allow", "127.0.0.2", name="tls",
                   kind="tls")


def alert(source):
    context = ssl._create_unverified_context()
    with socket.create_connection(server.address, lt.PATIENCE,
                                  (source, 0)) as conn:
        talk = context.wrap_bio(ssl.MemoryBIO(), hello := ssl.MemoryBIO(),
                                server_hostname="tls.localhost")
        try:
            talk.do_handshake()
        except ssl.SSLWantReadError:
            pass
        conn.sendall(sent := hello.read())
        return conn.recv(7), sent


assert alert("127.0.0.3")[0] == b"\x15\x03\x01\x00\x02\x02\x31"
assert raw.accepted == 0
answer, sent = alert("127.0.0.2")
assert answer == sent[:7], answer

# TCP: closed without a word, whatever he may say; and let in.
control = ltp02.connect(server.address, {
    "control": {"name": "raw", "client": "x"},
    "ext": {"kind": "tcp", "allow": ["127.0.0.2"], "must": ["kind", "allow"]}})
granted = ltp02.read_frame(control)["ext"]
door = ("127.0.0.1", granted["port"])
for data in b"", lt.request("x"), b"\x16\x03\x01":
    with lt.Visitor(door, source=("127.0.0.3", 0)) as visitor:
        try:
            assert visitor.send(data).read_all() == b""
        except ConnectionError:  # closed before it was read
            assert data
server.wait_log("visitor tunnel=raw from=127.0.0.3:.* end=\"this tunnel is not")
with lt.Visitor(door, source=("127.0.0.2", 0)) as visitor:
    proxy = ltp02.connect(server.address, {
        "proxy": {"name": "raw", "client": "x"},
        "ext": {k: granted[k] for k in ("session", "secret")}})
    assert ltp02.read_frame(proxy)["ext"]["peer"].startswith("127.0.0.2:")
    proxy.close()
control.close()


# --- behind proxies that speak HTTP -----------------------------------------

front = lt.Server(workers=2, config="""
    trusted-proxies = { "127.0.0.9", "10.0.0.0/8" }
""")
web = lt.Client(front, service, "--allow", "192.0.2.0/24", name="web")
anyone = lt.Client(front, service, name="any")


def via(source, said, tunnel="web", **headers):
    return visit(tunnel, source, to=front, headers={
        k.replace("_", "-"): v for k, v in headers.items()} | (
            {"X-Forwarded-For": said} if said is not None else {}))


for said, status in (("192.0.2.7", 200), ("198.51.100.1", 403), (None, 403),
                     ("198.51.100.1, 192.0.2.7", 200),
                     ("192.0.2.7, 198.51.100.1", 403),
                     ("192.0.2.7, 10.1.1.1", 200),
                     ("192.0.2.7,10.1.1.1 , 10.2.2.2", 200),
                     ("198.51.100.1, 10.1.1.1", 403),
                     ("192.0.2.7:4711", 200), ("::ffff:192.0.2.7", 200),
                     ("[2001:db8::1]", 403), ("unknown", 403), ("", 403),
                     ("192.0.2.7, unknown", 403), ("192.0.2.7,", 403)):
    answer = via("127.0.0.9", said)
    assert answer.status == status, (said, answer.status)
    if status == 200:
        assert answer.seen("X-Forwarded-For") == [said + ", 127.0.0.9"]
assert via("127.0.0.8", "192.0.2.7").status == 403

# Each request of a connection by its own address.
with lt.Visitor(front, source=("127.0.0.9", 0)) as visitor:
    for said in ("192.0.2.1", "192.0.2.2"):
        answer = visitor.request(front.host("web"), headers={
            "X-Forwarded-For": said})
        assert answer.seen("X-Forwarded-For") == [f"{said}, 127.0.0.9"]
    page_of(visitor.request(front.host("web"), headers={
        "X-Forwarded-For": "203.0.113.1"}), 403, "address")

# A trusted proxy's word stays and is added to; another's is dropped.
said = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "outside.example",
        "X_Forwarded_Port": "444", "X_Real_IP": "1.1.1.1",
        "Forwarded": "for=1.1.1.1"}
answer = via("127.0.0.9", "203.0.113.1", "any", **said)
assert answer.seen("X-Forwarded-For") == ["203.0.113.1, 127.0.0.9"]
assert answer.seen("X-Forwarded-Proto") == ["https"]
assert answer.seen("X-Forwarded-Host") == ["outside.example"]
assert answer.seen("X-Forwarded-Port") == ["444"]
assert answer.seen("X-Real-IP") == answer.seen("Forwarded") == []
answer = via("127.0.0.8", "203.0.113.1", "any", **said)
assert answer.seen("X-Forwarded-For") == ["127.0.0.8"]
assert answer.seen("X-Forwarded-Proto") == ["http"]
assert answer.seen("X-Forwarded-Host") == [front.host("any")]
assert answer.seen("X-Forwarded-Port") == [str(front.port)]
# Two lines are one list; what it does not say is said by us.
with lt.Visitor(front, source=("127.0.0.9", 0)) as visitor:
    visitor.send(lt.request(front.host("any"), headers={
        "X-Forwarded-For": "a"})[:-2] + b"x-forwarded-for: b, c\r\n\r\n")
    answer = visitor.read_response()
assert answer.seen("X-Forwarded-For") == ["a, b, c, 127.0.0.9"]
assert answer.seen("X-Forwarded-Proto") == ["http"]


# --- what is refused --------------------------------------------------------

def refused(**ext):
    must = [k for k in ext if k != "must"]
    conn = ltp02.connect(server.address, {
        "control": {"name": "bad", "client": "x"},
        "ext": {"must": must} | ext})
    with conn:
        return ltp02.read_frame(conn)


for ext, words in (
        ({"auth": []}, "auth must be a list"),
        ({"auth": "a:b"}, "auth must be a list"),
        ({"auth": [1]}, "auth must be a list"),
        ({"allow": []}, "allow must be a list"),
        ({"deny": ["::1"] * 33}, "1 to 32 strings"),
        ({"auth": ["a:b", "secret"]}, "entry 2 is not user:password"),
        ({"auth": [":b"]}, "entry 1"), ({"auth": ["a:"]}, "entry 1"),
        ({"auth": ["a:b\n"]}, "entry 1"), ({"auth": ["a:" + "b" * 254]},
                                          "at most 255 bytes"),
        ({"allow": ["10.0.0.0/8", "10.0.0.0/33"]},
         'allow: "10.0.0.0/33" is not a network'),
        ({"deny": ["10.0.0.1/8"]}, "must be 0"),
        ({"deny": ["hörse\x1b"]}, "not an address"),
        ({"kind": "tls", "auth": ["a:b"]}, "only a tunnel of kind http"),
        ({"kind": "tcp", "auth": ["a:b"]}, "only a tunnel of kind http")):
    answer = refused(**ext)
    assert words in answer["message"], (ext, answer)
    assert answer["error"] in ("badrequest", "exception"), answer
    assert "secret" not in str(answer)
try:
    ltp02.open_control(server.address, "bad", protect="no colon")
except ltp02.Refused as e:
    assert e.code == "exception" and "protect" in e.message, e
else:
    raise AssertionError("protect without a colon was taken")
try:
    ltp02.OldClient(server, "bad", service, protect=f"{'x' * 300}:y")
except ltp02.Refused as e:
    assert "255" in e.message, e

# A server that does not know gates opens none.
ancient = ltp02.OldServer()
for args, words in ((["--auth", "a:b"], "passwords"),
                    (["--allow", "::1"], "--allow and --deny"),
                    (["--deny", "::1"], "--allow and --deny")):
    client = lt.Client(ancient, service, *args, name=args[0][2:], wait=False)
    assert client.wait() == 1
    assert "too old for " + words in client.log(), client.log()
    assert client.output() == ""
assert all("control" in request for request in ancient.requests)
assert all(request["ext"]["must"] in (["strict", k], [k, "strict"])
           for request, k in zip(ancient.requests, ("auth", "allow", "deny")))
ancient.close()
