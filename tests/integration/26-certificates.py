#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Certificates and keys: bad ones are named at the start and by -t; HUP reads
the files again, and keeps the old ones when the new are no good; a worker that
is started later has what the others have; ticket keys outlive HUP and are
rotated."""

import os
import shutil
import signal
import ssl
import subprocess
import time

import ca
import lt
from tlsvisitor import TlsVisitor

authority = ca.Authority()
first = authority.issue("localhost", "*.localhost")
second = authority.issue("localhost", "*.localhost", rsa=True)
other = authority.issue("other.example")
expired = authority.issue("localhost", days=-1)
anybody = ssl._create_unverified_context()
cert, key = f"{lt.tmp}/cert.pem", f"{lt.tmp}/key.pem"


def install(cert_file, key_file):
    """Puts these files where the server has its own, whole or not at all."""
    for source, target in (cert_file, cert), (key_file, key):
        shutil.copy(source, target + ".new")
        os.chmod(target + ".new", 0o600)
        os.rename(target + ".new", target)


def text(name, content):
    path = f"{lt.tmp}/{name}"
    with open(path, "w", encoding="ascii") as f:
        f.write(content)
    return path


# --- at the start, and with -t ----------------------------------------------

def run(*args):
    done = subprocess.run(
        [os.path.join(lt.BUILD, "ltserver"), "-c", "/dev/null", "-l", "0",
         *args], stdin=subprocess.DEVNULL, capture_output=True,
        timeout=lt.PATIENCE, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


def with_pair(cert_file, key_file):
    return "-o", f"tls-certificate={cert_file}", "-o", f"tls-key={key_file}"


nothing = text("nothing.pem", "")
garbage = text("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n")
with open(first.cert, encoding="ascii") as f:
    cut = text("cut.pem", f.read()[:200])
bad_pairs = [
    (lt.tmp + "/none.pem", first.key, lt.tmp + "/none.pem: No such file"),
    (first.cert, lt.tmp + "/none.key", lt.tmp + "/none.key: No such file"),
    (first.cert, lt.tmp, f"{lt.tmp}: not a regular file"),
    (nothing, first.key, f"{nothing}: the file is empty"),
    (garbage, first.key, f"{garbage}: "),
    (cut, first.key, f"{cut}: "),
    (first.cert, garbage, f"{garbage}: "),
    (first.cert, first.cert, f"{first.cert}: "),
    (first.key, first.key, f"{first.key}: "),
    (first.cert, other.key, f"{other.key}: the key does not match"),
    (expired.cert, expired.key, f"{expired.cert}: the certificate has exp"),
]
if os.geteuid() != 0:
    secret = text("secret.key", "x")
    os.chmod(secret, 0)
    bad_pairs.append((first.cert, secret, f"{secret}: Permission denied"))
for cert_file, key_file, says in bad_pairs:
    for how in "-t", "-f":
        status, said = run(how, *with_pair(cert_file, key_file))
        assert status == 1, (status, said)
        assert says in said, (says, said)
        assert "PRIVATE" not in said and "good" not in said, said
# The second pair is looked at as well.
status, said = run("-t", *with_pair(*first), *with_pair(first.cert, other.key))
assert status == 1 and other.key in said, said
for pair in first, second, other:
    assert run("-t", *with_pair(*pair))[0] == 0
os.chmod(first.key, 0o644)
status, said = run("-t", *with_pair(*first))
assert status == 0 and f"{first.key}: everybody" in said, said
os.chmod(first.key, 0o600)
status, said = run("-t", *with_pair(*first))
assert status == 0 and "everybody" not in said, said
# Settings that do not go together are a fault of the configuration.
for args, says in (
        (("-o", f"tls-certificate={first.cert}"), "tls-key (0)"),
        (("-o", "redirect-to-https=yes"), "needs a certificate"),
        (("-o", "backend-tls=required"), "needs a certificate")):
    status, said = run("-t", *args)
    assert status == 2 and says in said, (status, said)

# --- HUP --------------------------------------------------------------------

install(*first)
server = lt.Server("-v", workers=3, config=f"""
    tls-certificate = "cert.pem"
    tls-key = "key.pem"
    ticket-rotation = 172800
