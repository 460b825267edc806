"""What Nacre costs while Linux boots, and what it occupies.

Boots Debian's amd64 kernel with and without Nacre in the same Bochs machine from the same kind of
ISO. Figures: ticks (instructions of CPU 0) from power-on to the guest's first process, as a ratio;
VM exits from there to power-off, by reason; bytes of the image and of the memory it keeps.
"""
import concurrent.futures
import os
import re
import statistics

import guest
from bochs import Bochs
from common import build_image
from emulator import Stuck, kill_all

SECONDS = 600
# One CPU repeats exactly. With two, a word more on the command line shifts every interleaving.
TWO_CPU_RUNS = 5
APP = os.environ.get("NACRE_BENCH_APP", "trustvisor")


def boot(image, cpus, run):
    """Boots once to the power-off. Returns (ticks at the guest's first process, console)."""
    payload = guest.payload(extra="nacre.run=%d" % run, bare=image is None, image=image)
    name = "bench-%s-%d" % ("nacre" if image else "bare", cpus)
    with Bochs(name, payload, cpus=cpus) as machine:
        up = machine.wait(r"^NACRE-GUEST: up .* cpus=%d .*tsc=(\d+) " % cpus, SECONDS)
        machine.wait_end(SECONDS)
        ticks = int(up.group(1))
        if not 0 < ticks <= machine.ticks():
            raise Stuck(machine.report("the guest's TSC is not the machine's tick count"))
        return ticks, machine.serial


def number(console, pattern):
    match = re.search(pattern, console, re.MULTILINE)
    if not match:
        raise Stuck("Nacre's summary has no line /%s/" % pattern)
    return int(match.group(1))


def summary_figures(report, console):
    report.figure("boot.exits", number(console, r"^nacre: summary: exits total=(\d+)$"), "exits")
    memory = r"^nacre: summary: memory .*\b%s=(\d+)"
    for figure, field in (("image.text_bytes", "text_bytes"), ("image.data_bytes", "data_bytes"),
                          ("image.resident_bytes", "resident_bytes")):
        report.figure(figure, number(console, memory % field), "bytes")
    report.note("VM exits with one CPU, from power-on to power-off:")
    for count, reason in re.findall(r"^nacre: summary: exit (\d+) (.*)$", console, re.MULTILINE):
        report.note("%10s  %s" % (count, reason))


def measure(report):
    image = build_image(APP)
    jobs = [(medium, cpus, run) for cpus, runs in ((2, TWO_CPU_RUNS), (1, 1))
            for run in range(runs) for medium in (None, image)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            done = {job: run for job, run in zip(jobs, pool.map(lambda job: boot(*job), jobs))}
        except BaseException:
            kill_all()
            raise
    for cpus in (1, 2):
        ticks = {medium: [result[0] for (of, count, _), result in done.items()
                          if of == medium and count == cpus] for medium in (None, image)}
        bare, nacre = (statistics.median(ticks[medium]) for medium in (None, image))
        report.figure("boot.ratio.%dcpu" % cpus, nacre / bare, "ratio")
        report.note("%d CPUs: %d ticks bare, %d under Nacre; all runs: %s and %s"
                    % (cpus, bare, nacre, ticks[None], ticks[image]))
    summary_figures(report, done[image, 1, 0][1])
