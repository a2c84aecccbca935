#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The programs, their manuals and the example configuration agree on options,
settings and version: nothing is missing on either side."""

import os
import re
import subprocess

import lt


def text(*path):
    with open(os.path.join(lt.ROOT, *path), encoding="utf-8") as f:
        return f.read()


def said(program, *args):
    done = subprocess.run([os.path.join(lt.BUILD, program), *args],
                          stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def same(what, **sets):
    (a, in_a), (b, in_b) = sets.items()
    assert in_a, f"no {what} in {a}"
    assert in_a == in_b, f"{what}: only in {a}: {sorted(in_a - in_b)}, " \
        f"only in {b}: {sorted(in_b - in_a)}"


version = re.search(r"^VERSION = (\S+)", text("Makefile"), re.M).group(1)
for program, page in (("ltserver", "ltserver.8"), ("ltclient", "ltclient.1"),
                      ("ltctl", "ltctl.8"), ("lt", "lt.1")):
    help_text, manual = said(program, "--help"), text("man", page)
    same(f"long options of {program}",
         help=set(re.findall(r"--([a-z][a-z-]+)", help_text)),
         manual=set(re.findall(r"\bFl -([a-z][a-z-]+)", manual)))
    same(f"letters of {program}",
         help=set(re.findall(r"^ +-(\w)\b", help_text, re.M)),
         manual=set(re.findall(r"\bFl (\w)\b", manual)))
    # That of lt prints nothing else, as the npm command does.
    assert said(program, "--version") == \
        (version if program == "lt" else f"{program} {version}") + "\n"

# token is a file's affair, and has commands of its own.
same("commands of ltctl",
     table={"token"} | set(re.findall(r'^\t\{ "([a-z]+)", (?:NULL|"NAME"),',
                          text("ctl", "main.c"), re.M)),
     manual=set(re.findall(r"^\.It Cm ([a-z]+)", text("man", "ltctl.8"),
                           re.M)))
same("commands of the server", table={"token"} | set(re.findall(
    r'^\t\[COMMAND_[A-Z]+\] = "([a-z]+)"', text("server", "command.c"), re.M)),
     ltctl=set(re.findall(r"^  ([a-z]+) ", said("ltctl", "--help"), re.M)))

table = set(re.findall(r'^\t\{ "([a-z-]+)",\s+CONFIG_',
                       text("server", "config.c"), re.M))
keys = set(re.findall(r'^\t\{ "([a-z-]+)", (?:true|false),',
                      text("server", "config_listen.c"), re.M))
same("settings", table=table | keys, manual=set(re.findall(
    r"^\.It Cm ([a-z-]+)", text("man", "ltserver.conf.5"), re.M)))
# What the table of limits says of a default.
preset = dict(re.findall(r'^\t\{ "([a-z-]+)",\s+CONFIG_\w+, "(\w+)"',
                         text("server", "config.c"), re.M))
said_of = re.findall(r"^\.It .* Ta Cm ([a-z-]+) Ta (\w+) Ta",
                     text("man", "ltserver.conf.5"), re.M)
assert len(said_of) > 10
same("defaults", table=set(said_of) & set(preset.items()),
     limits=set(said_of))
example = text("etc", "ltserver.conf")
same("settings", table=table, example=set(re.findall(
    r"^#? ?([a-z-]+) (?:= |\"\S+\" \{)", example, re.M)))
same("keys of a listener", table=keys, example=set(re.findall(
    r"^#\t(?:# )?([a-z-]+) = ", example, re.M)))

# Those of the client: what is of one tunnel is in its table of options.
keys = {key for row in re.findall(r"^\t\{ .*?\},?$", re.search(
    r"rows\[\] = \{(.*?)^\};", text("client", "options.c"),
    re.M | re.S).group(1), re.M | re.S)
    for key in re.findall(r'"([a-z-]+)" \}$', row.rstrip(","))}
table = {"server", "ca", "token", "insecure", "tunnel"}
same("settings of the client", table=table | keys, manual=set(re.findall(
    r"^\.It Cm ([a-z-]+)", text("man", "ltclient.conf.5"), re.M)))
example = text("etc", "ltclient.conf")
same("settings of the client", table=table, example=set(re.findall(
    r"^#([a-z-]+) (?:= |\"\S+\" \{)", example, re.M)))
same("keys of a tunnel", table=keys, example=set(re.findall(
    r"^#\t([a-z-]+) = ", example, re.M)))
# And it can be read as it stands, once nothing is a comment.
path = os.path.join(lt.tmp, "ltclient.conf")
with open(path, "w", encoding="utf-8") as f:
    f.write(re.sub(r"^#(?=[a-z}\t])", "", example, flags=re.M))
done = subprocess.run(
    [os.path.join(lt.BUILD, "ltclient"), "-c", path, "start", "none"],
    stderr=subprocess.PIPE, text=True, check=False)
assert f'no tunnel "none" in {path}; those that are there: web' \
    in done.stderr, done.stderr

# Completion: the same options, and of those that take something, what.
help_text = said("ltclient", "--help")
options = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+|-[A-Za-z])(?=[ ,\n])",
                         "\n".join(re.findall(r"^  +(-.*?)(?:  |$)",
                                              help_text, re.M)) + "\n"))
with_argument = {
    option for line in re.findall(r"^ +(-(?:(?!  ).)*? [A-Z12|:]+)(?= |$)",
                                  help_text, re.M)
    for option in re.findall(r"--?[a-zA-Z-]+", line)}
bash, zsh = (text("etc", "completion", name)
             for name in ("ltclient.bash", "_ltclient"))
same("options", help=options, bash=set(re.findall(
    r"(?<!\S)(--?[a-zA-Z-]+)",
    re.search(r"local options='(.*?)'", bash, re.S).group(1))))
same("options", help=options, zsh=set(re.findall(
    r"(--[a-z-]+|-[a-zA-Z])(?=[],[})])", zsh)))
same("options with an argument", help=with_argument, zsh={
    option for line in re.findall(r"^    '.*\]:.*", zsh, re.M)
    for option in re.findall(r"(--[a-z-]+|-[a-zA-Z])(?=[],[})])", line)})


def complete(*words):
    """What bash makes of a line of which the last word is being written."""
    done = subprocess.run(
        ["bash", "--norc", "-c", f"""
         . {lt.ROOT}/etc/completion/ltclient.bash
         COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
         _ltclient
         printf '%s\\n' "${{COMPREPLY[@]}}" """, "bash", "ltclient", *words],
        stdout=subprocess.PIPE, text=True, check=True, cwd=lt.tmp,
        env={**os.environ, "XDG_CONFIG_HOME": lt.tmp})
    return done.stdout.split()


os.makedirs(lt.tmp + "/localtunnel")
with open(lt.tmp + "/localtunnel/ltclient.conf", "w", encoding="ascii") as f:
    f.write('tunnel "shop" {\n}\n  tunnel "ssh" { kind = tcp }\n')
assert complete("--proxy") == ["--proxy", "--proxy-protocol"]
assert complete("--proxy-protocol", "") == ["1", "2"]
assert complete("--host-header", "re") == ["rewrite"]
assert complete("di") == ["diagnose"] and complete("t") == ["tls", "tcp"]
assert complete("start", "s") == ["shop", "ssh"]
assert complete("-S", "") == [] == complete("--auth", "")
assert complete("-c", "localt") == ["localtunnel"]
for option in with_argument:
    assert not set(complete(option, "")) & {"http", "start"}, option
for option in options - with_argument:
    assert "diagnose" in complete(option, ""), option