""")
client = lt.Client(server, lt.Service(), name="demo")
assert client.url == f"https://demo.localhost:{server.port}", client.url


def visit(**more):
    return TlsVisitor(server, "demo.localhost", anybody, **more)


def shown(pair):
    """True if the certificate that a visitor gets is that of the pair."""
    with visit() as visitor, open(pair.cert, encoding="ascii") as f:
        got = visitor.tls.getpeercert(binary_form=True)
        pem = f.read().split("-----END CERTIFICATE-----")[0]
    return got == ssl.PEM_cert_to_DER_cert(pem + "-----END CERTIFICATE-----\n")


def reload(pattern):
    """HUP, and what the log says to it."""
    before = len(server.log())
    server.signal(signal.SIGHUP)
    lt.wait_until(lambda: pattern in server.log()[before:], what=pattern)


def reload_all():
    """The same until every worker has what is new."""
    before = server.log().count("certificates taken")
    reload("settings read again")
    lt.wait_until(lambda: server.log().count("certificates taken") >=
                  before + len(server.workers()))


assert shown(first) and not shown(second)
with visit() as old:
    assert old.request("demo.localhost").status == 200
    session = old.tls.session
    install(*second)
    assert shown(first)
    reload_all()
    for _ in range(20):
        assert shown(second)
    # Whoever is connected stays connected, and his ticket is good.
    assert old.request("demo.localhost").status == 200
for _ in range(10):
    with visit(session=session) as visitor:
        assert visitor.tls.session_reused
        assert visitor.request("demo.localhost").status == 200

# Files that are no good: the old ones stay, and the log names the file.
for cert_file, key_file, says in (
        (second.cert, other.key, "key.pem: the key does not match"),
        (expired.cert, expired.key, "cert.pem: the certificate has expired"),
        (cut, second.key, "cert.pem: no certificate can be read"),
        (second.cert, nothing, "key.pem: the file is empty")):
    install(cert_file, key_file)
    reload(f"settings stay as they were: {says}")
    for _ in range(5):
        assert shown(second)
os.unlink(key)
reload("settings stay as they were: key.pem: No such file")

# A worker that is started now gets the ones that stayed.
pid = server.workers()[0]
lt.kill(pid)
server.wait_log(r"worker \d died (?s:.*)is ready")
for _ in range(20):
    assert shown(second)
with visit(session=session) as visitor:
    assert visitor.tls.session_reused

# A storm of HUPs: it ends, nothing is lost, and nothing is left open.
install(*first)
reload_all()
count = lt.fd_count(server.pid)


def memfds():
    return {pid: sum("memfd" in link for link in lt.links(pid))
            for pid in server.workers()}


each = memfds()
for i in range(200):
    install(*(second if i % 2 else first))
    server.signal(signal.SIGHUP)
    if i % 20 == 0:
        with visit() as visitor:
            assert visitor.request("demo.localhost").status == 200
install(*second)
reload_all()
lt.wait_until(lambda: shown(second))
assert lt.fd_count(server.pid) == count
lt.wait_until(lambda: memfds() == each, what="old certificates are dropped")

# --- ticket keys ------------------------------------------------------------

server.stop()
install(*first)
rotating = lt.Server("-v", workers=2, options={
    "tls-certificate": cert, "tls-key": key, "ticket-rotation": 1})
lt.Client(rotating, lt.Service(), name="demo")


def session_of(name="demo.localhost"):
    with TlsVisitor(rotating, name, anybody) as visitor:
        assert visitor.request(name).status == 200
        return visitor.tls.session


def is_resumed(session):
    with TlsVisitor(rotating, "demo.localhost", anybody,
                    session=session) as visitor:
        assert visitor.request("demo.localhost").status == 200
        return visitor.tls.session_reused


# Good at first, and once three more keys have come it opens nothing any more,
# which is no fault.
session = session_of()
lt.wait_until(lambda: not is_resumed(session), what="the ticket is too old")
fresh = session_of()
assert fresh.has_ticket

rotating.stop()

# --- a certificate that nobody renews ---------------------------------------


def short_lived(seconds):
    """A pair that expires so soon."""
    base = f"{lt.tmp}/short"
    text("short.index", "")
    settings = text("short.cnf", f"""
