# SPDX-License-Identifier: ISC
"""Certificates for tests: an authority of their own, made with the openssl
command in the directory of the test, so that no key is ever kept.

    authority = ca.Authority()
    pair = authority.issue("demo.localhost", "127.0.0.1")
    context = ca.server_context(pair)        # for a service of the test
    trusting = authority.client_context()    # for a visitor of the test

All paths are files in PEM: authority.cert is what --ca takes, pair.cert and
pair.key are a certificate (with its chain behind it) and its key.
"""

import ipaddress
import itertools
import shutil
import ssl
import subprocess
from typing import NamedTuple

import lt

_number = itertools.count()


class Pair(NamedTuple):
    cert: str
    key: str


def _openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _is_address(name):
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return False


def _files(what):
    base = f"{lt.tmp}/{what}-{next(_number)}"
    return base + ".pem", base + "-key.pem", base + ".csr", base + ".ext"


def _new_key(rsa):
    return ["-newkey", "rsa:2048"] if rsa else \
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]


def _names(names):
    return "subjectAltName=" + ",".join(
        ("IP:" if _is_address(name) else "DNS:") + name for name in names)


def self_signed(*names, days=2, rsa=False):
    """A certificate that nobody vouches for."""
    cert, key, _, _ = _files("self-signed")
    _openssl("req", "-x509", *_new_key(rsa), "-nodes", "-keyout", key,
             "-out", cert, "-days", str(days), "-subj", f"/CN={names[0][:64]}",
             "-addext", _names(names))
    return Pair(cert, key)


class Authority:
    """Skips the test where there is no openssl."""

    def __init__(self, name="an authority of a test"):
        if shutil.which("openssl") is None:
            lt.skip("openssl is not installed")
        self.cert, self.key, _, _ = _files("ca")
        _openssl("req", "-x509", *_new_key(False), "-nodes",
                 "-keyout", self.key, "-out", self.cert, "-days", "2",
                 "-subj", f"/CN={name}", "-addext",
                 "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, *names, days=2, rsa=False):
        """A certificate for these DNS names and addresses, with a key of its
        own; days=-1 makes one that has expired."""
        cert, key, request, extensions = _files("cert")
        with open(extensions, "w", encoding="ascii") as f:
            f.write(_names(names) + "\nbasicConstraints=CA:FALSE\n")
        _openssl("req", *_new_key(rsa), "-nodes", "-keyout", key,
                 "-out", request, "-subj", f"/CN={names[0][:64]}")
        _openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey",
                 self.key, "-CAcreateserial", "-days", str(days),
                 "-extfile", extensions, "-out", cert)
        with open(cert, "a", encoding="ascii") as out, \
                open(self.cert, encoding="ascii") as chain:
            out.write(chain.read())
        return Pair(cert, key)

    def client_context(self, pair=None):
        """Trusts this authority alone; shows a certificate if it has one."""
        context = ssl.create_default_context(cafile=self.cert)
        if pair is not None:
            context.load_cert_chain(*pair)
        return context


def server_context(pair, authority=None, alpn=()):
    """With an authority: demands a certificate of it from whoever comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.cert)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context
