#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The Debian packages: they are built, lintian has nothing against them, and in
a root of its own (an overlay over this one, which stays as it is) they are
installed, tunnel, survive an upgrade, and leave nothing behind; in between the
service is reloaded with another certificate, and upgraded 20 times, while
visitors come. As root only;
"tools/deps package" installs what it needs."""

import os
import re
import shutil
import subprocess

import lt

if os.getuid() != 0:
    lt.skip("only root can have a root of its own")
for program in "dpkg-buildpackage", "dh", "lintian", "unshare", "git":
    if shutil.which(program) is None:
        lt.skip(f"{program} is not installed")

LIFE = r"""
set -eu
ip link set lo up 2>/dev/null || ifconfig lo up
mkdir top; mount -t tmpfs tmpfs top; mkdir top/upper top/work top/root
mount -t overlay overlay top/root \
    -o lowerdir=/,upperdir=top/upper,workdir=top/work || exit 77
cp *.deb src/debian/tests/tunnel under-load top/
cd top/root
mount -t proc proc proc; mount --rbind /dev dev; mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp; cp ../*.deb ../tunnel ../under-load tmp/
exec chroot . sh -eu /proc/self/fd/9 9<<'INSIDE'
cd /tmp
there() {
	find /etc /usr /var /lib /run -xdev 2>/dev/null |
	    grep -E 'localtunnel|ltserver|ltclient|ltctl' | sort -u
}
rm -f /usr/sbin/policy-rc.d # of containers: services may start here
there >before
dpkg -i ./localtunnel-server_*.deb ./localtunnel-client_*.deb
service ltserver stop || true
sh -eux ./tunnel
python3 ./under-load || { tail -n 200 server.log; exit 1; }
service ltserver start
service ltserver status
echo 'grace = many' >>/etc/localtunnel/ltserver.conf
service ltserver reload && exit 1
service ltserver restart && exit 1
service ltserver status
sed -i '/grace = many/d' /etc/localtunnel/ltserver.conf
dpkg -i ./localtunnel-server_*.deb
service ltserver status
dpkg -r localtunnel-server localtunnel-client
pidof ltserver && exit 1
test -e /etc/localtunnel/ltserver.conf
dpkg -P localtunnel-server localtunnel-client
getent passwd localtunnel && exit 1
there >after
diff before after
test ! -e /run/localtunnel
echo ALL WELL
INSIDE
"""

# In the same root, with the service as it is installed.
UNDER_LOAD = r"""
import json, shutil, socket, ssl, subprocess, threading, time

CONF = "/etc/localtunnel/ltserver.conf"
anybody = ssl._create_unverified_context()
over, served, faults = threading.Event(), [0], []


def run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, (argv, done.stdout)
    return done.stdout


def wait_until(condition):
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit, condition
        time.sleep(0.05)


def visit():
    with socket.create_connection(("127.0.0.1", 8000), 30) as clear, \
            anybody.wrap_socket(clear, server_hostname="demo.localhost") as s:
        cert = s.getpeercert(True)
        s.sendall(b"GET /page HTTP/1.1\r\nHost: demo.localhost:8000\r\n"
                  b"Connection: close\r\n\r\n")
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    assert b" 200 " in answer[:20] and answer.endswith(b"hello\n"), answer
    return cert


def keep_visiting():
    while not over.wait(0.1):
        try:
            visit()
        except Exception as e:
            faults.append(repr(e))
        served[0] += 1


def make_pair(name):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out",
        name + ".pem", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost,DNS:*.localhost")


def use_pair(name):
    for end in "key", "pem":
        shutil.copy(f"{name}.{end}", f"/etc/localtunnel/pair.{end}")


def workers():
    rows = json.loads(run("ltctl", "--json", "workers"))
    return {row["pid"]: row["state"] for row in rows}


def upgrade():
    before = workers()
    run("service", "ltserver", "upgrade")

    def is_over():
        try:
            now = workers()
        except AssertionError:
            return False
        # Those of the old program have left, too.
        return set(now.values()) == {"ready"} and \
            len(now) == len(before) and not set(now) & set(before)
    wait_until(is_over)


shutil.copy(CONF, "conf")
for name in "first", "second":
    make_pair(name)
use_pair("first")
with open(CONF, "a") as f:
    f.write('tls-certificate = "/etc/localtunnel/pair.pem"\n'
            'tls-key = "/etc/localtunnel/pair.key"\n'
            'log = "/tmp/server.log"\n')
run("service", "ltserver", "start")
with open("page", "w") as f:
    f.write("hello\n")
started = [subprocess.Popen(argv, stdout=out, stderr=out) for argv, out in (
    (["python3", "-m", "http.server", "--bind", "127.0.0.1", "5000"],
     subprocess.DEVNULL),
    (["ltclient", "-S", "http://localhost:8000", "-s", "demo", "5000"],
     open("out", "w")))]
wait_until(lambda: "your url is" in open("out").read())


def is_served():
    try:
        return visit()
    except AssertionError:
        return None


wait_until(is_served) # the page's own server may be slower
old = visit()
threads = [threading.Thread(target=keep_visiting, daemon=True)
           for _ in range(3)]
for thread in threads:
    thread.start()
time.sleep(1)
use_pair("second")
run("service", "ltserver", "reload")
wait_until(lambda: visit() != old)
wait_until(lambda: all(visit() != old for _ in range(20)))
for _ in range(20):
    upgrade()
over.set()
for thread in threads:
    thread.join()
new = visit()
assert new != old
assert open("out").read().count("your url is") == 1, open("out").read()
for program in started:
    program.terminate()
    program.wait()
run("service", "ltserver", "stop")
shutil.copy("conf", CONF)
for end in "key", "pem":
    subprocess.run(["rm", f"/etc/localtunnel/pair.{end}"], check=True)
print(f"{served[0]} visitors over TLS, {len(faults)} failed: {faults[:3]}")
assert not faults
"""

# The other tests have a run of their own.
OPTIONS = {"DEB_BUILD_OPTIONS": "parallel=2 nocheck"}


def run(*argv, cwd=lt.tmp, status=0):
    done = subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False,
                          env=os.environ | OPTIONS)
    if done.returncode == 77:
        lt.skip("an overlay is not to be had here")
    assert done.returncode == status, f"{argv}: {done.stdout}"
    return done.stdout


source = os.path.join(lt.tmp, "src")
os.mkdir(source)
files = run("git", "ls-files", "-z", cwd=lt.ROOT).split("\0")[:-1]
for name in files:
    path = os.path.join(source, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy2(os.path.join(lt.ROOT, name), path, follow_symlinks=False)
run("dpkg-buildpackage", "-us", "-uc", "-b", cwd=source)
changes = [n for n in os.listdir(lt.tmp) if n.endswith(".changes")]
said = run("lintian", "--allow-root", "-EvI", "--pedantic", *changes)
print(said)
assert not re.search("^[EW]: ", said, re.M), said
for name in os.listdir(lt.tmp):
    if "dbgsym" in name:
        os.unlink(os.path.join(lt.tmp, name))
with open(os.path.join(lt.tmp, "under-load"), "w", encoding="utf-8") as f:
    f.write(UNDER_LOAD)
said = run("unshare", "-m", "-n", "-p", "-f", "--kill-child", "sh", "-c", LIFE)
assert "ALL WELL" in said, said
print(re.search(r"^\d+ visitors.*$", said, re.M).group())
