#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The Debian packages: they are built, lintian has nothing against them, and in
a root of its own (an overlay over this one, which stays as it is) they are
installed, tunnel, survive an upgrade, and leave nothing behind. As root only;
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
cp *.deb src/debian/tests/tunnel top/
cd top/root
mount -t proc proc proc; mount --rbind /dev dev; mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp; cp ../*.deb ../tunnel tmp/
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
said = run("unshare", "-m", "-n", "-p", "-f", "--kill-child", "sh", "-c", LIFE)
assert "ALL WELL" in said, said
