#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The logs: where they go, how they are opened again, that they add up with
what visitors saw, and that no log, whatever has become of it, keeps anybody
waiting."""

import json
import os
import re
import socket
import subprocess
import threading

import lt

LINE = re.compile(
    r"(?:visitor )?tunnel=(?P<tunnel>\S+) from=(?P<source>\S+)"
    r"(?: client=(?P<client>\S+) in=(?P<in>\d+) out=(?P<out>\d+))?"
    r"(?: status=(?P<status>\d+))? ms=(?P<ms>\d+) end=\"(?P<end>[^\"]*)\"$")


def read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


def lines(path):
    return read(path).splitlines()


def mixed(server, client_name="demo"):
    """Visitors of all sorts; what each got, by the port he came from."""
    ledger = {}

    def visit(host, path="/"):
        with lt.Visitor(server) as visitor:
            port = visitor.socket.getsockname()[1]
            ledger[port] = visitor.request(host, path).status
    for i in range(20):
        visit(server.host(client_name), f"/blocks/{i * 100}")
        visit(server.host("nobody"))
    with lt.Visitor(server) as visitor:
        ledger[visitor.socket.getsockname()[1]] = 400
        visitor.send("GET / HTTP/1.1\r\nHost : x\r\n\r\n")
        assert visitor.read_response().status == 400
    return ledger


def matches(ledger, rows):
    """Every visitor has exactly one row, with his result."""
    seen = {}
    for row in rows:
        port = int(row["source"].rpartition(":")[2])
        assert port not in seen, row
        seen[port] = int(row["status"] or 200)
        assert (row["client"] is not None) == (seen[port] == 200), row
    assert seen == ledger, (seen, ledger)


def settle(path, n, since=0):
    """The lines of a file once there are n after `since`."""
    lt.wait_until(lambda: len(lines(path)) >= since + n,
                  what=f"{n} lines in {path}")
    return lines(path)[since:]


def dropped(server):
    return server.metrics()["log_dropped"]


# Files: events and access apart, opened again in all processes when they were
# moved away, with the rights that umask leaves.
log, access = os.path.join(lt.tmp, "log"), os.path.join(lt.tmp, "access")
files = {"log": log, "access-log": access}
server = lt.Server(options=files)
client = lt.Client(server, lt.Service(), name="demo")
ledger = mixed(server)
found = settle(access, len(ledger))
matches(ledger, [LINE.search(line).groupdict() for line in found])
for line in found:
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ tunnel=", line)
assert "tunnel=demo" in read(log) and "visitor tunnel" not in read(log)
assert re.search(r"^\S+Z ltserver\[\d+\] master info: worker 1 is ready",
                 read(log), re.M)
for path in log, access:
    assert os.stat(path).st_mode & 0o777 == 0o640
    os.rename(path, path + ".1")
assert dropped(server) == 0
server.signal(lt.signal.SIGUSR1)
lt.wait_until(lambda: os.path.exists(log) and "logs opened again" in read(log))
# Workers have the new ones when they are asked for what comes behind it on
# the channel: another client's tunnel.
lt.Client(server, lt.Service(), name="next").stop()
before = len(lines(access + ".1"))
ledger = mixed(server)
found = settle(access, len(ledger))
matches(ledger, [LINE.search(line).groupdict() for line in found])
assert len(lines(access + ".1")) == before
lt.wait_until(lambda: "session started tunnel=next" in read(log))

# One that cannot be opened again stays, and that is said.
os.rename(access, access + ".2")
os.mkdir(access)
server.signal(lt.signal.SIGUSR1)
lt.wait_until(lambda: f"a log stays as it was: cannot open {access}: Is a"
              in read(log))
lt.Client(server, lt.Service(), name="next").stop()
since = len(lines(access + ".2"))
ledger = mixed(server)
settle(access + ".2", len(ledger), since)
os.rmdir(access)
client.stop()
server.stop()
assert re.search(r"master info: ended$", read(log), re.M)

# JSON; and what is in the lines adds up with the counters.
server = lt.Server(options={"access-log": access,
                            "access-log-format": "json"})
client = lt.Client(server, lt.Service(), name="demo")
ledger = mixed(server)
rows = [json.loads(line) for line in settle(access, len(ledger))]
matches(ledger, [{"source": r["from"], "status": r.get("status"),
                  "client": r.get("client")} for r in rows])
assert all(set(r) <= {"time", "tunnel", "from", "client", "in", "out",
                      "status", "ms", "end"} for r in rows)
metrics = server.metrics()
assert metrics["visitors"] == sum("client" in r for r in rows)
assert metrics["refused"] == sum("client" not in r for r in rows)
for key in "in", "out":
    assert metrics[f"bytes_{key}"] == sum(r.get(key, 0) for r in rows)
assert "visitor tunnel" not in server.log()
client.stop()
server.stop()

# None at all.
server = lt.Server(options={"access-log": "off"})
client = lt.Client(server, lt.Service(), name="demo")
mixed(server)
client.stop()
server.stop()
assert "visitor tunnel" not in server.log()

# Logs that take nothing: a full disk; a FIFO, and standard error, that nobody
# reads. Visitors do not notice, and what is lost is counted.
fifo = os.path.join(lt.tmp, "fifo")
os.mkfifo(fifo)
for name in "/dev/full", fifo:
    server = lt.Server(options={"access-log": name, "log": name})
    client = lt.Client(server, lt.Service(), name="demo")
    before, rounds = dropped(server), 0
    while dropped(server) < before + 100 and rounds < 100:
        mixed(server)
        rounds += 1
    assert dropped(server) >= before + 100, name
    if name == fifo:
        # What is in it are whole lines, and it goes on once it is read.
        fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        text = b""
        while (piece := lt.wait_until(lambda: os.read(fd, 65536) or b"-")) \
                and piece != b"-":
            text += piece
            if text.count(b"\n") > 100 and text.endswith(b"\n"):
                break
        assert all(re.match(rb"20\d\d-", line)
                   for line in text.splitlines()), text
        os.close(fd)
    client.stop()
    server.stop()

reader, writer = os.pipe()
with subprocess.Popen(
        [os.path.join(lt.BUILD, "ltserver"), "-f", "-c", "/dev/null", "-w",
         "2", "-l", "127.0.0.1:0", *lt.sanitized_as()],
        stderr=writer, stdin=subprocess.DEVNULL) as process:
    os.close(writer)
    text = b""
    while not re.search(rb"listening on \S+:\d+\s", text):
        text += os.read(reader, 4096)
    port = int(re.search(rb"listening on \S+:(\d+)\s", text).group(1))
    address, host = ("127.0.0.1", port), f"none.localhost:{port}"

    def lost():
        page = lt.get(address, f"localhost:{port}", "/meta/metrics")
        return {m["name"]: m["value"] for m in page.json()}["log_dropped"]
    while lost() == 0:
        for _ in range(50):
            assert lt.get(address, host).status == 404
    os.close(reader)
    assert lt.get(address, host).status == 404
    process.send_signal(lt.SIGTERM)
    assert process.wait(lt.PATIENCE) == 0

# Syslog: one that is not there, one that comes, one that does not read, and
# another in its place.
path = os.path.join(lt.tmp, "syslog")


def syslog():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path)
    os.chmod(path, 0o666)
    os.chmod(lt.tmp, 0o755)
    s.settimeout(lt.PATIENCE)
    return s


def wait_for(s, pattern, act=lambda: None):
    """Reads packets until one fits; acts before each look."""
    s.settimeout(0.2)

    def look():
        act()
        try:
            while True:
                if match := re.search(pattern, s.recv(2048).decode()):
                    return match
        except TimeoutError:
            return None
    return lt.wait_until(look, what=pattern)


server = lt.Server(options={"log": f"syslog:{path}"})
address, host = server.address, server.host("none")
assert lt.get(server, "none").status == 404
with syslog() as s:
    match = wait_for(s, r"^<30>\w{3} [ \d]\d [\d:]{8} ltserver\[(\d+)\]: "
                     r"worker \d: visitor tunnel=none from=\S+ status=404",
                     lambda: lt.get(server, "none"))
    assert int(match.group(1)) in server.workers()
    before = dropped(server)
    while dropped(server) < before + 10:
        for _ in range(50):
            assert lt.get(server, "none").status == 404
os.unlink(path)
assert lt.get(server, "none").status == 404
with syslog() as s:
    wait_for(s, "visitor tunnel=none", lambda: lt.get(server, "none"))
server.stop()

# What strangers can cause is left out where it comes too fast, and that is
# counted; access lines are not.
server = lt.Server(workers=1)


def nonsense(n):
    for _ in range(n):
        with lt.Visitor(server) as v:
            v.send(b"LTP/0.2\0\0\0\2{}").read_all()


threads = [threading.Thread(target=nonsense, args=(100,)) for _ in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
left_out = server.metrics()["log_left_out"]
written = len(re.findall("client refused", server.log()))
assert left_out + written == 400 and left_out > 0, (left_out, written)
lt.wait_until(lambda: nonsense(1) or re.search(r"client refused.* left_out="
                                               r"\d+$", server.log(), re.M))
for _ in range(100):
    assert lt.get(server, "none").status == 404
lt.wait_until(lambda: len(re.findall("visitor tunnel=none", server.log()))
              == 100)
server.stop()

# What cannot be.
for option, why in (
        ("log=syslo", "log: .*not stderr, syslog, or a path"),
        ("log=", "log: "), ("log=syslog:dev", "log: "),
        ("access-log=stderr", "access-log: .*not log, off, or a path"),
        ("access-log-format=xml", "access-log-format: .*text or json"),
        (f"log={lt.tmp}", f"cannot open {lt.tmp}: Is a directory"),
        (f"access-log={lt.tmp}/no/a", f"cannot open {lt.tmp}/no/a: No such"),
        (f"log=syslog:/{'x' * 200}", "cannot open /x+: File name too long")):
    done = subprocess.run(
        [os.path.join(lt.BUILD, "ltserver"), "-f", "-l", "127.0.0.1:0",
         "-c", "/dev/null", *lt.sanitized_as(), "-o", option],
        stderr=subprocess.PIPE, text=True, timeout=lt.PATIENCE, check=False)
    assert done.returncode in (1, 2), done
    assert re.search(why, done.stderr), (option, done.stderr)
done = subprocess.run(
    [os.path.join(lt.BUILD, "ltserver"), "-c", "/dev/null", "-o",
     "log=stderr"], stderr=subprocess.PIPE, text=True, check=False)
assert done.returncode == 2 and "log = stderr needs -f" in done.stderr
