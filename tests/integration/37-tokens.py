#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Tokens: made, listed and revoked by ltctl; who is let in with one, to what,
and who is not; they are in no log and go nowhere in clear. Revoking one, or its
time, ends its tunnels; a restart keeps those of the others."""

import base64
import hashlib
import json
import os
import re
import socket
import stat
import subprocess
import time

import lt
import ltp02
import node

path = lt.tmp + "/tokens"
sock = lt.tmp + "/sock"
secrets = []


def ctl(*args, code=0, socket_path=sock):
    done = subprocess.run(
        [os.path.join(lt.BUILD, "ltctl"), "-s", socket_path, *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == code, (args, done)
    return done


def add(*args, **kwargs):
    """Makes a token; returns it."""
    done = ctl("token", "add", *args, **kwargs)
    token = done.stdout.strip()
    assert re.fullmatch("lt_[0-9a-f]{64}", token), done
    secrets.append(token)
    return token


# --- the file, before there is a server -------------------------------------

nowhere = lt.tmp + "/nobody-here"
done = ctl("-f", path, "token", "add", "alice", "names=demo,team-*",
           "tunnels=2", socket_path=nowhere)
alice = done.stdout.strip()
secrets.append(alice)
assert "not shown again" in done.stderr and "has not read it" in done.stderr, done
assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
with open(path, encoding="ascii") as f:
    text = f.read()
assert text == f"alice {hashlib.sha256(alice.encode()).hexdigest()} " \
    "names=demo,team-* tunnels=2\n", text

for args, code, words in (
        (["token"], 2, "add, list or revoke"),
        (["token", "ad"], 2, "only add, list and revoke"),
        (["token", "add"], 2, "needs the name"),
        (["token", "revoke", "a", "b"], 2, "needs the name of one"),
        (["token", "list", "x"], 2, "too many"),
        (["-f", path, "status"], 2, "--file"),
        (["-f", path, "token", "add", "alice"], 1, "of this name"),
        (["-f", path, "token", "add", "a/b"], 1, "not the name of a token"),
        (["-f", path, "token", "add", "b", "kinds=htp"], 1, "kinds"),
        (["-f", path, "token", "add", "b", "tunels=1"], 1, '"tunnels"'),
        (["-f", path, "token", "revoke", "eve"], 1, "no token of this name"),
        (["-f", lt.tmp, "token", "add", "b"], 1, lt.tmp),
        (["-f", nowhere, "token", "list"], 1, "No such file")):
    done = ctl(*args, code=code, socket_path=nowhere)
    assert words in done.stderr, (args, done)
with open(path, encoding="ascii") as f:
    assert f.read() == text
# What somebody has written there stays, and its mode.
os.chmod(path, 0o640)
with open(path, "a", encoding="ascii") as f:
    f.write("\n# of the office\n")
bob = ctl("-f", path, "token", "add", "bob", socket_path=nowhere).stdout.strip()
secrets.append(bob)
assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
with open(path, encoding="ascii") as f:
    assert f.read().startswith(text + "\n# of the office\nbob ")
assert os.listdir(lt.tmp).count("tokens") == 1
assert not [n for n in os.listdir(lt.tmp) if n.startswith("tokens.")]
rows = json.loads(ctl("-j", "-f", path, "token", "list").stdout)
assert rows == [{"name": "alice", "rights": "names=demo,team-* tunnels=2"},
                {"name": "bob", "rights": ""}], rows

# --- the server starts with them, or not ------------------------------------


def cannot_start(words, *args, code=2):
    """It does not start, and -t says the same."""
    for test in [], ["-t"]:
        done = subprocess.run(
            [os.path.join(lt.BUILD, "ltserver"), "-f", "-c", "/dev/null",
             *args, *test],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=lt.PATIENCE, check=False)
        assert done.returncode == code, done
        for word in words:
            assert word in done.stderr, (word, done)


cannot_start(["0.0.0.0:0 can be reached by others", "tokens", "ltctl token add",
              "open = yes"], "-l", "0.0.0.0:0")
cannot_start([nowhere, "ltctl token add"], "-l", "0", "-o",
             f"tokens={nowhere}", code=1)
broken = lt.tmp + "/broken"
with open(broken, "w", encoding="ascii") as f:
    f.write(text + text.replace("alice", "eve").replace("tunnels", "tunels"))
cannot_start([f"{broken}:2: ", '"tunels"', '"tunnels"'], "-l", "0", "-o",
             f"tokens={broken}", code=1)
for options in {"tokens": path}, {"open": "yes"}:
    lt.Server(listen=["0.0.0.0:0"], options=options).stop()

service = lt.Service()
server = lt.Server("-v", workers=2, options={
    "tokens": path, "control-socket": sock, "node-api": "yes",
    "failures-per-minute": 0, "tunnels-per-minute": 0})

# --- who is let in ----------------------------------------------------------


def refused(words, *args, code=4, **kwargs):
    client = lt.Client(server, service, *args, wait=False, **kwargs)
    assert client.wait() == code, client.log()
    assert words in client.log() and client.output() == "", client.log()
    return client


refused("wants a token: show it with ltclient -t (unauthorized)", name="demo")
refused("does not know this token", "-t", "lt_" + "0" * 64, name="demo")
refused("does not know this token", "-t", alice + "0", name="demo")
client = lt.Client(server, service, "-t", alice, name="demo")
assert lt.get(server, "demo").status == 200
# The command line of the running client does not say it.
with open(f"/proc/{client.pid}/cmdline", "rb") as f:
    assert alice.encode() not in f.read()
refused("does not allow that name", "-t", alice, name="other")
second = lt.Client(server, service, name="team-7", env={"LT_TOKEN": alice})
refused("as many tunnels as it may", name="team-8", env={"LT_TOKEN": alice},
        code=1)
# One that has ended makes room for another.
second.stop()
lt.wait_until(lambda: lt.get(server, "team-7").status == 404)
third = lt.Client(server, service, name="team-8", env={"LT_TOKEN": alice})
third.stop()
# Names that nobody gets; another one will do, unless that one was asked for.
refused("www cannot be had: this name is reserved", "-t", bob, name="www",
        code=3)
any_name = lt.Client(server, service, "-t", bob, "--fallback", name="www")
assert "://www." not in any_name.url, any_name.url
any_name.stop()
config = lt.tmp + "/client.conf"
with open(config, "w", encoding="ascii") as f:
    f.write(f'server = "{server.url}"\ntoken = "{bob}"\n')
filed = lt.Client(server, service, "-c", config, name="filed")
# In the URL, as for lt.
url = f"http://bob:{bob}@localhost:{server.port}"
urled = lt.Client(url, service, name="urled")
assert lt.get(server, "urled").status == 200
with open(f"/proc/{urled.pid}/cmdline", "rb") as f:
    assert bob.encode() not in f.read()
urled.stop()
# A client of LTP/0.2 has no way to show one.
try:
    ltp02.OldClient(server, "old", service)
    raise AssertionError("an old client was let in")
except ltp02.Refused as e:
    assert e.code == "exception" and "wants a token" in e.message, e
# A tunnel that is there is lost by nobody without its token.
refused("demo is taken", "-t", bob, name="demo", code=3)
assert lt.get(server, "demo").status == 200

# --- the Node.js client -----------------------------------------------------


def basic(user, password):
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {login}"}


for headers in ({}, basic("bob", "wrong"), basic("bob", ""),
                {"Authorization": "Basic ???"}, {"Authorization": "Basic "},
                {"Authorization": "Bearer " + bob},
                {"Authorization": "Basic " + "A" * 4000}):
    answer = node.ask(server, "/?new", headers=headers)
    assert answer.status == 401, (headers, answer.status)
    assert answer.header("WWW-Authenticate").startswith("Basic realm="), answer
    assert "token" in answer.json()["message"], answer.body
tunnel = node.register(server, "/nodejs", headers=basic("anybody", bob))
assert tunnel["id"] == "nodejs"
answer = node.ask(server, "/elsewhere", headers=basic("alice", alice))
assert answer.status == 403 and "name" in answer.json()["message"]
# Reserved ones get another, as all that cannot be had do.
assert node.register(server, "/mail", headers=basic("b", bob))["id"] != "mail"
# Our own lt shows what stands in the URL, to us and to servers of that kind.
lt.Client(url, service, name="again").stop()

theirs = node.NodeServer()
for program, args in (("lt", ["-h"]), ("ltclient", ["-S"])):
    other = lt.Program(program, *args, f"http://us%65r:{bob}@{theirs.url[7:]}",
                       "--port", str(service.port)).start()
    other.wait_output("your url is: ")
    other.stop()
    assert theirs.logins[-1] == basic("user", bob)["Authorization"]
# What only asks what there is shows nothing.
assert theirs.logins[0] is None and theirs.asked[0] == "/meta/backend"
theirs.answers["*"] = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
denied = lt.Program("lt", "-h", theirs.url, "--port", "1").start()
assert denied.wait() == 4, denied.log()
theirs.close()

# --- not in clear -----------------------------------------------------------

done = subprocess.run(
    [os.path.join(lt.BUILD, "ltclient"), "-S", "http://192.0.2.1", "-t", bob,
     "5000"], stderr=subprocess.PIPE, text=True, check=False)
assert done.returncode == 2 and "https://192.0.2.1" in done.stderr, done
assert bob not in done.stderr

front = lt.Server(listen=(), options={"tokens": path}, config="""
    listen "127.0.0.1:0" { proxy-protocol = yes }
    listen "127.0.0.2:0" { proxy-protocol = yes  public = "https://:443" }
    trusted-proxies = { "127.0.0.0/8" }
