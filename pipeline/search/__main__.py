"""The search of settings: `python -m pipeline.search KIND`, for each contestant of the kind as many trials.

Trials are units of work, made beside each other as `pipeline.launch` makes them, on every core, GPU or node of Ray, or
elsewhere by file (--pack here, `python -m pipeline.launch --work` there, `--adopt` here); what is made is found made by
the same command. Trials come first, then a final of two of each contestant. It leaves all in reports/scores/search, the
settings found in benchmarks/found.yaml, and a page.

No stage of DVC: what a search finds is a parameter, on which all stages depend, and which should change when somebody
asks for it.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline import params
from pipeline.launch import on_ray, summary
from pipeline.search import page, record, trials, whose
from pipeline.search.spaces import FOUND
from pipeline.search.study import Contestant, Study, Trial
from pipeline.stage import Parser, run_stage
from pipeline.work import plan
from pipeline.work.devices import cores, whole_number
from pipeline.work.display import Display
from pipeline.work.units import Record, Unit
from pipeline.work.workers import run_units

Keep = Callable[[Study, Mapping[Unit, Trial], Mapping[Unit, Record]], object]


def main() -> None:
    arguments = parse()
    params.known(arguments.kind, list(params.load().board.kinds), "KIND", "kind")
    only = [name.strip() for name in arguments.only.split(",")] if arguments.only else []
    if arguments.settings:
        print("\n".join(whose.lines(arguments.kind, only)))
        return
    study = Study(arguments.kind, arguments.trials, only, anew=arguments.anew)
    if arguments.page:
        print(page.write(study))
    elif arguments.dry_run:
        print("\n".join(told(study, arguments.finals)))
    else:
        search(study, arguments)


def parse() -> argparse.Namespace:
    parser = Parser(prog="python -m pipeline.search", description="Search the settings of a kind's contestants.")
    parser.add_argument(
        "kind", metavar="KIND", help="such as toys or images: those with a rule in benchmarks/search.yaml"
    )
    parser.add_argument("--trials", metavar="N", help="of each contestant; default: as benchmarks/search.yaml says")
    parser.add_argument("--only", metavar="MODEL,...", help="contestants; the others keep what is on record")
    parser.add_argument("--jobs", metavar="N", help="how many at a time; default: one a core, or what GPUs hold")
    parser.add_argument("--finals", action="store_true", help="only the finals, of the trials that are on record")
    again = "begin with what was found, and not with the settings that the search on record began with"
    parser.add_argument("--anew", action="store_true", help=again)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--dry-run", action="store_true", help="run nothing; say what is searched and how long it takes")
    owners = "run nothing; say of each setting whose it is: paper, house (this project's) or search"
    where.add_argument("--settings", action="store_true", help=owners)
    where.add_argument("--ray", metavar="ADDRESS", help="on a Ray cluster: HOST:PORT of its head, or auto")
    where.add_argument("--pack", type=Path, metavar="FILE", help="only write what trials need into FILE (.tar.gz)")
    where.add_argument("--page", action="store_true", help="only render the page of what is on record")
    arguments = parser.parse_args()
    for name, least in (("trials", 2), ("jobs", 1)):
        given = getattr(arguments, name)
        if given is not None:
            setattr(arguments, name, counted(given, f"--{name}", least))
    return arguments


def counted(text: str, name: str, least: int) -> int:
    if (number := whole_number(text, name)) < least:
        raise ValueError(
            f"{name} {text}: the paper's settings and the present ones are two already; give {least} or more"
        )
    return number


def search(study: Study, arguments: argparse.Namespace) -> None:
    """Make the trials and the finals that are not made, write down what they found, and draw it."""
    record.kept(study)  # says now, and not after hours, if it cannot
    plan.provide([params.load().benchmark(name) for name in study.rule.benchmarks])
    if arguments.finals or made(study, trials.units(study), record.write, arguments, "the finals follow"):
        finals = trials.finals(study, record.recorded(study)["contestants"])
        made(study, finals, record.write_finals, arguments, f"what is found is in {FOUND}")


def made(study: Study, tried: Mapping[Unit, Trial], keep: Keep, arguments: argparse.Namespace, then: str) -> bool:
    """Make the units, here or on Ray, and keep what they found; False: they are packed for another machine."""
    cost = trials.cost(tried)
    units = sorted(tried, key=lambda unit: -cost[unit])
    if arguments.pack and (missing := [unit for unit in units if unit.record() is None]):
        from pipeline.work import package

        package.pack(missing, arguments.pack)
        print(f"{arguments.pack}: there, `python -m pipeline.launch --work {arguments.pack.name}`")
        return False
    display, began = Display(f"search {study.kind}", units, cost), time.monotonic()
    if arguments.ray:
        outcome = on_ray(units, arguments.ray, arguments.jobs, display)
    else:
        outcome = run_units(units, display, jobs=arguments.jobs, keep_on=True)
    keep(study, tried, outcome.records)
    print(page.write(study), flush=True)
    summary(units, outcome, time.monotonic() - began, then)
    return True


def told(study: Study, finals: bool) -> list[str]:
    """What would be searched, and what that costs by the seconds on record."""
    tried = {} if finals else trials.units(study)
    tried |= trials.at_length(study, ((each, each.trials(2)) for each in study.varied))  # whoever meets costs the same
    cost = trials.cost(tried)
    each: dict[str, float] = {}
    for unit, trial in tried.items():
        each[trial.contestant] = each.get(trial.contestant, 0.0) + cost[unit]
    lines = [line for contestant in study.varied for line in ranges(contestant, each[contestant.name])]
    lines += [f"{other.name}: not searched: {other.why_not}" for other in study.contestants if other.why_not]
    return [*lines, "", *estimate(study, len(tried), each)]


def ranges(contestant: Contestant, seconds: float) -> list[str]:
    """A line for each number that is searched: its range, the paper's value, and that of before."""
    before, paper, line = contestant.before, contestant.paper, f"{contestant.name} ({seconds:.0f} s)"
    return [
        f"{line}: {name} in [{each.low:.3g}, {each.high:.3g}], paper {paper[name]:g}, before {before[name]:g}"
        for name, each in contestant.ranges.items()
    ]


def estimate(study: Study, units: int, each: Mapping[str, float]) -> list[str]:
    total, most = sum(each.values()), sorted(each.items(), key=lambda item: -item[1])[:5]
    longest = ", ".join(f"{name} {share / 60:.0f} min" for name, share in most)
    spread = ", ".join(f"{count} in {total / count / 3600:.1f} h" for count in dict.fromkeys((1, 2, 16, cores())))
    where = " and ".join(study.rule.benchmarks)
    return [
        f"{study.kind}: {len(study.varied)} contestants, {study.trials} trials each on {where}, "
        f"1/{study.shorter} of the steps, lowest {study.column.label} on validation; then finals of two, "
        f"{study.finals} seeds each, all steps; {units} units",
        f"by the seconds on record {total / 60:.0f} minutes of one core; cores: {spread}",
        f"longest: {longest}",
    ]


if __name__ == "__main__":
    run_stage(main)
