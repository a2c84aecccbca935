#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The command ltclient: its options, what it says and where, how it ends."""

import json
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import lt

server = lt.Server(options={"grace": 600})
service = lt.Service()


def run(*args, env=None):
    """Runs ltclient to its end: (status, standard output, standard error)."""
    program = lt.Program("ltclient", *args, env=env).start()
    return program.wait(), program.output(), program.log()


def usage(*args):
    """Usage is wrong: says so on standard error only. Returns that."""
    status, output, log = run(*args)
    assert status == 2 and output == "", (args, status, output, log)
    assert log.startswith("ltclient: ") and "--help" in log, (args, log)
    return log


def events(client):
    """What --json has printed but for traffic; every line must be an
    object."""
    found = [json.loads(line) for line in client.output().splitlines()]
    assert all(isinstance(event["event"], str) for event in found), found
    return [event for event in found if event["event"] != "traffic"]


# --- usage ------------------------------------------------------------------

status, output, log = run("--help")
assert status == 0 and log == "" and run("-h")[1] == output
for word in ("usage: ltclient", "--server", "--subdomain", "--fallback",
             "--port", "--local-host", "--host-header", "--print-requests",
             "--json", "--quiet", "--verbose", "--no-reconnect", "--version",
             "unix:/PATH", "LT_SERVER", "Exit codes"):
    assert word in output, word
assert run("--version") == (0, "ltclient 1.0\n", "") == run("-V")

url = ("-S", server.url)
for options in ["--no-such-option"], ["-Z"], ["--json=x"], ["--quie", "--x"]:
    log = usage(*url, *options, 5000)
    assert options[-1].split("=")[0].strip("-") in log, log
usage(*url, 5000, "-s")
# No server: all three places where it can be said are named.
log = usage(5000)
assert "--server" in log and "LT_SERVER" in log and "configuration" in log
assert "~/.config/localtunnel/ltclient.conf" in log
# The server where the target is expected: what was meant is said.
assert "did you mean -S http://localhost:8000 5000?" \
    in usage("http://localhost:8000", 5000)
assert "the name is empty" in usage(*url, "-s", "", 5000)
assert 'TARGET "nonsense:x": ' in usage(*url, "nonsense:x")
for target in ("", "x", "0", "70000", "-1", "5000x", "host:", ":x", "host:0",
               "a b:80", "unix:", "unix:relative", "unix:/" + "x" * 200,
               "http://127.0.0.1:1/x", "http://", "http://127.0.0.1:0",
               "https://", "https://127.0.0.1:1/x"):
    usage(*url, "--", target)
for target in [], ["5000", "5001"], ["http"], ["tcp"], ["tls"], \
        ["-p", "5000", "5001"], ["-l", "127.0.0.1", "127.0.0.1:5000"]:
    usage(*url, *target)
for option in ["--print-requests"], ["--host-header", "rewrite"]:
    assert "tls tunnel" in usage(*url, *option, "tls", 5000)
for name in "", "-a", "a-", "a_b", "a.b", "a b", "\u00e4", "x" * 64:
    usage(*url, "-s", name, 5000)
for value in "", "a b", "a\r\nX: y", "x" * 5000:
    usage(*url, "--host-header", value, 5000)
for value in "http://", "http://a b", "ftp://x", "http://x:0", "http://x/path":
    usage("-S", value, 5000)

# --- names ------------------------------------------------------------------

client = lt.Client(server, service, name="Demo")
assert client.url == f"http://demo.localhost:{server.port}"
assert client.output() == f"your url is: {client.url}\n"
assert lt.get(server, "demo").status == 200

# Taken by somebody else: refused, or with --fallback another one.
taken = lt.Client(server, service, name="demo", wait=False)
assert taken.wait() == 3 and taken.output() == ""
assert "demo" in taken.log() and "taken" in taken.log()
other = lt.Client(server, service, "--fallback", name="demo")
assert other.url != client.url and "demo" in other.log()
assert lt.get(server, other.url.split("/")[2]).status == 200
assert other.stop() == 0

