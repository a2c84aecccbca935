#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What scanners find wrong with our TLS: nothing old, no renegotiation, no
compression. sslscan and testssl, on the port that serves everything."""

import json
import re
import shutil
import subprocess

import ca
import lt

authority = ca.Authority()
pair = authority.issue("localhost", "toy.localhost", rsa=True)
server = lt.Server(options={"tls-certificate": pair.cert,
                            "tls-key": pair.key})
client = lt.Client(server, lt.Service(), name="toy")
where = f"toy.localhost:{server.port}"
ran = 0


def run(*argv):
    """Its output, colours taken out."""
    global ran
    if shutil.which(argv[0]) is None:
        return None
    ran += 1
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=240, cwd=lt.tmp)
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


out = run("sslscan", "--no-colour", "--sni-name=toy.localhost",
          f"127.0.0.1:{server.port}")
if out is not None:
    for version in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"):
        assert re.search(rf"^{version}\s+disabled$", out, re.M), out
    for version in ("TLSv1.2", "TLSv1.3"):
        assert re.search(rf"^{version}\s+enabled$", out, re.M), out
    assert "Session renegotiation not supported" in out, out
    assert "CBC" not in out and "-SHA " not in out and "P-521" not in out, out
    assert not re.search(r"^(\S.*)?\bvulnerable to heartbleed", out.replace(
        "not vulnerable to heartbleed", "")), out

report = lt.tmp + "/testssl.json"
out = run("testssl", "--quiet", "--color", "0", "--warnings", "off",
          "--nodns", "none", "--ip", "127.0.0.1", "--jsonfile", report,
          "-p", "-S", "-R", "-C", where)
if out is not None:
    with open(report, encoding="utf-8") as f:
        found = {e["id"]: e for e in json.load(f)}
    for version in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
        assert "not offered" in found[version]["finding"], found[version]
    for version in ("TLS1_2", "TLS1_3"):
        assert found[version]["finding"].startswith("offered"), found[version]
    assert "h2" not in found["ALPN"]["finding"], found["ALPN"]
    for fault in ("secure_client_renego", "CRIME_TLS"):
        assert found[fault]["severity"] == "OK", found[fault]
if not ran:
    lt.skip("neither sslscan nor testssl is installed")
