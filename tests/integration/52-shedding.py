#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A worker that gets short of descriptors: first it waits for nobody who says
nothing, and closes who has said nothing for long; then it opens no new tunnels;
then visitors are told to come again; then nobody is accepted. What is joined
goes on all the while, and so does everything once there are descriptors
again."""

import re
import resource
import subprocess
import time

import lt
import ltp02

METRICS = lt.free_port()
server = lt.Server(workers=1, options={
    "head-timeout": 600, "grace": 600, "queue-timeout": 60,
    "metrics": METRICS, "sandbox": "no"})
service = lt.Service()
client = lt.Client(server, service, name="demo")
raw = lt.Client(server, service, name="raw", kind="tcp")
worker, = server.workers()
most, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)


def room():
    page = lt.get(("127.0.0.1", METRICS), "x:1", "/metrics").body.decode()
    return int(re.search(r"worker_room\{[^}]*\} (\d+)", page).group(1))


def leave(n):
    """The worker has room for so many descriptors from now on; it looks at its
    limit ten times a second."""
    def is_left():
        soft, _ = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE,
                         (min(soft + n - room(), hard), hard))
        time.sleep(0.2)
        return room() == n
    lt.wait_until(is_left)


def visit(name="demo"):
    with lt.Visitor(server) as visitor:
        return visitor.request(server.host(name),
                               headers={"Connection": "close"})


def ends(visitor):
    """True if it was closed, or will be, without a byte."""
    try:
        return visitor.read_all() == b""
    except ConnectionError:
        return True


def open_tunnel(name, **ext):
    """The reply; the control connection too, which stays."""
    control = ltp02.connect(server.address, {
        "control": {"name": name, "client": "x"}, "ext": ext})
    return ltp02.read_frame(control), control


joined = lt.Visitor(server)


def goes_on():
    return joined.request(server.host("demo")).status == 200


assert goes_on()
leave(200)
silent = lt.Visitor(server)
lt.wait_until(lambda: server.metrics()["half_made"] == 1)

# 1: who says nothing. Who has said nothing for more than a moment is closed for
# the next one; and of others few are waited for.
leave(120)
others = []
lt.wait_until(lambda: others.append(lt.Visitor(server)) or
              server.metrics()["half_made"] < len(others))
assert ends(silent)
assert "one that had not said what it wants is closed" in server.log()
others += [lt.Visitor(server) for _ in range(100)]
lt.wait_until(lambda: server.metrics()["half_made"] <= 32)
assert room() > 80
assert ends(others[0])
assert visit().status == 200
reply, control = open_tunnel("other")
assert "error" not in reply, reply
assert goes_on()

# 2: new tunnels. Who has one comes back.
for visitor in others:
    visitor.close()
lt.wait_until(lambda: server.metrics()["half_made"] == 0)
leave(48)
reply_of_new, _ = open_tunnel("new")
assert reply_of_new["error"] == "limit", reply_of_new
assert "no room for another tunnel" in reply_of_new["message"]
control.close()
server.wait_log("session ended tunnel=other")
reply, control = open_tunnel("other", session=reply["ext"]["session"],
                             secret=reply["ext"]["secret"])
assert "error" not in reply, reply
assert visit().status == 200
assert goes_on()

# 3: visitors; those too who would have waited for a client.
control.close()
server.wait_log("(?s)(session ended tunnel=other.*){2}")
leave(16)
for name in ("demo", "other"):
    page = visit(name)
    assert page.status == 503 and page.header("Retry-After") == "1", page
    assert b"no room for another visitor" in page.body, page.body
port = int(raw.url.rsplit(":", 1)[1])
with lt.Visitor(("127.0.0.1", port)) as visitor:
    assert ends(visitor)
assert open_tunnel("new")[0]["error"] == "limit"
assert goes_on()

# 4: nobody is accepted, and nobody turned away.
leave(0)
waiting = lt.Visitor(server)
waiting.send(lt.request(server.host("demo")))
server.wait_log("accept paused")
assert goes_on()

resource.prlimit(worker, resource.RLIMIT_NOFILE, (most, hard))
assert waiting.read_response().status == 200
assert visit().status == 200 and goes_on()
assert "error" not in open_tunnel("new")[0]
silent = lt.Visitor(server)
lt.wait_until(lambda: server.metrics()["half_made"] == 1)

# The worker has room, and the system has none: again who has said nothing for
# long makes some, and nobody is turned away.
if lt.shutil.which("strace"):
    strace = subprocess.Popen(
        ["strace", "-qq", "-o", "/dev/null", "-p", str(worker), "-e",
         "trace=accept4", "-e", "inject=accept4:error=ENFILE"],
        stderr=subprocess.DEVNULL)
    try:
        callers = []
        lt.wait_until(lambda: callers.append(lt.Visitor(server)) or
                      "accept paused: Too many open files in system"
                      in server.log())
        assert ends(silent)
    finally:
        strace.terminate()
        strace.wait()
    assert goes_on() and visit().status == 200
    others = callers
assert server.workers() == [worker]
for visitor in [*others, silent, joined, waiting]:
    visitor.close()
