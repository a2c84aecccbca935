#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Clients that send nonsense: each is told so and loses its own connection,
nobody else notices, and the log has one line for each."""

import json
import operator
import re
import struct
import time

import lt
import ltp02

OLD_CODES = {"unavailable", "notavailable", "expired", "exception"}


def hello(message):
    """Header and first frame; message may be text or bytes as well."""
    if isinstance(message, dict):
        message = json.dumps(message)
    if isinstance(message, str):
        message = message.encode()
    return ltp02.HEADER + struct.pack(">I", len(message)) + message


def control(name="fresh", client=ltp02.CLIENT, **ext):
    """A good control request."""
    message = {"control": {"name": name, "client": client}}
    return message | ({"ext": ext} if ext else {})


def say(data, fin=True):
    """Sends it, and FIN if so wished; returns the message or the page that
    comes before the end, None if there is none. A reset raises."""
    with lt.Visitor(server) as visitor:
        visitor.send(data)
        if fin:
            visitor.shut()
        answer = visitor.read_all()
    if not answer or answer.startswith(b"HTTP/1.1 4"):
        return answer.decode() or None
    length, = struct.unpack(">I", answer[:4])
    assert length == len(answer) - 4, answer
    message = json.loads(answer[4:])
    assert not re.search(rb"[^ -~]", answer[4:]), answer
    return message


def is_refused(answer):
    return isinstance(answer, str) or (
        answer is not None and set(answer) == {"error", "message"})


def refuse(data, codes=OLD_CODES, fin=False):
    """Says what must be refused, by a message with one of these codes; the
    client need not end first. Returns the text."""
    global refused
    answer = say(data, fin)
    assert is_refused(answer), (data, answer)
    refused += 1
    if isinstance(answer, dict):
        assert answer["error"] in codes and answer["message"], (data, answer)
        return answer["message"]
    return answer


def grant(message):
    """Says what must be granted."""
    global granted
    answer = say(hello(message))
    assert answer and "control" in answer, (message, answer)
    granted += 1
    return answer


def count(pattern):
    return len(re.findall(pattern, server.log()))


def counts():
    """Log lines of who was refused, those that were too many for the log among
    them, and of sessions that began."""
    return (count("client refused from=") + count("visitor tunnel=-")
            + count("connection refused from=")
            + server.metrics()["log_left_out"],
            count("session started tunnel=(?!old|demo)"),
            count("session ended tunnel=(?!old|demo)"))


server = lt.Server(options={"grace": 0, "grace-old": 0})
service = lt.Service()
client = lt.Client(server, service, name="demo")
old = ltp02.OldClient(server, "old", service)
for name in ["demo", "old"] * 50:
    assert lt.get(server, name).status == 200


def idle():
    return server.metrics()["idle"]


# The worker of the client comes with the second session, after the URL.
lt.wait_until(lambda: idle() == 13)
pids = [server.pid, client.pid, *client.workers(), *server.workers()]


def fds():
    """How many descriptors each process has."""
    return [lt.fd_count(pid) for pid in pids]


def is_quiet():
    """Both pools are full, and descriptors come and go no more."""
    before = fds()
    time.sleep(0.2)
    return idle() == 13 and before == fds()


lt.wait_until(is_quiet)
base = fds()
memory = [lt.rss(pid) for pid in pids]
granted = refused = 0

# Every byte of a good hello changed in turn. A few of the changes make
# another good one: a name, a client, a blank.
good_control = hello(control())
good_proxy = hello({"proxy": {"name": "old", "client": ltp02.CLIENT}})
for good in good_control, good_proxy:
    for i in range(len(good)):
        for bits in 0x01, 0x20, 0x80, 0xff:
            bad = bytearray(good)
            bad[i] ^= bits
            answer = say(bytes(bad))
            if is_refused(answer):
                refused += 1
            elif answer:
                assert set(answer) == {"control"}, (bad, answer)
                granted += 1
            else:
                # An idle proxy connection, had there been room.
                assert json.loads(bad[11:])["proxy"]["name"] == "old", bad

# Cut off after each byte. No byte at all is nothing to speak of, and to three
# there is no language to answer in.
assert say(b"") is None
for good in good_control, good_proxy:
    for i in range(1, 4):
        assert say(good[:i]) is None
        refused += 1
    for i in range(4, len(good)):
        refuse(good[:i], fin=True)

# Lengths that lie: too long ones are refused by their length alone.
text = json.dumps(control()).encode()
for length in (0, 16385, 65536, 1 << 24, (1 << 31) - 1, 1 << 31,
               (1 << 32) - 1):
    for more in b"", text, b"x" * 100_000:
        refuse(ltp02.HEADER + struct.pack(">I", length) + more)
for length in 1, len(text) - 1:
    refuse(ltp02.HEADER + struct.pack(">I", length) + text)
refuse(ltp02.HEADER + struct.pack(">I", len(text) + 1) + text, fin=True)
# The longest that is good, and one byte at a time.
grant(json.dumps(control()).ljust(16384))
with lt.Visitor(server) as visitor:
    visitor.send_slowly(good_control, pause=0)
    reply = ltp02.read_frame(visitor.socket)
    assert set(reply) == {"control"}, reply
    granted += 1

# Other headers and other protocols.
for data in (b"LTP/0.3" + good_control[7:], b"LTP/1.0" + good_control[7:],
             b"ltp/0.2" + good_control[7:], good_control[7:],
             b"LTP/0.2\r\n\r\n\r\n" + good_control,
             b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n", b"\0" * 100 + b"\r\n\r\n",
             bytes(range(256)) + b"\r\n\r\n"):
    refuse(data, fin=True)
# What begins as TLS is answered in TLS: an alert (illegal_parameter).
with lt.Visitor(server) as visitor:
    visitor.send(b"\x16\x03\x01\0\xc8\1" + b"x" * 200)
    assert visitor.read_all() == b"\x15\x03\x01\0\2\2\x2f"
refused += 1

# JSON that is none, is no object, is too deep, has a key twice.
name_and_client = '"name": "fresh", "client": "c"'
for text in ("[]", "null", "5", '"x"', "{", "{}", "{]", '{"control"}', "x",
             '{"control": {%s}}x' % name_and_client,
             '{"control": {%s}}\0' % name_and_client,
             '{"control": {%s,}}' % name_and_client,
             "[" * 16384, "{" * 16384, '{"a":' * 3000,
             '{"control": {%s}, "x": %s}' % (
                 name_and_client, "[" * 8 + "]" * 8),
             '{"control": {%s}, "control": {%s}}' % (
                 name_and_client, name_and_client),
             '{"control": {%s, "name": "fresh"}}' % name_and_client,
             '{"x": {"y": 1, "y": 1}, "control": {%s}}' % name_and_client,
             b'{"control": {"name": "fresh", "client": "\xff"}}',
             b'{"control": {"name": "fresh", "client": "\xc0\x80"}}'):
    refuse(hello(text))

# Wrong types, and keys that are missing.
for key in "control", "proxy":
    for value in (None, 5, [], "x", "ping", "pong", True, {},
                  {"name": "fresh"}, {"client": "c"},
                  {"name": "fresh", "client": 5},
                  {"name": "fresh", "client": "c\0c"},
                  {"name": "fresh", "client": "c" * 256}):
        refuse(hello({key: value}))
    for name in (None, 5, 1.5, True, [], ["fresh"], {}, "fresh\0", "",
                 "-a", "a-", "a_b", "a.b", "a b", "\u00e4", "\u212a", "a\n",
                 "<x>", "../x", "x" * 64, "x" * 10_000):
        refuse(hello({key: {"name": name, "client": "c"}}))
for message in ({"event": {"close": "x"}}, {"error": "x", "message": "y"},
                {"other": {}}, {"ext": {}}):
    refuse(hello(message))
for keys in {"protect": 5}, {"domain": []}:
    refuse(hello({"control": {"name": "fresh", "client": "c", **keys}}))

# With ext there are more codes; an empty name lets the server choose.
new_codes = OLD_CODES | {"badrequest"}
for ext in (5, None, [], "x", True, {"strict": 1}, {"strict": "yes"},
            {"session": 5}, {"secret": []}, {"agent": {}}, {"must": "strict"},
            {"must": {}}, {"must": [5]}, {"must": [None]}):
    refuse(hello(control() | {"ext": ext}), new_codes)
for name in "-a", "a_b", "x" * 63 + "-":
    refuse(hello(control(name, agent="x")), {"badrequest"})
refuse(hello(control("")))
chosen = grant(control("") | {"ext": {}})["ext"]["name"]
assert re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", chosen), chosen

# What a client insists on and this server does not know is refused by name.
for request in control(), {"proxy": {"name": "old", "client": "c"}}:
    for member in "colour", "no-such-thing":
        for must in [member], ["strict", member]:
            text = refuse(hello(request | {"ext": {
                member: "x", "must": must}}), {"badrequest"})
            assert member in text, text
# A kind that it does not know is refused, even if it is not insisted on.
for kind in "udp", "TLS", "":
    for must in [], ["kind"]:
        assert "kind" in refuse(hello(control(kind=kind, must=must)),
                                {"badrequest"})
for member in "\x1b[2J\n", "x" * 10_000, "", "\u00e4":
    refuse(hello(control(must=[member])), {"badrequest"})
assert "ext" in grant(control("sure", must=["strict"], strict=True))
assert "ext" in grant(control(future={"a": [1]}))

# Garbage once the control connection is up ends that session.
lt.wait_until(lambda: counts() == (refused, granted, granted),
              what=f"{counts()} is {refused, granted, granted}")
events = [{}, {"event": {"no-such-event": 1}}, {"event": "close"},
          {"event": {"close": 5}}, {"error": "x", "message": "y"},
          {"control": {"name": "fresh", "client": "c"}},
          {"control": "nonsense"}, {"proxy": True}]
garbage = [b"\0\0\0\0", b"\xff" * 4, b"\0\0\x40\x01", good_control,
           b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\2[]", b"\0\0\0\2{x",
           *map(ltp02.frame, events)]
for ext in None, {"agent": "test"}:
    for data in garbage:
        conn = ltp02.connect(
            server.address, control() | ({"ext": ext} if ext else {}))
        assert "control" in ltp02.read_frame(conn)
        granted += 1
        conn.sendall(data)
        assert ltp02.read_frame(conn) is None, data
        conn.close()
lt.wait_until(lambda: counts() == (refused, granted, granted),
              what=f"{counts()} is {refused, granted, granted}")

# Everybody else is as before.
assert [server.pid, client.pid, *client.workers(), *server.workers()] == pids
for name in ["demo", "old"] * 50:
    assert lt.get(server, name).status == 200
assert not old.closed.is_set() and not old.errors
assert client.alive() and client.log().count("lost") == 0, client.log()
lt.wait_until(lambda: all(map(operator.le, fds(), base)),
              what=f"{fds()} is {base}")
if not lt.under_sanitizer():
    for pid, before in zip(pids, memory):
        assert lt.rss(pid) - before < 8 << 20, (pid, lt.rss(pid), before)
assert "error:" not in server.log() and ltp02.CLIENT not in server.log()
old.close()
