"""What PALs cost, counted in ticks (instructions of CPU 0) by a client in the guest.

guests/linux/pal measures with RDTSC (sub-command bench); here are the boots that it runs in, and
what is computed from them. docs/bench.md says what each figure means.
"""
import json
import os
import re
import shutil

from _pals import APP, all_boots, medians, numbers, values
from common import ROOT, run

FEW_CALLS, MANY_CALLS = 1000, 21000     # the difference is large against what a boot does besides
CONCURRENT_CALLS = 5000

# Boots: (what the guest does, CPUs, Nacre's options). A line of the log costs more than a call, so
# costs are measured without the log; the closing summary is part of the log.
COSTS = ("pal-bench:all,pal64-bench:reg", 1, "log=warn")
REGISTRATIONS = ("pal64-bench:reg", 1, "")
FEW = ("pal64-bench:exits:%d" % FEW_CALLS, 1, "")
MANY = ("pal64-bench:exits:%d" % MANY_CALLS, 1, "")
CONCURRENT = ("pal64-bench:concurrent:%d" % CONCURRENT_CALLS, 4, "log=warn")

SOURCES = (".c", ".h", ".S")
TCB = ("libbase", "libept", "libvmx", "libsmp", "libtv", "platform/include", "platform/x86_64",
       "apps/common", "apps/" + APP)


def cost_figures(report, console):
    costs = medians(console)
    for figure, name in (("cpuid_exit", "cpuid"), ("test", "test"), ("call_1int", "call_1int"),
                         ("call_int_ptr4", "call_int_ptr4"), ("call_10int", "call_10int")):
        report.figure("pal." + figure, costs[name], "ticks")
    report.figure("pal.call32_1int", medians(console, 32)["call_1int"], "ticks")
    for size in (4, 64):
        copying = costs["ptr%dk" % size] - costs["call_1int"]
        report.figure("pal.ptr_%dk_per_byte" % size, copying / costs["memcpy%dk" % size], "ratio")
    for width in (64, 32):
        for name, (median, least) in sorted(values(console, width).items()):
            report.note("%2d bits, %-14s median %8d, least %8d ticks"
                        % (width, name, median, least))


def registration_figures(report, costs, summary):
    """Without the log: the whole cost. From the summary: what measuring and wiping are of it."""
    ticks = medians(costs)
    measuring, measured, wiping, wiped = numbers(
        summary, r"^nacre: summary: PALs .*\bmeasuring=(\d+)/(\d+) wiping=(\d+)/(\d+)")
    report.note("%d registrations measured in %d ticks, %d wiped in %d"
                % (measured, measuring, wiped, wiping))
    report.figure("pal.reg", ticks["reg"] - round(measuring / measured), "ticks")
    report.figure("pal.reg_measured", ticks["reg"], "ticks")
    report.figure("pal.unreg", ticks["unreg"] - round(wiping / wiped), "ticks")
    report.figure("pal.unreg_wiped", ticks["unreg"], "ticks")


def exit_figures(report, few, many):
    exits = [numbers(console, r"^nacre: summary: exits total=(\d+)$")[0] for console in (few, many)]
    report.figure("pal.exits_per_call", (exits[1] - exits[0]) / (MANY_CALLS - FEW_CALLS), "exits")


def concurrent_figures(report, console):
    found = values(console)
    speed = {cpus: found["concurrent_%d" % cpus][1] / found["concurrent_%d" % cpus][0]
             for cpus in (1, 2, 4)}
    for cpus in (2, 4):
        report.figure("pal.concurrent.%dcpu" % cpus, speed[cpus] / speed[1], "ratio")


def code_lines(path):
    """Lines that are neither empty nor only comment."""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = re.sub(r"/\*.*?\*/", lambda found: "\n" * found.group().count("\n"), file.read(),
                      flags=re.DOTALL)
    return sum(1 for line in text.splitlines()
               if line.strip() and not line.strip().startswith("//"))


def folder_lines(folder):
    if shutil.which("cloc"):
        counted = json.loads(run(["cloc", "--quiet", "--json", folder], cwd=ROOT) or "{}")
        return counted.get("SUM", {}).get("code", 0)
    return sum(code_lines(os.path.join(parent, name))
               for parent, _, names in os.walk(os.path.join(ROOT, folder))
               for name in names if name.endswith(SOURCES))


def tcb_figures(report):
    counts = {folder: folder_lines(folder) for folder in TCB}
    for folder, count in counts.items():
        report.figure("tcb." + folder.replace("/", "."), count, "lines")
    report.figure("tcb.total", sum(counts.values()), "lines")
    report.note("third-party code that the image links is not in these counts")


def measure(report):
    tcb_figures(report)
    done = all_boots([CONCURRENT, COSTS, REGISTRATIONS, FEW, MANY])
    cost_figures(report, done[COSTS])
    registration_figures(report, done[COSTS], done[REGISTRATIONS])
    exit_figures(report, done[FEW], done[MANY])
    concurrent_figures(report, done[CONCURRENT])