[ca]
default_ca = short
[short]
database = {base}.index
new_certs_dir = {lt.tmp}
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
""")
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
    for args in (["req", "-new", "-key", first.key, "-subj", "/CN=localhost",
                  "-out", base + ".csr"],
                 ["ca", "-batch", "-notext", "-config", settings,
                  "-cert", authority.cert, "-keyfile", authority.key,
                  "-enddate", end, "-in", base + ".csr",
                  "-out", base + ".pem"]):
        subprocess.run(["openssl", *args], check=True, capture_output=True)
    return base + ".pem"


# As long as it takes this machine to start a server with it.
for seconds in 4, 16, 64:
    short = short_lived(seconds)
    if run("-t", *with_pair(short, first.key))[0] == 0:
        install(short, first.key)
        try:
            lasting = lt.Server("-v", workers=1, options={
                "tls-certificate": cert, "tls-key": key})
            break
        except AssertionError as e:
            assert "has expired" in str(e), e
lt.wait_until(lambda: run("-t", *with_pair(short, first.key))[0] == 1,
              seconds + lt.PATIENCE)
# The server goes on with it, and so does a worker that is started now.
lt.kill(lasting.workers()[0])
lasting.wait_log(r"worker 1 died (?s:.*)worker 1 is ready")
with TlsVisitor(lasting, "localhost", anybody) as visitor:
    assert visitor.request("localhost", "/meta/version").status == 200
lasting.signal(signal.SIGHUP)
lasting.wait_log("stay as they were: .*cert.pem: the certificate has expired")

# --- in clear ---------------------------------------------------------------

# HUP without certificates is fine.
plain = lt.Server(workers=1)
plain.wait_log("worker 1 is ready")
plain.signal(signal.SIGHUP)
plain.wait_log("settings read again")
assert lt.get(plain, "localhost:1", "/meta/version").status == 200

# Visitors in clear are sent to https, wherever that is; but not what clients
# ask for.
redirecting = lt.Server(listen=(), workers=1, config=f"""
listen "127.0.0.1:0" {{ kinds = {{ "http", "ltp" }} }}
listen "localhost:0" {{ kinds = {{ "tls" }} }}
listen "0" {{ kinds = {{ "http" }}  public = "https://proxy.example" }}
tls-certificate = "{first.cert}"
tls-key = "{first.key}"
redirect-to-https = yes
""")
clear, tls, proxied = (("127.0.0.1", port) for port in redirecting.ports)
client = lt.Client(redirecting, lt.Service(), name="demo")
assert client.url == f"https://demo.localhost:{tls[1]}", client.url
for name in "demo.localhost", "localhost":
    with lt.Visitor(clear) as visitor:
        page = visitor.request(f"{name}:{clear[1]}", "/x?y=z")
    assert page.status == 308, page.status
    assert page.header("Location") == f"https://{name}:{tls[1]}/x?y=z"
with lt.Visitor(clear) as visitor:
    page = visitor.request("nobody.example", "/")
    assert page.status == 404, page.status
with lt.Visitor(clear) as visitor:
    page = visitor.request("localhost", "/meta/backend")
    assert page.body == str(clear[1]).encode(), page.body
with TlsVisitor(tls, "demo.localhost", anybody) as visitor:
    page = visitor.request("demo.localhost")
    assert page.seen("X-Forwarded-Proto") == ["https"], page.body
    assert page.seen("X-Forwarded-Port") == [str(tls[1])], page.body
with lt.Visitor(proxied) as visitor:
    page = visitor.request("demo.localhost")
    assert page.status == 200, page.status
    assert page.seen("X-Forwarded-Proto") == ["https"], page.body
    assert page.seen("X-Forwarded-Port") == ["443"], page.body
