#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What is in shared memory, and what passes connections, under valgrind: not one
read of a byte that nobody has written, no byte beyond, none left behind."""

import os
import shutil
import subprocess

import lt

if shutil.which("valgrind") is None or lt.under_sanitizer():
    lt.skip("valgrind is not installed, or does not go with sanitizers")

for name in "registry", "counters", "inbox":
    program = os.path.join(lt.BUILD, "tests/server", f"check_{name}")
    done = subprocess.run(
        ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full",
         "--errors-for-leak-kinds=definite", "--trace-children=yes", program],
        env=os.environ | {"CK_FORK": "no", "CK_DEFAULT_TIMEOUT": "0"},
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    print(name, done.stdout.splitlines()[-1:])
    assert done.returncode == 0, done.stdout + done.stderr
