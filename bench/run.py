#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Measures localtunnel beside the limit and beside others, in turn, in one
run, and prints medians, spread and ratios to the limit.

    bench/run.py [--quick] [--rounds N] [--only NAME,...] [--measures A,...]
                 [--readme]

Called by "make bench". Results go to bench/results/: one JSON file with every
single figure, a table, and plots.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import growth
import measures
import systems
from process import BUILD, ROOT, fail, find, tmp
from service import Services

# What is measured with which service: nginx, or the sink for uploads. Memory
# is measured of fresh ones.
WITH_NGINX = {"A": measures.requests, "L": measures.lone,
              "B": measures.new_connections, "C": measures.downloads,
              "F": measures.bursts}
RESULTS = os.path.join(ROOT, "bench", "results")


class Plan:
    def __init__(self, args):
        self.rounds = args.rounds or (1 if args.quick else 5)
        self.seconds = 1 if args.quick else 3
        self.size = (256 if args.quick else 1024) * 1024 * 1024
        self.crowd = 500 if args.quick else 2000
        self.tunnels = (1, 1000) if args.quick else (1, 10, 100, 1000, 10000)
        self.only = args.only and args.only.split(",")
        self.letters = (args.measures or (
            "A,L,B,C,E,F" if args.quick else "A,L,B,C,E,F,G,H,S")).split(",")


