#!/usr/bin/python3
"""./nacre bench NAME [--json]: runs a benchmark of bench/, or says which there are.

With --json every figure is one line {"figure": NAME, "value": N, "unit": U} on standard output;
without, a table. What else a benchmark has to say goes to standard error.
A benchmark is a file bench/NAME.py with a function measure(report): it calls
report.figure(name, value, unit) and report.note(text). What several share is in bench/_NAME.py.
"""
import importlib.util
import json
import os
import sys

from common import ROOT, Failure, Parser, main
from emulator import Stuck

BENCH = os.path.join(ROOT, "bench")


class Report:
    """Where a benchmark puts its figures."""

    def __init__(self, as_json):
        self.as_json = as_json

    def figure(self, name, value, unit):
        if self.as_json:
            print(json.dumps({"figure": name, "value": value, "unit": unit}), flush=True)
        else:
            shown = "%.4f" % value if isinstance(value, float) else "%d" % value
            print("%-32s %16s %s" % (name, shown, unit), flush=True)

    def note(self, text):
        print(text, file=sys.stderr, flush=True)


def names():
    return sorted(name[:-3] for name in os.listdir(BENCH)
                  if name.endswith(".py") and not name.startswith("_"))


def command(arguments):
    parser = Parser(prog="nacre bench", description="Measure.")
    parser.add_argument("name", choices=names())
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    sys.path.insert(0, BENCH)
    spec = importlib.util.spec_from_file_location(
        "bench_" + options.name, os.path.join(BENCH, options.name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        module.measure(Report(options.json))
    except Stuck as stuck:
        raise Failure(str(stuck))
    return 0


if __name__ == "__main__":
    main(command)
