#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ltctl and its socket: what it shows adds up with what visitors did, what it
has done is done, and whatever else is sent there disturbs nobody."""

import json
import os
import re
import socket
import stat
import subprocess
import threading

import lt

SOCKET = os.path.join(lt.tmp, "sock")
PROGRAM = os.path.join(lt.BUILD, "ltctl")


def ctl(*args, status=0, path=SOCKET):
    """What ltctl says: on standard output, or on standard error if it fails."""
    done = subprocess.run([PROGRAM, "-s", path, *args], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=lt.PATIENCE, check=False)
    assert done.returncode == status, done
    assert (done.stderr == "") == (status == 0), done
    return done.stderr if status else done.stdout


def shown(command):
    return json.loads(ctl("--json", command))


def raw(data, shut=False):
    """Sends bytes as they are; the answer, b"" if it is closed without one."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(lt.PATIENCE)
        s.connect(SOCKET)
        answer = b""
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                answer += piece
        except (BrokenPipeError, ConnectionResetError):
            pass
        return answer


def table(command):
    """The rows of a table, by title."""
    lines = ctl(command).splitlines()
    titles = lines[0].split()
    return [dict(zip(titles, line.split())) for line in lines[1:]]


access = os.path.join(lt.tmp, "access")
server = lt.Server(options={"control-socket": SOCKET, "access-log": access, "sessions": 1,
                            "grace": 600})
assert stat.S_IMODE(os.stat(SOCKET).st_mode) == 0o660

# What it shows.
status = shown("status")
assert status["pid"] == server.pid and status["tunnels"] == 0, status
lt.wait_until(lambda: shown("status")["workers"] == 2)
assert shown("status")["state"] == "ready"
assert re.search(rf"^pid +{server.pid}$", ctl("status"), re.M)
assert shown("tunnels") == [] and len(ctl("tunnels").splitlines()) == 1
service = lt.Service()
demo = lt.Client(server, service, name="demo")
other = lt.Client(server, service, name="other")
for _ in range(5):
    assert lt.get(server, "demo").status == 200
open_one = lt.Visitor(server)
assert open_one.request(server.host("demo")).status == 200
lt.wait_until(lambda: sum(t["busy"] for t in shown("tunnels")) == 1)
lt.wait_until(lambda: all(t["idle"] == 10 for t in shown("tunnels")))
first, second = sorted(shown("tunnels"), key=lambda t: t["name"])
assert (first["name"], second["name"]) == ("demo", "other")
assert first["visitors"] == 6 and second["visitors"] == 0
assert first["busy"] == 1 and first["kind"] == "http"
assert first["state"] == "up" and first["sessions"] == 1
assert re.fullmatch(r"127\.0\.0\.1:\d+", first["client"])
assert 0 <= first["age_s"] < lt.PATIENCE * 4
lines = lt.wait_until(lambda: (found := re.findall(
    r"tunnel=demo .* in=(\d+) out=(\d+)", open(access).read())) and
    len(found) == 5 and found)
first = next(t for t in shown("tunnels") if t["name"] == "demo")
assert first["bytes_in"] == sum(int(i) for i, _ in lines)
assert first["bytes_out"] == sum(int(o) for _, o in lines)
rows = {row["NAME"]: row for row in table("tunnels")}
assert set(rows) == {"demo", "other"} and rows["demo"]["VISITORS"] == "6"
workers = shown("workers")
assert [w["worker"] for w in workers] == [1, 2]
assert [w["pid"] for w in workers] == server.workers()
assert all(w["state"] == "ready" for w in workers)
assert sum(w["sessions"] for w in workers) == 2
assert sum(w["joined"] for w in workers) == 1
assert next(w for w in workers if w["worker"] == int(first["workers"]))["joined"] \
    == 1
assert [row["PID"] for row in table("workers")] == \
    [str(pid) for pid in server.workers()]

# A killed worker's place.
lt.kill(server.workers()[0])
lt.wait_until(lambda: shown("status")["restarts"] == 1)
lt.wait_until(lambda: [w["state"] for w in shown("workers")] ==
              ["ready", "ready"])
lt.wait_until(lambda: all(t["state"] == "up" and t["idle"] == 10
                          for t in shown("tunnels")))
open_one.close()

# The settings in force are a configuration that is good and the same.
text = ctl("config")
copy = os.path.join(lt.tmp, "copy.conf")
with open(copy, "w", encoding="utf-8") as f:
    f.write(text)
done = subprocess.run([os.path.join(lt.BUILD, "ltserver"), "-f", "-t", "-c",
                       copy], check=False, stdout=subprocess.PIPE, text=True)
assert done.returncode == 0 and "good" in done.stdout, text
settings = shown("config")
assert settings["grace"] == "600" and settings["control-socket"] == SOCKET
assert settings["listen"][0]["kinds"] == ["http", "ltp", "tls"]

# A name that is held shows so.
demo.signal(lt.SIGKILL)
demo.wait()
lt.wait_until(lambda: [t["state"] for t in shown("tunnels")
                       if t["name"] == "demo"] == ["held"])
assert ctl("close", "demo") == ""
assert [t["name"] for t in shown("tunnels")] == ["other"]
assert lt.get(server, "demo").status == 404

