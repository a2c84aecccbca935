#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""One malloc in a hundred fails for two minutes under traffic, in the server
and in a's client: what could not be done fails, they may leave in good order,
workers are replaced, and no process that was up is killed by a signal. Nobody
ever gets a wrong byte."""

import glob
import re
import time

import ledger
from ledger import lt

SECONDS = 5 if ledger.QUICK else 120
ONE_IN = 0.01

library = glob.glob("/usr/lib/fiu/fiu_posix_preload.so") + \
    glob.glob("/usr/lib/*/fiu/fiu_posix_preload.so")
if not library or lt.under_sanitizer():
    lt.skip("libfiu is not installed, or does not go with sanitizers")
runner = library[0].replace("posix", "run")
fails = {"LD_PRELOAD": f"{runner} {library[0]}", "FIU_ENABLE":
         f"enable_random name=libc/mm/malloc,probability={ONE_IN}\n"}


def up(program, is_up, start):
    """Starts a program again and again until it is up: libraries do not all
    survive it if memory fails while they begin, and what they say then is no
    fault of ours."""
    while not is_up():
        if not program.alive():
            with open(program.base + "/log", "w", encoding="ascii"):
                pass
            start()
        time.sleep(0.1)


server = lt.Server(workers=2, wait=False, env=fails,
                   options={"sessions": 1, "queue-timeout": 2})
up(server, lambda: server.alive() and server.log().count("is ready") > 1,
   lambda: server.start(wait=False))
server.wait_listening(server.log().rindex("workers run as"))
rig = ledger.Rig(workers=2, server=server, client={"env": fails})
for client in rig.a, rig.b:
    up(client, lambda: client.url, lambda: client.start(wait=False))
with rig.traffic():
    time.sleep(SECONDS)
rig.judge(lambda trial: True, died=rig.gone(), rest=False)
for program in rig.server, rig.a:
    assert program.alive(), program.log()[-2000:]
ready = re.findall(r"is ready pid=(\d+)", rig.server.log())
killed = re.findall(r"died pid=(\d+) signal=\d+", rig.server.log())
assert not set(killed) & set(ready), set(killed) & set(ready)
good = sum(t.end == "ok" for t in rig.trials)
assert good
print(f"{good} of {len(rig.trials)} visitors were served;"
      f" {rig.server.log().count(' died ')} workers left")