""")


def over(address, token):
    """The answer to a request whose client is 203.0.113.7, says the proxy."""
    with socket.create_connection(address, lt.PATIENCE) as conn:
        conn.sendall(b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n" +
                     ltp02.HEADER + ltp02.frame({
                         "control": {"name": "clear", "client": "x"},
                         "ext": {"token": token}}))
        return ltp02.read_frame(conn)


answer = over(("127.0.0.1", front.ports[0]), bob)
assert answer["error"] == "unauthorized" and "https" in answer["message"], answer
answer = over(("127.0.0.2", front.ports[1]), bob)
assert answer["ext"]["name"] == "clear", answer

# --- the end of a token -----------------------------------------------------

# With its tunnels, and theirs alone; the visitor who is in one goes, too.
slow = lt.Visitor(server)
slow.send(lt.request(server.host("demo"), "/", headers={"Content-Length": "9"}))
lt.wait_until(lambda: server.metrics()["joined"] >= 1)
ctl("token", "revoke", "alice")
assert client.wait() == 4, client.log()
assert "the token is not good any more" in client.log(), client.log()
assert slow.read_all()[:12] in (b"", b"HTTP/1.1 502")
slow.close()
lt.wait_until(lambda: lt.get(server, "demo").status == 404)
refused("does not know this token", "-t", alice, name="demo")
assert lt.get(server, "filed").status == 200

# A file that is wrong changes nothing, and the log says where.
with open(path, encoding="ascii") as f:
    good = f.read()
with open(path, "w", encoding="ascii") as f:
    f.write(good + "carol nonsense\n")
assert re.search(rf"{path}:\d+: token carol", ctl("reload", code=1).stderr)
server.wait_log(rf"settings stay as they were: {path}:\d+: token carol")
assert "nonsense" not in server.log()
assert lt.get(server, "filed").status == 200
assert ctl("token", "add", "x", code=1).stderr.count("carol") == 1
with open(path, "w", encoding="ascii") as f:
    f.write(good)

# By its time.
soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6))
timed = lt.Client(server, service, "-t", add("timed", f"expires={soon}"),
                  name="timed")
assert timed.wait() == 4, timed.log()
assert "not good any more" in timed.log()
refused("time of this token is over", "-t", secrets[-1], name="timed")

# A restart asks for them again, and the tunnels come back.
server.restart()
lt.wait_until(lambda: lt.get(server, "filed").status == 200)
assert filed.alive()
refused("wants a token", name="demo")

# --- no log has any of them -------------------------------------------------

for program in lt._programs:
    for secret in secrets:
        for form in (secret, secret[3:], base64.b64encode(
                b"bob:" + secret.encode()).decode(),
                hashlib.sha256(secret.encode()).hexdigest()):
            assert form not in program.log() + program.output(), program.title
