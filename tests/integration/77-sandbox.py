#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Workers are confined. What the kernel says of them; and a worker that a
visitor has taken over, played by a library that has it make a system call when
some words come in a request: it ends, the master says why, another one takes
its place, and the tunnel is back."""

import contextlib
import os
import re
import shutil
import subprocess

import lt

HOSTILE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
obey(const char *buf, ssize_t n)
{
	char *argv[] = { "/bin/true", NULL };

	if (n <= 0)
		return;
	if (memmem(buf, (size_t)n, "please-execve", 13) != NULL)
		execve(argv[0], argv, argv);
	if (memmem(buf, (size_t)n, "please-open", 11) != NULL)
		(void)open("/etc/passwd", O_RDONLY);
}

ssize_t
recv(int fd, void *buf, size_t len, int flags)
{
	ssize_t (*next)(int, void *, size_t, int) = dlsym(RTLD_NEXT, "recv");
	ssize_t n = next(fd, buf, len, flags);

	obey(buf, n);
	return n;
}

ssize_t
__recv_chk(int fd, void *buf, size_t len, size_t size, int flags)
{
	(void)size;
	return recv(fd, buf, len, flags);
}
"""

if lt.under_sanitizer():
    lt.skip("sanitizers make system calls of their own")

IS_ROOT = os.getuid() == 0
compiler = shutil.which("cc") or shutil.which("gcc")
library = lt.tmp + "/hostile.so"


def start(sandbox):
    options = {"sandbox": sandbox} | ({"user": "nobody"} if IS_ROOT else {})
    server = lt.Server(workers=2, options=options,
                       env={"LD_PRELOAD": library} if compiler else {})
    client = lt.Client(server, lt.Service(), name="demo")
    assert lt.get(server, "demo").status == 200
    lt.wait_until(lambda: server.log().count("is ready") == 2)
    return server, client


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(re.findall(r"^(\w+):[ \t]*(.*?)[ \t]*$", f.read(), re.M))


def limit_of(pid, name):
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        return re.search(rf"^{name}\s+(\S+)", f.read(), re.M).group(1)


def order(server, word):
    """A visitor has a worker do what it may not; that one is replaced."""
    before, ready = set(server.workers()), server.log().count("is ready")
    with lt.Visitor(server) as visitor:
        visitor.send(lt.request(server.host("demo"), path="/" + word))
        with contextlib.suppress(ConnectionError):
            visitor.read_all()
    lt.wait_until(lambda: server.log().count("is ready") > ready)
    assert len(before - set(server.workers())) == 1
    lt.wait_until(lambda: len(server.workers()) == 2)
    lt.wait_until(lambda: lt.get(server, "demo").status == 200)


if compiler:
    with open(lt.tmp + "/hostile.c", "w", encoding="ascii") as f:
        f.write(HOSTILE)
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", library,
                    lt.tmp + "/hostile.c"], check=True)
    os.chmod(lt.tmp, 0o755)

server, client = start("yes")
for pid in server.workers():
    status = status_of(pid)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0, status
    assert limit_of(pid, "Max processes") == "0"
    assert limit_of(pid, "Max core file size") == "0"
    # Not even another process of the same user looks into it.
    assert os.stat(f"/proc/{pid}/fd").st_uid == 0
    if IS_ROOT:
        assert "0" not in status["Uid"].split() + status["Gid"].split()
        assert status["Groups"] == "", status
said = re.findall("only root can", server.log())
assert len(said) == (0 if IS_ROOT else 1), server.log()
if compiler:
    for word in "please-execve", "please-open":
        order(server, word)
    said = re.findall("signal=31: it made a system call that its sandbox "
                      "forbids; sandbox = trap names it", server.log())
    assert len(said) == 2, server.log()
client.stop()
server.stop()

# The trap is the same list, and names the call; the test for it is said last,
# because no other test may have such a line in its log.
if compiler:
    server, client = start("trap")
    for word, call in ("please-execve", "execve"), ("please-open", "openat?"):
        order(server, word)
        server.wait_log(rf"worker \d error: a system call that the sandbox "
                        rf"forbids: {call} \(\d+\)")
    client.stop()
    server.stop()
    os.truncate(server.base + "/log", 0)
