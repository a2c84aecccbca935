#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ltserver as a daemon: it is ready when the command returns; its pid file is
locked and what stands in it never trusted; titles; whom workers run as; and
what systemd is told."""

import contextlib
import os
import re
import signal
import socket
import subprocess

import lt

PIDFILE = os.path.join(lt.tmp, "ltserver.pid")
PROGRAM = os.path.join(lt.BUILD, "ltserver")


def run(*args, pidfile=PIDFILE, status=0, env=None):
    """Runs ltserver until that returns; what it said on the terminal."""
    argv = [PROGRAM, "-c", "/dev/null", "-w", "2",
            "-o", f"pid-file={pidfile}", *lt.sanitized_as(), *args]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True,
                          stderr=subprocess.PIPE, env=env,
                          timeout=lt.PATIENCE, check=False)
    assert done.returncode == status, (argv, done)
    return done.stderr


def pid_in(path=PIDFILE):
    with open(path, encoding="ascii") as f:
        return int(f.read())


def title(pid):
    with open(f"/proc/{pid}/cmdline", encoding="ascii") as f:
        return f.read().rstrip("\0")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(re.findall(r"^(\w+):[ \t]*(.*)$", f.read(), re.M))


def workers(pid):
    """The status of each worker, once all have given up what they should."""
    def look():
        found = [status_of(p) for p in lt.children(pid)]
        return len(found) == 2 and all(s["NoNewPrivs"] == "1"
                                       for s in found) and found
    return lt.wait_until(look, what="the workers have given up root")


def end(pid, sig=signal.SIGTERM):
    os.kill(pid, sig)
    lt.wait_until(lambda: not lt.exists(pid), what="the daemon ends")


@contextlib.contextmanager
def daemon(*args, sig=signal.SIGTERM):
    """A daemon on a free port: its pid and the port."""
    port = lt.free_port()
    run("-l", f"127.0.0.1:{port}", *args)
    pid = pid_in()
    try:
        yield pid, port
    finally:
        end(pid, sig)


def version(port):
    return lt.get(("127.0.0.1", port), "localhost:0", "/meta/version")


# It serves as soon as the command has returned. A second one on the same pid
# file says who is there and harms nobody, and at the end the file is gone.
with daemon() as (pid, port):
    assert version(port).status == 200
    assert os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "ltserver"
    assert title(pid) == "ltserver: master"
    lt.wait_until(lambda: [title(p) for p in lt.children(pid)] == [
        "ltserver: worker 1", "ltserver: worker 2"])
    assert status_of(pid)["Umask"] == "0027"
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    for fd in 0, 1, 2:
        assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null"
    said = run("-l", "127.0.0.1:0", status=1)
    assert f"{PIDFILE}: another server has it locked, process {pid};" in said
    assert pid_in() == pid and version(port).status == 200
assert not os.path.exists(PIDFILE)

# What a file says that nobody has locked: another program, nonsense, nothing.
for left in f"{os.getpid()}\n", "1\n", "-1", "\0" * 100000, "":
    with open(PIDFILE, "w", encoding="ascii") as f:
        f.write(left)
    with daemon(sig=signal.SIGINT) as (pid, port):
        assert pid not in (1, os.getpid()) and version(port).status == 200

# A master that was killed has no lock any more, though its workers still serve
# what they have; and the next one does not mind what stands in the file.
PORT = lt.free_port()
run("-l", f"127.0.0.1:{PORT}")
killed, orphans = pid_in(), lt.children(pid_in())
client = lt.Client(f"http://localhost:{PORT}", lt.Service(), name="demo")
with lt.Visitor(("127.0.0.1", PORT)) as visitor:
    assert visitor.request("demo.localhost").status == 200
    end(killed, signal.SIGKILL)
    assert pid_in() == killed
    with daemon() as (pid, port):
        assert pid != killed and version(port).status == 200
        assert any(map(lt.exists, orphans))
client.stop()
for orphan in orphans:
    lt.kill(orphan)

# What cannot be a pid file, and is as it was afterwards.
fifo, link = os.path.join(lt.tmp, "fifo"), os.path.join(lt.tmp, "link")
os.mkfifo(fifo)
os.symlink("/dev/null", link)
for path, why in ((fifo, "no regular file"), (lt.tmp, "[Ii]s a directory"),
                  (link, "symbolic links"), ("/dev/null", "no regular file"),
                  (lt.tmp + "/no/such/ltserver.pid", "No such file")):
    assert re.search(f"{path}: .*{why}",
                     run("-l", "127.0.0.1:0", pidfile=path, status=1))
for value in "ltserver.pid", "", "/", "/tmp/", "/tmp/a\nb":
    assert "pid-file: " in run(pidfile=value, status=2)

# What is wrong with the listeners is said where it was started.
with socket.create_server(("127.0.0.1", 0)) as taken:
    port = taken.getsockname()[1]
    assert "cannot listen on" in run("-l", f"127.0.0.1:{port}", status=1)

# Workers have given up what they do not need.
if os.getuid() == 0 and not lt.under_sanitizer():
    with daemon("-o", "user=daemon") as (pid, port):
        assert status_of(pid)["Uid"].split() == ["0"] * 4
        for s in workers(pid):
            assert s["Uid"].split() == ["1"] * 4, s
            assert s["Gid"].split() == ["1"] * 4, s
            assert s["Groups"] == "" and s["NoNewPrivs"] == "1", s
            assert int(s["CapPrm"], 16) == int(s["CapEff"], 16) == 0, s
        assert version(port).status == 200
    with daemon("-o", "user=daemon", "-o", "group=bin") as (pid, port):
        for s in workers(pid):
            assert s["Uid"].split() == ["1"] * 4, s
            assert s["Gid"].split() == ["2"] * 4, s
    with daemon() as (pid, port):
        for s in workers(pid):
            assert "0" not in s["Uid"].split()
    for what in "user", "group":
        said = run("-o", "user=daemon", "-o", f"{what}=nosuch", status=1)
        assert f'{what}: there is no {what} "nosuch"' in said, said
for value in "", "-root", "a b", "x" * 33, "0:0":
    assert "user: " in run("-o", f"user={value}", status=2)


def news(s):
    """What systemd is told next, but that all is well."""
    return next(said for said in iter(lambda: s.recv(100), b"")
                if said != b"WATCHDOG=1")


# What systemd is told, in the foreground.
linked = subprocess.run(["ldd", PROGRAM], stdout=subprocess.PIPE, text=True,
                        check=True).stdout
if "libsystemd" in linked:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(os.path.join(lt.tmp, "notify"))
        s.settimeout(lt.PATIENCE)
        server = lt.Server(env={"NOTIFY_SOCKET": s.getsockname(),
                                "WATCHDOG_USEC": "100000"})
        assert news(s) == b"READY=1"
        assert version(server.port).status == 200
        assert [s.recv(100), s.recv(100)] == [b"WATCHDOG=1"] * 2
        server.signal(lt.SIGTERM)
        assert news(s) == b"STOPPING=1"
        assert server.wait() == 0