# A second one with the same state: refused, and the first is unharmed. One
# that is killed has its name back as soon as it is started again.
state = {"XDG_STATE_HOME": client.env["XDG_STATE_HOME"]}
for _ in range(2):
    twin = lt.Client(server, service, name="demo", env=state, wait=False)
    assert twin.wait() == 3 and "another ltclient" in twin.log(), twin.log()
    assert lt.get(server, "demo").status == 200
    assert client.alive() and "lost" not in client.log(), client.log()
    client.kill()
    client.start()
files = os.listdir(client.env["XDG_STATE_HOME"] + "/localtunnel")
assert len(files) == 1 and "demo" in files[0], files
path = f"{client.env['XDG_STATE_HOME']}/localtunnel/{files[0]}"
assert os.stat(path).st_mode & 0o777 == 0o600

# A client that ends by request frees the name at once, though the server
# would hold it for long; anybody may have it then.
for sig in lt.SIGTERM, lt.SIGINT:
    assert client.stop(sig) == 0
    lt.wait_until(lambda: lt.get(server, "demo").status == 404)
    client = lt.Client(server, service, name="demo")
    assert lt.get(server, "demo").status == 200
assert client.stop() == 0

# --- ends -------------------------------------------------------------------

# Not reachable, or lost: 5 if it is not to come back, else it waits on and
# says for what.
closed = f"http://127.0.0.1:{lt.free_port()}"
status, output, log = run("-S", closed, "--no-reconnect", 5000)
assert status == 5 and output == "" and closed[7:] in log, (status, log)
lost = lt.Server()
leaving = lt.Client(lost, service, "--no-reconnect")
staying = lt.Client(lost, service, "--json", name="demo", wait=False)
staying.wait_output('"up"')
workers = lost.workers()
for pid in workers:  # so that they cannot say that they are leaving
    lt.kill(pid, lt.signal.SIGSTOP)
lost.kill()
for pid in workers:
    lt.kill(pid)
assert leaving.wait() == 5 and "lost the server" in leaving.log()
for options in [], ["-q"]:
    waiting = lt.Client(closed, service, *options, wait=False)
    waiting.wait_log(re.escape(closed[7:]) + ".*; trying again")
    assert waiting.stop() == 0 and waiting.output() == ""
release = threading.Event()
mute = lt.Listener(lambda conn: release.wait())
waiting = lt.Client(f"http://{mute.target}", service, wait=False)
waiting.wait_log("waiting for the server " + re.escape(mute.target))
assert waiting.stop() == 0 and waiting.output() == ""
release.set()
# Something else than a tunnel server: a failure.
status, output, log = run("-S", f"http://{service.target}", 5000)
assert status == 1 and output == "" and service.target in log, (status, log)

# An ltserver, but not by the name that it has.
status, output, log = run("-S", f"http://127.0.0.1:{server.port}", 5000)
assert status == 1 and output == "", (status, log)
assert f"there is an ltserver at 127.0.0.1:{server.port}, but 127.0.0.1 is " \
    "not its domain" in log, log

# --- what is printed --------------------------------------------------------

# With --json only events go to standard output.
lt.wait_until(lambda: [e["event"] for e in events(staying)][:2]
              == ["up", "down"])
lt.wait_until(lambda: not any(map(lt.exists, workers)))
lost.start_again()
lt.wait_until(lambda: events(staying)[-1]["event"] == "up")
ups = [e for e in events(staying) if e["event"] == "up"]
assert ups == [{"event": "up", "name": "demo",
                "url": f"http://demo.localhost:{lost.port}"}] * 2, ups
assert {e["event"] for e in events(staying)} <= {"up", "down", "reconnecting"}
assert lt.get(lost, "demo").status == 200
assert staying.stop() == 0
failed = lt.Program("ltclient", *url, "--json", "-S", closed,
                    "--no-reconnect", 5000).start()
assert failed.wait() == 5
assert events(failed)[-1]["event"] == "error" and events(failed)[-1]["message"]

# Requests and their answers, once each, also if they share a connection.
printing = lt.Client(server, service, "--print-requests", name="printing")
quiet = lt.Client(server, service, "--print-requests", "--json", "-q",
                  name="quiet", wait=False)
quiet.wait_output('"up"')
asked = [("GET", "/hello?x=1", 200), ("POST", "/b", 200), ("HEAD", "/c", 200),
         ("GET", "/status/404", 404), ("GET", "/chunked/100000", 200),
         ("DELETE", "/status/204", 204), ("GET", "/slow/0.01", 200),
         ("GET", "/close", None)]