# Close: the client ends with a word, joined visitors are cut, waiting ones
# answered, and the name is free for somebody else.
with lt.Visitor(server) as cut:
    assert cut.request(server.host("other")).status == 200
    assert ctl("close", "OTHER") == ""
    try:
        assert cut.read_all() == b""
    except ConnectionResetError:
        pass
assert other.wait() == 1
assert "closed by the operator" in other.log()
assert lt.get(server, "other").status == 404
assert ctl("close", "other", status=1) == \
    "ltctl: there is no tunnel of this name\n"
other = lt.Client(server, service, name="other")
assert lt.get(server, "other").status == 200
assert re.search(r"operator asked command=close tunnel=other uid="
                 rf"{os.getuid()} pid=\d+", server.log())

# Reload and reopen are what their signals are.
ctl("reload")
server.wait_log("settings read again")
os.rename(access, access + ".1")
ctl("reopen")
lt.wait_until(lambda: os.path.exists(access))

# What is no request gets an answer or an end, and nobody minds.
for data in (b"\n", b"status\n", b"\0" * 4096, b"[" * 4096 + b"\n",
             b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(4096) + b"\n",
             b'{"command":"reboot"}\n', b'{"command":"close"}\n',
             b'{"command":"close","name":"../x"}\n',
             b'{"command":"status","command":"stop"}\n'):
    answer = raw(data)
    assert answer == b"" or "error" in json.loads(answer), (data, answer)
assert raw(b"", shut=True) == raw(b'{"command"', shut=True) == b""
assert json.loads(raw(b'{"command":"status"}\n' * 50).splitlines()[-1]) == \
    {"done": True}
assert lt.get(server, "other").status == 200

# A thousand at once who say nothing, while others ask, and 100 who ask and do
# not read.
idle = [socket.socket(socket.AF_UNIX) for _ in range(1000)]
fds = lt.fd_count(server.pid)
for s in idle:
    s.setblocking(False)
    try:
        s.connect(SOCKET)
    except BlockingIOError:
        pass
assert shown("status")["state"] == "ready"
assert lt.get(server, "other").status == 200
assert lt.fd_count(server.pid) < fds + 64
for s in idle:
    s.close()
deaf = [socket.socket(socket.AF_UNIX) for _ in range(100)]
for s in deaf:
    s.settimeout(lt.PATIENCE)
    s.connect(SOCKET)
    s.sendall(b'{"command":"config"}\n')
asked = []
threads = [threading.Thread(target=lambda: asked.append(shown("tunnels")))
           for _ in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert len(asked) == 8
for s in deaf:
    s.close()

# Another user may not even connect.
if os.getuid() == 0:
    os.chmod(lt.tmp, 0o755)
    done = subprocess.run(
        ["setpriv", "--reuid=1", "--regid=1", "--clear-groups", PROGRAM, "-s",
         SOCKET, "stop"], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1, done
    assert "Permission denied; ask as root, or as a member" in done.stderr
assert server.alive()

# The usage.
for args, words in (((), "A command is missing"),
                    (("no-such",), "no-such: there is no such command"),
                    (("close",), "close needs the name"),
                    (("status", "x"), "too many arguments"),
                    (("--nosuch",), "unknown option --nosuch"),
                    (("-s",), "-s needs an argument")):
    done = subprocess.run([PROGRAM, *args], stderr=subprocess.PIPE, text=True,
                          check=False)
    assert done.returncode == 2 and words in done.stderr, done
missing = ctl("status", status=1, path=lt.tmp + "/none")
assert "does the server run" in missing, missing
assert "too long" in ctl("status", status=1, path="/" + "x" * 200)

# Another server does not take the socket away; what is no socket stays.
second = lt.Server(options={"control-socket": SOCKET}, wait=False)
assert second.wait() == 1 and "another server answers" in second.log()
second = lt.Server(options={"control-socket": access}, wait=False)
assert second.wait() == 1 and "is there, and no socket" in second.log()
assert os.path.exists(access) and shown("status")["pid"] == server.pid

# Drain: it can still be asked, and stopped; then the socket is gone.
with lt.Visitor(server) as visitor:
    assert visitor.request(server.host("other")).status == 200
    ctl("drain")
    lt.wait_until(lambda: shown("status")["state"] == "draining")
    assert "draining" in {w["state"] for w in shown("workers")}
    ctl("stop")
    assert server.wait() == 0
assert not os.path.exists(SOCKET)
other.signal(lt.SIGKILL)
other.wait()

# What a server left that was killed is replaced.
server = lt.Server(options={"control-socket": SOCKET})
lt.wait_until(lambda: shown("status")["workers"] == 2)
server.kill()
assert os.path.exists(SOCKET)
assert "does not run any more" in ctl("status", status=1)
server.start()
assert shown("status")["pid"] == server.pid

# Many tunnels come in pieces, and one who does not read holds up nobody.
server.stop()
server = lt.Server(options={"control-socket": SOCKET, "access-log": "off",
                            "node-api": "yes",
                            "grace-old": 600})
names = {f"many{i}" for i in range(300)}
for name in names:
    answer = lt.get(server, server.host("x").partition(".")[2], f"/{name}")
    assert answer.status == 200, answer.body
assert {t["name"] for t in shown("tunnels")} == names
server.stop()
