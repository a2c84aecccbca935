#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Certificates change 100 times under load: each handshake gets the old one or
the new one with its own key, none fails, and who is connected stays so. Files
that are no good change nothing."""

import os
import shutil
import signal
import ssl
import threading

import ledger
from ledger import lt

import ca
from tlsvisitor import TlsVisitor

TIMES = 10 if ledger.QUICK else 100

authority = ca.Authority()
pairs = [authority.issue("localhost", "*.localhost") for _ in range(2)]
cert, key = f"{lt.tmp}/cert.pem", f"{lt.tmp}/key.pem"
anybody = ssl._create_unverified_context()


def install(cert_file, key_file):
    for source, target in (cert_file, cert), (key_file, key):
        shutil.copy(source, target + ".new")
        os.chmod(target + ".new", 0o600)
        os.rename(target + ".new", target)


def der(pair):
    with open(pair.cert, encoding="ascii") as f:
        return ssl.PEM_cert_to_DER_cert(f.read().split(
            "-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")


def reload(pattern):
    before = rig.server.log().count(pattern)
    os.kill(rig.server.pid, signal.SIGHUP)
    lt.wait_until(lambda: rig.server.log().count(pattern) > before,
                  what=pattern)


def handshakes():
    """One after the other, each with a request."""
    while not stop.is_set():
        with TlsVisitor(rig.server, "b.localhost", anybody) as visitor:
            shown.append(visitor.tls.getpeercert(binary_form=True))
            page = visitor.request("b.localhost", f"/get/tls{len(shown)}")
            assert page.status == 200, page.status


install(*pairs[0])
rig = ledger.Rig(config=f"""
    tls-certificate = "{cert}"
    tls-key = "{key}"
""")
fds = [lt.fd_count(pid) for pid in rig.processes()]
stop, shown, failed = threading.Event(), [], []
threading.excepthook = lambda args: failed.append(args.exc_value)
with rig.traffic():
    loads = [threading.Thread(target=handshakes) for _ in range(3)]
    for load in loads:
        load.start()
    for number in range(TIMES):
        install(*pairs[(number + 1) % 2])
        reload("settings read again")
    for bad in ((pairs[0].cert, pairs[1].key), (pairs[0].key, pairs[0].key),
                (authority.issue("localhost", days=-1))):
        install(*bad)
        reload("settings stay as they were")
    good = len(shown)
    lt.wait_until(lambda: len(shown) > good + 20 or failed)
    stop.set()
    for load in loads:
        load.join()
assert not failed, failed
assert set(shown) == {der(pair) for pair in pairs}
# The last good one is shown, since the bad ones came.
assert set(shown[good + 5:]) == {der(pairs[TIMES % 2])}
rig.book[:] = [row for row in rig.book
               if not row[1].startswith("tls")]
rig.judge()
print(len(shown), "handshakes")
