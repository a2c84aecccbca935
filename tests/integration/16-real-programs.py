#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""nginx and curl on the two ends: 1 GiB down, 512 MiB up, checksums right.
(A sanitizer's build moves a tenth of that.)"""

import shutil
import subprocess

import lt
import nginx

if shutil.which("curl") is None:
    lt.skip("curl is not installed")

part = 10 if lt.under_sanitizer() else 1
DOWN, UP = (1 << 30) // part, (512 << 20) // part
web = nginx.Nginx()
down = nginx.make_file(f"{web.www}/down", DOWN)
up = nginx.make_file(f"{lt.tmp}/up", UP)

server = lt.Server(workers=4)
client = lt.Client(server, web, name="demo")
url = f"http://demo.localhost:{server.port}"
curl = ["curl", "-sS", "--fail", "--resolve",
        f"demo.localhost:{server.port}:127.0.0.1"]

subprocess.run([*curl, "-o", f"{lt.tmp}/got", f"{url}/down"], check=True)
assert nginx.hash_file(f"{lt.tmp}/got") == down
subprocess.run([*curl, "-T", f"{lt.tmp}/up", f"{url}/up/file"], check=True)
assert nginx.hash_file(f"{web.www}/up/file") == up
web.stop()