def note(text):
    print(f"\r\033[K{text}" if sys.stderr.isatty() else text,
          end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


class Book:
    """Every figure: book[row][system] is a list, one entry a round."""

    def __init__(self):
        self.rows = {}

    def add(self, system, found):
        for row, value in found.items():
            self.rows.setdefault(row, {}).setdefault(system, []).append(value)

    def systems(self):
        return [c.name for c in systems.ALL
                if any(c.name in row for row in self.rows.values())]

    def median(self, row, system):
        values = self.rows.get(row, {}).get(system)
        return statistics.median(values) if values else None

    def ratios(self, row, system, to):
        """Round by round: what disturbs the machine disturbs both."""
        mine = self.rows[row].get(system, [])
        other = self.rows[row].get(to, [])
        return [x / y for x, y in zip(mine, other) if y]


def one_round(classes, plan, services, book, round_):
    for letter, measure in WITH_NGINX.items():
        if letter not in plan.letters:
            continue
        for cls in classes:
            note(f"round {round_ + 1}: {letter} {cls.name}")
            system = cls(services.port)
            # Whoever has to fill a pool has done so.
            time.sleep(0.3)
            book.add(cls.name, measure(system, plan, services))
            system.stop()
    for letter, measure, target in (
            ("C", measures.uploads, services.sink),
            ("E", measures.memory_of, services.port)):
        if letter not in plan.letters:
            continue
        for cls in classes:
            if letter == "E" and cls is systems.Direct:
                continue
            note(f"round {round_ + 1}: {letter} {cls.name}")
            system = cls(target)
            book.add(cls.name, measure(system, plan, services))
            system.stop()


def alone(plan, services, tables):
    """The tables beside the main one, round by round: rows of columns of
    lists."""
    def add(table, column, found):
        for row, value in found.items():
            tables.setdefault(table, {}).setdefault(row, {}) \
                .setdefault(str(column), []).append(value)

    for round_ in range(min(plan.rounds, 3)):
        if "G" in plan.letters:
            for n in plan.tunnels:
                note(f"round {round_ + 1}: G {n} tunnels")
                add("tunnels", n, growth.tunnels(plan, services, n))
            for n in (1, 2, 4):
                note(f"round {round_ + 1}: G {n} workers")
                add("workers", n, growth.workers(plan, services, n))
        if "E" in plan.letters:
            note(f"round {round_ + 1}: E idle")
            add("an idle proxy connection", "localtunnel",
                growth.idle(plan, services))
        if "H" in plan.letters:
            growth.certificate()
            for cls in growth.TLS:
                if cls is growth.LocaltunnelTls or cls.is_there():
                    note(f"round {round_ + 1}: H {cls.name}")
                    add("TLS", cls.name, growth.tls(cls, plan, services))
        if "S" in plan.letters:
            for cls in (systems.Limit, systems.Localtunnel, systems.Haproxy):
                if cls.is_there():
                    note(f"round {round_ + 1}: S {cls.name}")
                    add("size", cls.name,
                        growth.sizes(cls, plan, services))
        yield


def small_table(title, rows):
    columns = list(next(iter(rows.values())))
    lines = [f"| {title} | " + " | ".join(columns) + " |",
             "|---|" + "---:|" * len(columns)]
    for row, found in rows.items():
        cells = [statistics.median(found[c]) for c in columns]
        lines.append(f"| {row} | " + " | ".join(
            f"{v:,.0f}" if v >= 100 else f"{v:.3g}" for v in cells) + " |")
    return "\n".join(lines)


def plot(name, labels, lines):
    """One picture: lines is {title: [(x, y), ...]}, labels are those of the
    axes."""
    if not find("gnuplot"):
        return
    parts = []
    for i, (title, points) in enumerate(lines.items()):
        data = f"{tmp}/{name}.{i}.dat"
        with open(data, "w", encoding="ascii") as f:
            f.writelines(f"{x} {y}\n" for x, y in points)
        parts.append(f"'{data}' with linespoints title '{title}'")
    script = f"""set terminal svg size 640,400
set output '{RESULTS}/{name}.svg'
set logscale xy
set key left top
set xlabel '{labels[0]}'
set ylabel '{labels[1]}'
plot """ + ", ".join(parts)
    subprocess.run(["gnuplot"], input=script.encode(), check=True)


def plots(tables):
    """Cost against the size of an answer, and against other tunnels."""
    if "size" in tables:
        rows = tables["size"]
        plot("size", ("KiB of an answer", "CPU ms of both sides"),
             {n: [(kib, statistics.median(found[n]))
                  for kib, found in rows.items()]
              for n in next(iter(rows.values()))})
    if "tunnels" in tables:
        plot("tunnels", ("tunnels", "see the title of each line"),
             {row: [(n, statistics.median(v)) for n, v in found.items()]
              for row, found in tables["tunnels"].items()
              if row != "bytes per tunnel"})


def into_readme(text):
    """Puts the tables between the two marks in README.md."""
    path = os.path.join(ROOT, "README.md")
    with open(path, encoding="utf-8") as f:
        before, begin, rest = f.read().partition("<!-- bench -->\n")
        _, end, after = rest.partition("<!-- end of bench -->\n")
    if not end:
        fail("README.md has lost its marks for the tables")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{before}{begin}{text}{end}{after}")


def number(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"


def table(book):
    """Medians, one row a measure, as Markdown."""
    names = book.systems()
    lines = ["| | unit | " + " | ".join(names) + " |",
             "|---|---|" + "---:|" * len(names)]
    for row, (words, unit, _, digits) in measures.ROWS.items():
        if row in book.rows:
            lines.append(f"| {words} | {unit} | " + " | ".join(
                number(book.median(row, n), digits) for n in names) + " |")
    return "\n".join(lines)


def ratio_table(book, to="limit"):
    """Ratios to the limit, medians over the rounds, lowest and highest."""
    names = [n for n in book.systems() if n not in (to, "direct")]
    lines = [f"| ratio to the {to} | " + " | ".join(names) + " |",
             "|---|" + "---:|" * len(names)]
    for row, (words, *_) in measures.ROWS.items():
        if row not in book.rows or row.endswith("errors"):
            continue
        cells = []
        for name in names:
            found = book.ratios(row, name, to)
            cells.append(f"{statistics.median(found):.2f} ({min(found):.2f}-"
                         f"{max(found):.2f})" if found else "-")
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        models = [line.split(":")[1].strip() for line in f
                  if line.startswith("model name")]
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return {"kernel": platform.release(), "cores": os.cpu_count(),
            "cpu": models[0] if models else platform.machine(),
            "commit": commit.stdout.decode().strip(),
            "load": os.getloadavg()[0],
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def save(name, book, about, tables):
    """Writes all figures there are so far; returns the tables as text."""
    rounds = max((len(v) for row in book.rows.values() for v in row.values()),
                 default=0)
    text = (f"{about['cores']} cores, {about['cpu']}, Linux "
            f"{about['kernel']}; {about['commit']}, {rounds} rounds, "
            f"medians; load before it began {about['load']:.1f}\n\n"
            f"{table(book)}\n\n{ratio_table(book)}\n")
    for title, rows in tables.items():
        text += "\n" + small_table(title, rows) + "\n"
    os.makedirs(RESULTS, exist_ok=True)
    name = os.path.join(RESULTS, name)
    with open(name + ".json", "w", encoding="utf-8") as f:
        json.dump({"machine": about | {"alone": tables}, "rounds": rounds,
                   "figures": book.rows}, f, indent=1, sort_keys=True)
        f.write("\n")
    with open(name + ".md", "w", encoding="utf-8") as f:
        f.write(text)
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", help="names of systems, with commas")
    parser.add_argument("--readme", action="store_true",
                        help="put the tables into README.md")
    parser.add_argument("--measures", help="letters, with commas")
    args = parser.parse_args()
    plan = Plan(args)
    for program in ("wrk", "ab", "curl", "nginx"):
        if not find(program):
            fail(f"{program} is missing: tools/deps bench")
    if not os.path.exists(f"{BUILD}/bench/limit"):
        fail("build/bench/limit is missing: make bench")
    classes = [c for c in systems.ALL if c.is_there()
               and (not plan.only or c.name in plan.only)]
    about = machine()
    services = Services(plan.size)
    book, tables = Book(), {}
    try:
        # What has been measured is kept, whatever becomes of the rest.
        for round_ in range(plan.rounds):
            one_round(classes, plan, services, book, round_)
            save("unfinished", book, about, tables)
        for _ in alone(plan, services, tables):
            save("unfinished", book, about, tables)
    finally:
        services.close()
    note("")
    is_part = args.only or args.measures or plan.rounds < 5
    text = save("quick" if args.quick else "part" if is_part else "full",
                book, about, tables)
    for ending in (".json", ".md"):
        os.unlink(os.path.join(RESULTS, "unfinished" + ending))
    print(text)
    if not is_part:
        plots(tables)
    if args.readme:
        into_readme(text)


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    main()
