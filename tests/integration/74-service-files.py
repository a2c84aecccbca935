#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What a machine needs to run the programs as services: the files in etc/ and
debian/ agree with the programs, and each is what its own reader expects.
Whole packages are the affair of 93-packages.py."""

import glob
import os
import re
import shutil
import subprocess

import lt

SERVER = os.path.join(lt.BUILD, "ltserver")


def text(*path):
    with open(os.path.join(lt.ROOT, *path), encoding="utf-8") as f:
        return f.read()


def run(*argv, status=0, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False, **more)
    assert done.returncode == status, (argv, done.stdout)
    return done.stdout


# The init script: its header, and each action that its usage names.
init = text("etc", "ltserver.init")
header = re.search(r"^### BEGIN INIT INFO\n(.*?)^### END INIT INFO$", init,
                   re.M | re.S).group(1)
for key in ("Provides", "Required-Start", "Required-Stop", "Default-Start",
            "Default-Stop", "Short-Description"):
    assert re.search(rf"^# {key}: +\S", header, re.M), key
actions = set(re.search(r"\{([a-z|-]+)\}", init).group(1).split("|"))
assert actions == set(re.findall(r"[a-z-]+", " ".join(re.findall(
    r"^([a-z| -]+)\) \w", init, re.M)))), actions
assert {"start", "stop", "restart", "reload", "force-reload", "upgrade",
        "status", "configtest"} <= actions
run("sh", "-n", os.path.join(lt.ROOT, "etc", "ltserver.init"))
for name in re.findall(r"^([A-Z_]+)=", text("etc", "ltserver.default"), re.M):
    assert re.search(rf"^{name}=", init, re.M), name

# Units: their options are ones that the programs have.
helps = {program: run(os.path.join(lt.BUILD, program), "--help")
         for program in ("ltserver", "ltclient", "ltctl")}
units = glob.glob(os.path.join(lt.ROOT, "etc", "**", "*.service"),
                  recursive=True)
assert len(units) == 3, units
for unit in units:
    for program, args in re.findall(r"^Exec\w+=/usr/s?bin/(\w+) (.*)$",
                                    text(unit), re.M):
        for letter in re.findall(r"(?:^| )-(\w)\b", args):
            assert re.search(rf"^ +-{letter}\b", helps[program], re.M), args
    if shutil.which("systemd-analyze") and "PrivateTmp" in text(unit):
        run("systemd-analyze", "security", "--offline=true", "--threshold=30",
            "--no-pager", unit)
if shutil.which("logrotate") and os.getuid() == 0:
    run("logrotate", "-d", os.path.join(lt.ROOT, "etc", "ltserver.logrotate"))

# The configurations that the examples and manuals show are good ones.
tokens = os.path.join(lt.tmp, "tokens")
with open(tokens, "w", encoding="ascii"):
    pass
certificate = os.path.join(lt.tmp, "cert.pem")
if shutil.which("openssl"):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-keyout", certificate + ".key",
        "-out", certificate, "-subj", "/CN=tunnel.example.com", "-addext",
        "subjectAltName=DNS:tunnel.example.com,DNS:*.tunnel.example.com")
shown = [re.sub(r"^#\t", "", m, flags=re.M)
         for name in ("nginx.conf", "haproxy.cfg")
         for m in re.findall(r"ltserver\.conf:\n#\n((?:#\t.*\n)+)",
                             text("etc", "examples", name))]
assert len(shown) == 2
shown.append(re.search(r"ltserver\.conf 5 :\n\.Bd [^\n]*\n(.*?)^\.Ed",
                       text("man", "localtunnel.7"), re.M | re.S).group(1))
for conf in shown:
    if "tls-key" in conf and not os.path.exists(certificate):
        continue
    conf = re.sub(r'(tls-key =\s*)"[^"]*"', rf'\1"{certificate}.key"', conf)
    conf = re.sub(r'(tls-certificate =\s*)"[^"]*"', rf'\1"{certificate}"',
                  conf)
    conf = re.sub(r'(tokens = )"[^"]*"', rf'\1"{tokens}"', conf)
    path = os.path.join(lt.tmp, "shown.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(conf)
    assert "good" in run(SERVER, "-f", "-t", "-c", path)

# The packages have one version, and every manual is in one of them.
version = re.search(r"^VERSION = (\S+)", text("Makefile"), re.M).group(1)
assert text("debian", "changelog").startswith(f"localtunnel ({version})")
installed = "".join(text("debian", f"localtunnel-{side}.{kind}")
                    for side in ("server", "client")
                    for kind in ("manpages", "install"))
for page in os.listdir(os.path.join(lt.ROOT, "man")):
    assert re.search(rf"/{re.escape(page)}\s", installed), page
