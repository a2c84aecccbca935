#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Another program takes over, and the file of tokens is elsewhere by then, or
is gone or no good, or a token's time is over: the server goes on, whoever may
have a tunnel keeps it, nobody else gets one, and whose tunnel ends is told."""

import os
import time

import lt
import upgrades

path = lt.tmp + "/tokens"
started = lt.tmp + "/started"


def config(tokens):
    return f'tokens = "{tokens}"\n'


def add(name, *rights):
    answer = upgrades.ctl("-f", path, "token", "add", name, *rights)
    assert answer.returncode == 0, answer
    return answer.stdout.strip()


def meanwhile(*lines):
    """From now on these shell commands come between question and earnest."""
    os.rename(upgrades.PROGRAM, upgrades.PROGRAM + ".real")
    upgrades.install(lambda _: "\n".join([
        "#!/bin/bash", 'case " $* " in', "*' -t '*) ;;", "*)", *lines, ";;",
        "esac", f'exec -a "$0" "{upgrades.PROGRAM}.real" "$@"', ""]).encode())


def upgrade():
    """The workers of before have left when it is done."""
    before = set(server.workers())
    upgrades.upgrade(server)
    assert server.alive(), server.log()
    lt.wait_until(lambda: not before & set(server.workers()))
    lt.wait_until(lambda: lt.get(server, "demo").status == 200)
    assert client.alive(), client.log()
    assert client.output().count("your url is") == 1, client.output()


def is_guarded():
    """A token that is good lets in still; without one nobody gets in."""
    with_one = lt.Client(server, service, "-t", one, name="further")
    assert lt.get(server, "further").status == 200
    assert with_one.stop() == 0
    nobody = lt.Client(server, service, name="nobody", wait=False)
    assert nobody.wait() != 0, nobody.log()
    wrong = lt.Client(server, service, "-t", "lt_" + 64 * "0", name="nobody",
                      wait=False)
    assert wrong.wait() != 0, wrong.log()
    assert lt.get(server, "nobody").status == 404


def says(text, since):
    assert text in server.log()[since:], server.log()[since:]


def lost(program, name):
    """Its client was told, and no worker has a session that is none."""
    assert program.wait() == 4, program.log()
    assert "not good any more" in program.log(), program.log()
    assert lt.get(server, name).status == 404


one, two = add("one"), add("two")
service = lt.Service()
server = upgrades.start(config=config(path))
client = lt.Client(server, service, "-t", one, name="demo")

# --- the file has moved, without a reload -----------------------------------

moved = path + ".moved"
os.rename(path, moved)
path = moved
server.configure(config(path))
upgrade()
assert upgrades.shown("config")["tokens"] == path
is_guarded()

# --- it is edited, without a reload: a tunnel ends, and its client hears ----

second = lt.Client(server, service, "-t", two, name="second")
with open(path, encoding="utf-8") as f:
    kept = f.readlines()
with open(path, "w", encoding="utf-8") as f:
    f.writelines(line for line in kept if not line.startswith("two "))
upgrade()
lost(second, "second")

# --- it is gone, or no good, once the new program has said that it is good --

for n, command in enumerate((f'mv "{path}" "{path}.away"',
                             f'mkdir "{path}.d"; mv "{path}" "{path}.away";'
                             f'mv "{path}.d" "{path}"',
                             f'cp "{path}" "{path}.away"; echo x >>"{path}"')):
    meanwhile(command)
    since = len(server.log())
    upgrade()
    says("settings stay as they were: ", since)
    says(path, since)
    is_guarded()
    assert upgrades.ctl("reload").returncode == 1
    is_guarded()
    if os.path.isdir(path):
        os.rmdir(path)
    os.rename(path + ".away", path)
    assert upgrades.ctl("reload").returncode == 0
    is_guarded()
    upgrades.install()

# --- a token's time is over in between --------------------------------------

SOON_S = 6
end = time.time() + SOON_S
brief = add("brief", "expires=" + time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                time.gmtime(end)))
assert upgrades.ctl("reload").returncode == 0
third = lt.Client(server, service, "-t", brief, name="third")
assert lt.get(server, "third").status == 200
meanwhile(f': >"{started}"', f"sleep {SOON_S + 1}")
upgrade()
assert os.path.exists(started)
lost(third, "third")
is_guarded()
upgrades.install()

# And a token that is revoked now loses its tunnel at once.
answer = upgrades.ctl("token", "revoke", "one")
assert answer.returncode == 0, answer
lost(client, "demo")
assert " died " not in server.log()
assert server.stop() == 0