for host in server.host("printing"), server.host("quiet"):
    with lt.Visitor(server) as visitor:
        for method, path, status in asked:
            body = b"x" * 1000 if method == "POST" else None
            page = visitor.request(host, path, method, body=body)
            assert status is None or page.status == status, (path, page)
lt.wait_until(lambda: "/close" in printing.log())
lines = re.findall(r"^([A-Z]+) (/\S*) (\d+|-) \d+ ms$", printing.log(), re.M)
assert lines == [(m, p, str(s or "-")) for m, p, s in asked], lines
assert printing.output() == f"your url is: {printing.url}\n"
lt.wait_until(lambda: len(events(quiet)) > len(asked))
assert [(e["method"], e["path"], e["status"] or None)
        for e in events(quiet)[1:]] == asked
assert all(isinstance(e["ms"], int) for e in events(quiet)[1:])
assert quiet.log() == ""

# Nobody can be told the URL: there is no tunnel, and the name is free.
def into(redirection):
    return {"wrapper": ("sh", "-c", f'exec "$@" {redirection}', "sh")}


for options in [], ["--json"]:
    untold = lt.Client(server, service, *options, name="untold", wait=False,
                       **into(">/dev/full"))
    assert untold.wait() == 1 and "No space left" in untold.log()
    assert lt.get(server, "untold").status == 404
for option in "--help", "--version":
    full = lt.Program("ltclient", option, **into(">/dev/full")).start()
    assert full.wait() == 1 and "No space left" in full.log()
# Standard descriptors that are closed are not taken by something else.
closed_fds = lt.Client(server, service, "-v", name="closed", wait=False,
                       **into("<&- >&-"))
closed_fds.wait_log("session 1 granted")
assert [os.readlink(f"/proc/{closed_fds.pid}/fd/{fd}") for fd in (0, 1)] \
    == ["/dev/null"] * 2
assert lt.get(server, "closed").status == 200
assert closed_fds.stop() == 0

# -v: the steps of an attempt, and what becomes of each visitor; no secret.
verbose = lt.Client(server, service, "-v", name="verbose")
assert lt.get(server, "verbose").status == 200
verbose.wait_log("visitor 1 ended: both sides have ended, [1-9]")
for pattern in (
        rf"127\.0\.0\.1:{server.port}: connecting$",
        rf"localhost:{server.port} is an ltserver; its backend is "
        rf"127\.0\.0\.1:{server.port}$",
        "session 1 granted: name verbose, 5 proxy connections to keep ready$",
        r"visitor 1 has come: 127\.0\.0\.1:\d+$",
        f"visitor 1 joined with {re.escape(service.target)}$"):
    assert re.search("^ltclient: " + pattern, verbose.log(), re.M), pattern
for pid in server.workers():
    lt.kill(pid)
verbose.wait_log("session 1 resumed: name verbose")
# Ten at once are not ten lines.
lt.wait_until(lambda: sum(ends := [int(n) for n in re.findall(
    r"proxy connections ended: (\d+), ", verbose.log())]) >= 10
    and len(ends) <= 5)
kept = f"{verbose.env['XDG_STATE_HOME']}/localtunnel"
with open(f"{kept}/{os.listdir(kept)[0]}", encoding="utf-8") as f:
    for secret in json.load(f).values():
        assert secret not in verbose.log() and len(secret) > 5
assert verbose.stop() == 0

# Where the secret cannot be kept.
for env, why in (({"XDG_STATE_HOME": "/dev/null/x"}, "/dev/null/x"),
                 ({"XDG_STATE_HOME": "", "HOME": ""},
                  "neither XDG_STATE_HOME nor HOME is set")):
    homeless = lt.Client(server, service, name="homeless", env=env)
    assert why in homeless.log() and homeless.stop() == 0

