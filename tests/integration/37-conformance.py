#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""tests/conformance: what varnishtest sends, byte for byte, and expects of a
server, and of the local service behind the tunnel demo, which it plays too.
The tunnel other is there to be reached by mistake, and is not."""

import glob
import os
import shutil
import subprocess

import lt

if shutil.which("varnishtest") is None:
    lt.skip("varnishtest is not installed")

server = lt.Server(options={"head-timeout": 2})
local = lt.free_port()
demo = lt.Client(server, local, name="demo")
other = lt.Service("other")
lt.Client(server, other, name="other")

macros = {
    "server": f"127.0.0.1:{server.port}", "port": server.port,
    "local": f"127.0.0.1:{local}",
    "host": server.host("demo"), "other": server.host("other"),
}
defines = [f"-D{key}={value}" for key, value in macros.items()]
cases = sorted(glob.glob(os.path.join(lt.ROOT, "tests/conformance/*.vtc")))
assert len(cases) > 5, cases
failed = []
for case in cases:
    done = subprocess.run(
        ["varnishtest", "-t", "120", "-n", "1", *defines, case],
        cwd=lt.tmp, env=os.environ | {"TMPDIR": lt.tmp}, check=False,
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        failed.append(f"{case}\n{done.stdout}{done.stderr}")
assert not failed, "\n".join(failed)
assert not other.requests, other.requests
assert demo.alive() and server.alive()
