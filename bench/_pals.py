"""What benchmarks of PALs share: boots in which guests/linux/pal measures, and its lines."""
import concurrent.futures
import os
import re

import guest
from bochs import Bochs
from common import build_image
from emulator import Stuck, kill_all

SECONDS = 900
MODEL = "corei7_sandy_bridge_2600k"
APP = os.environ.get("NACRE_BENCH_APP", "trustvisor")
LINE = r"^NACRE-GUEST: bench (\w+) \w+=(\d+) \w+=(\d+) width=(\d+)$"


def boot(image, work, cpus, options, modules=(), model=MODEL):
    """Boots once to the power-off; returns the console."""
    payload = guest.payload(work=work, options=options, image=image)
    payload.modules += modules
    with Bochs("bench-pal-%d" % cpus, payload, cpus=cpus, model=model) as machine:
        machine.wait(r"^NACRE-GUEST: poweroff$", SECONDS)
        machine.wait_end(60)
        failed = re.search(r"^NACRE-GUEST: pal-\w+ (failed|skipped).*", machine.serial,
                           re.MULTILINE)
        if failed:
            raise Stuck(machine.report(failed.group()))
        return machine.serial


def all_boots(jobs):
    """{job: console}; a job is what boot() takes after the image."""
    image = build_image(APP)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            return dict(zip(jobs, pool.map(lambda job: boot(image, *job), jobs)))
        except BaseException:
            kill_all()
            raise


def values(console, width=64):
    """{operation: (first, second) number of its line}"""
    return {name: (int(first), int(second))
            for name, first, second, of in re.findall(LINE, console, re.MULTILINE)
            if int(of) == width}


def numbers(console, pattern):
    match = re.search(pattern, console, re.MULTILINE)
    if not match:
        raise Stuck("Nacre's summary has no line /%s/" % pattern)
    return [int(number) for number in match.groups()]


def medians(console, width=64):
    """{operation: median ticks, without what an empty measurement shows}"""
    found = {name: first for name, (first, _) in values(console, width).items()}
    if "empty" not in found:
        raise Stuck("the guest measured nothing")
    return {name: value - found["empty"] for name, value in found.items()}
