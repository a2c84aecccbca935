#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Runs tests, some at a time: one line each, the output of those that fail,
and at the end "N passed, N failed", with ", N skipped" if there were any.

    tests/run.py [-j JOBS] [-t SECONDS] [-v] COMMAND...

Each COMMAND is a command line in one argument. It passes with status 0 and
skips with 77. A program made with Check counts as many tests as it ran.
What a test leaves running, or runs on after the time limit, is killed.
"""

import argparse
import ctypes
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

SKIP = 77
CHECK = re.compile(
    rb"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)

printing = threading.Lock()
groups = set()


class Result:
    def __init__(self, command, status, output, seconds):
        self.name = os.path.basename(shlex.split(command)[0])
        self.status = status
        self.output = output
        self.seconds = seconds
        counts = [tuple(map(int, m)) for m in CHECK.findall(output)]
        ran = sum(c[0] for c in counts)
        self.failed = sum(c[1] + c[2] for c in counts)
        self.passed = ran - self.failed
        self.skipped = 0
        if status == SKIP:
            self.passed, self.failed, self.skipped = 0, 0, 1
        elif status != 0:
            self.failed = max(self.failed, 1)
        elif not counts:
            self.passed = 1

    def line(self):
        word = ("FAIL" if self.failed else
                "skip" if self.skipped else "ok")
        more = f" {self.passed}/{self.passed + self.failed}" \
            if self.passed + self.failed > 1 else ""
        if self.skipped and self.output:
            more = ": " + self.output.decode(errors="replace").splitlines()[-1]
        return f"{word:4} {self.name}{more} ({self.seconds:.1f} s)"


def kill_group(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(command, limit):
    start = time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(
            shlex.split(command), stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True)
        groups.add(child.pid)
        try:
            status = child.wait(limit)
        except subprocess.TimeoutExpired:
            # Tests of ours dump their logs when they are told to end.
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                pass
            out.write(b"\nended: it ran for more than %d s\n" % limit)
            status = 1
        kill_group(child.pid)
        child.wait()
        groups.discard(child.pid)
        out.seek(0)
        return Result(command, status, out.read(), time.monotonic() - start)


def report(result, verbose):
    with printing:
        print(result.line(), flush=True)
        if result.failed or verbose:
            text = result.output.decode(errors="replace")
            for line in text.splitlines():
                print("     | " + line)
            if result.status < 0:
                print(f"     | killed by signal {-result.status}")
            sys.stdout.flush()


def become_subreaper():
    """Orphans come to us instead of init, so that they can be found."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def kill_orphans():
    """Ends what the tests have left running; says how many there were."""
    left = 0
    deadline = time.monotonic() + 5
    while True:
        try:
            kind = os.WNOHANG if time.monotonic() < deadline else 0
            if not kind:
                left += kill_children()
            pid, _ = os.waitpid(-1, kind)
            if pid == 0:
                time.sleep(0.05)
        except ChildProcessError:
            return left


def kill_children():
    """Kills the children that still run, by their ids."""
    path = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    killed = 0
    with open(path, encoding="ascii") as f:
        for pid in map(int, f.read().split()):
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    continue
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("-t", "--timeout", type=int, default=int(
        os.environ.get("TEST_TIMEOUT", "300")))
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("command", nargs="*")
    args = parser.parse_args()

    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    become_subreaper()
    results = []

    def one(command):
        result = run(command, args.timeout)
        report(result, args.verbose)
        results.append(result)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with ThreadPoolExecutor(args.jobs) as pool:
            try:
                list(pool.map(one, args.command))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for pid in list(groups):
                    kill_group(pid)
                raise
    except KeyboardInterrupt:
        return 130
    finally:
        left = kill_orphans()
    passed = sum(r.passed for r in results)
    failed = sum(r.failed for r in results)
    skipped = sum(r.skipped for r in results)
    if left:
        print(f"FAIL {left} processes were left running")
        failed += 1
    print(f"{passed} passed, {failed} failed"
          + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