# -q: the URL and nothing else, and that the server is lost, once.
lost_quietly = lt.Client(lost, service, "-q")
lost.kill()
lost_quietly.wait_log("lost the server: ")
lost_quietly.wait_log("Connection refused; trying again")
lost_quietly.signal(lt.signal.SIGSTOP)
lines = lost_quietly.log().splitlines()
assert len(lines) == len(set(lines)), lines
lost_quietly.signal(lt.signal.SIGCONT)
assert lost_quietly.stop() == 0
silent = lt.Client(server, service, "-q", name="silent")
assert lt.get(server, "silent").status == 200
assert silent.stop() == 0 and silent.log() == ""
assert silent.output() == f"your url is: {silent.url}\n"

# --- targets ----------------------------------------------------------------

unix = lt.Service("unix", unix=lt.tmp + "/service")
away = lt.Service("away", host="127.0.0.2")
public = object()
for args, target, name, host in (
        ((), service, "toy", public),
        (("http",), service.port, "toy", public),
        (("-p",), service.port, "toy", public),
        (("--port",), service.port, "toy", public),
        (("-n", "other", "-S", server.url), service, "toy", public),
        (("--name", "other", "--to", server.url), service, "toy", public),
        ((), f"http://{service.target}/", "toy", public),
        ((), unix, "unix", public),
        (("-l", "127.0.0.2"), away.port, "away", public),
        (("--local-host", "127.0.0.2"), away.port, "away", public),
        (("--host-header", "rewrite"), service, "toy", service.target),
        (("--host-header", "rewrite"), service.port, "toy",
         f"localhost:{service.port}"),
        (("--host-header", "rewrite", "--local-host", "127.0.0.2"), away.port,
         "away", away.target),
        (("--host-header", "rewrite"), unix, "unix", "localhost"),
        (("--host-header=app.example",), service, "toy", "app.example")):
    client = lt.Client(server, target, *args)
    asked = client.url.split("/")[2]
    with lt.Visitor(server) as visitor:
        # Every request of a connection, not only the first.
        for _ in range(3):
            page = visitor.request(asked, method="POST", body=b"x" * 70_000)
            assert page.status == 200, (args, target, page.body)
            assert page.json()["service"] == name, (args, page.json())
            assert page.json()["body_len"] == 70_000
            assert page.seen("Host") == [asked if host is public else host]
            assert page.seen("X-Forwarded-Host") == [asked]
    assert client.stop() == 0
program = lt.Program("ltclient", "-s", "fromenv", service.target,
                     env={"LT_SERVER": server.url}).start()
program.wait_output(r"^your url is: http://fromenv\.")
assert program.stop() == 0

# The local service is down: a page says which one, and when it is back it is
# served again.
client = lt.Client(server, service, name="down")
json_client = lt.Client(server, service, "--json", name="down2", wait=False)
json_client.wait_output('"up"')
assert lt.get(server, "down").status == 200
service.close()
for method, body in ("GET", None), ("POST", b"x" * 300_000), ("HEAD", None):
    for headers in {}, {"Accept": "text/html"}:
        with lt.Visitor(server) as visitor:
            visitor.send(lt.request(server.host("down"), "/", method, headers,
                                    body))
            page = visitor.read_response(method)
            assert page.status == 502 and visitor.read_all() == b""
            assert page.header("Content-Type").startswith(
                "text/html" if headers else "text/plain")
            assert page.header("Connection") == "close"
            if method == "HEAD":
                assert page.body == b""
            else:
                assert service.target.encode() in page.body, page.body
assert service.target in client.log()
assert lt.get(server, "down2").status == 502
lt.wait_until(lambda: events(json_client)[-1]["event"] == "error")
assert service.target in events(json_client)[-1]["message"]
assert service.target in json_client.log()
service = lt.Service("back", port=service.port)
for _ in range(20):
    assert lt.get(server, "down").json()["service"] == "back"
os.unlink(lt.tmp + "/service")
client = lt.Client(server, unix, name="nosocket")
page = lt.get(server, "nosocket")
assert page.status == 502 and unix.target.encode() in page.body, page.body

# Few descriptors: visitors wait for each other, and each has its answer.
service = lt.Service("few")
few = lt.Client(server, service, name="few", wrapper=("prlimit", "--nofile=40"))
with ThreadPoolExecutor(30) as visitors:
    for page in visitors.map(
            lambda i: lt.get(server, "few", f"/bytes/{i % 2 * 100_000}"),
            range(150)):
        assert page.status == 200, (page.status, page.body[:500])
assert few.alive() and "open files" in few.log()
