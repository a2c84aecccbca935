# SPDX-License-Identifier: ISC
"""The system calls of one process, by strace(1)."""

import os
import shutil
import signal
import subprocess

import lt

if not shutil.which("strace"):
    lt.skip("strace is not installed")
if lt.under_sanitizer():
    lt.skip("a sanitizer makes system calls of its own")


class Tracer:
    """One strace, from now on."""

    def __init__(self, pid, *args):
        self.path = f"{lt.tmp}/strace.{pid}"
        with open(self.path + ".log", "wb") as log:
            self.strace = subprocess.Popen(
                ["strace", *args, "-o", self.path, "-p", str(pid)],
                stdout=log, stderr=log)
        lt.wait_until(lambda: " attached" in self._said()
                      or self.strace.poll() is not None, what="strace")
        if self.strace.poll() is not None:
            lt.skip("strace cannot attach: " + self._said().strip())

    def _said(self):
        with open(self.path + ".log", encoding="utf-8") as log:
            return log.read()

    def stop(self):
        """Ends it; returns what it has written."""
        self.strace.send_signal(signal.SIGINT)
        self.strace.wait(lt.PATIENCE)
        with open(self.path, encoding="ascii") as f:
            text = f.read()
        os.unlink(self.path)
        return text
