"""Scores our engine, and other scanners that are installed, on labelled sets and on clean trees, and prints one table.

    python tests/bench/accuracy.py DIR [--tools A,B] [--peer NAME=COMMAND]… [--misses N] [--json]
    python tests/bench/accuracy.py [DIR] --clean TREE…

DIR holds sets, packed (`SET.jsonl.gz`: one file a line, `{file, text, labels}`) or unpacked (`SET/` or `data/SET/` with
`corpus/` and `labels.jsonl`). A label is `{line, end_line, value, label: POS|NEG|X, kind}`, in `labels.jsonl` with its
`file`. Every scanner runs offline on the same files with nothing suppressed; `matching.py` says when a finding counts. A scanner that
is not installed is named as missing and not counted. In a set that is named after a scanner, that scanner looks at its own
examples: it is marked, and left out of totals and pairs. No value is ever printed beyond its first characters.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import shlex
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `bench`, as a program too

from bench.matching import Found, Label, Score, best_pair, score
from bench.peers import NAMES, OURS, Run, Scanner, ScannerProblem, locate

SHOWN = 6
"""Characters of a value that a list of misses shows at most."""
LARGEST, LOOK_FOR_NUL = 10 * 1024 * 1024, 8192
"""What counts as a text file in a clean tree, in bytes."""
LOUD = ("error", "warning")
OURS_LOUD = f"{OURS}, {' and '.join(LOUD)}"
"""Ours once more by what fails a scan: in a clean tree, the place of a finding counts."""
OURS_SURE = f"{OURS}, medium confidence and above"
"""Ours once more without what it is unsure of: the files of a set stand for any place, so severity says nothing there."""


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """A corpus and what is said of it."""

    name: str
    corpus: Path
    labels: tuple[Label, ...]


@dataclass(slots=True)
class Judged:
    """One set and how every scanner did on it."""

    set: LabelledSet
    scores: dict[str, Score] = field(default_factory=dict[str, Score])
    runs: dict[str, Run] = field(default_factory=dict[str, Run])

    def peers(self) -> dict[str, Score]:
        """Return the scores of the others, without one that made the set."""
        return {name: score for name, score in self.scores.items() if name not in {OURS, OURS_SURE, self.set.name}}


# -- the sets ----------------------------------------------------------------------------------------------------------


def sets_in(folder: Path, scratch: Path) -> Iterator[LabelledSet]:
    """Yield the sets of a folder by name; packed ones are unpacked below `scratch`. Raises ValueError for a bad one."""
    places = {path.parent.name: path.parent for path in folder.glob("*/labels.jsonl")}
    places |= {path.parent.name: path.parent for path in folder.glob("data/*/labels.jsonl")}
    if (folder / "labels.jsonl").is_file():
        places[folder.resolve().name] = folder
    for packed in folder.glob("*.jsonl.gz"):
        name = packed.name.removesuffix(".jsonl.gz")
        if name not in places:
            places[name] = scratch / name
            unpack(packed, scratch / name)
    for name, place in sorted(places.items()):
        lines = (place / "labels.jsonl").read_text("utf-8").split("\n")
        yield LabelledSet(name, place / "corpus", tuple(Label.from_json(json.loads(line)) for line in lines if line))


def unpack(packed: Path, folder: Path) -> None:
    """Write a packed set as `corpus/` and `labels.jsonl`. Raises ValueError for a file name that leads out of it."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    with gzip.open(packed, "rt", encoding="utf-8") as lines, (folder / "labels.jsonl").open("w") as labels:
        for line in lines:
            item = json.loads(line)
            path = corpus / item["file"]
            if not path.resolve().is_relative_to(corpus.resolve()):
                raise ValueError(f"{packed.name}: a file name leads out of the set")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(item["text"].encode("utf-8", "surrogateescape"))
            labels.writelines(json.dumps({**label, "file": item["file"]}) + "\n" for label in item["labels"])


def judge(labelled: LabelledSet, scanners: Sequence[Scanner]) -> Judged:
    """Run every scanner on a set and score it; one that fails is said on stderr and left out."""
    judged = Judged(labelled)
    for scanner in scanners:
        try:
            run = scanner.scan(labelled.corpus)
        except ScannerProblem as problem:
            print(f"{labelled.name}: {problem}", file=sys.stderr)
            continue
        judged.runs[scanner.name] = run
        judged.scores[scanner.name] = score(labelled.labels, run.findings)
        if scanner.name == OURS:
            judged.runs[OURS_SURE] = run
            judged.scores[OURS_SURE] = score(labelled.labels, [item for item in run.findings if item.sureness != "low"])
    return judged


# -- the clean trees ---------------------------------------------------------------------------------------------------


def text_files(tree: Path) -> int:
    """Count the files of a tree that are text."""
    return sum(path.is_file() and not path.is_symlink() and _is_text(path) for path in tree.rglob("*"))


def _is_text(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return path.stat().st_size <= LARGEST and b"\0" not in file.read(LOOK_FOR_NUL)
    return False


def alarms(trees: Sequence[Path], scanners: Sequence[Scanner]) -> dict[str, dict[str, Any]]:
    """Return for each scanner its alarms by its own levels over all trees, and seconds."""
    result: dict[str, dict[str, Any]] = {}
    for scanner in scanners:
        levels, wall = Counter[str](), 0.0
        try:
            for tree in trees:
                run = scanner.scan(tree)
                levels.update(found.level or "any" for found in run.findings)
                wall += run.wall
        except ScannerProblem as problem:
            print(f"clean trees: {problem}", file=sys.stderr)
            continue
        result[scanner.name] = {"levels": dict(levels), "alarms": levels.total(), "wall": round(wall, 1)}
    return result


# -- what is printed ---------------------------------------------------------------------------------------------------


def rows(judged: Sequence[Judged]) -> Iterator[list[str]]:
    """Yield the table of all sets: one line a set and scanner, then the totals."""
    yield ["set", "scanner", "recall", "negatives flagged", "X flagged", "precision", "wall s", "RSS MiB"]
    for one in judged:
        for name, result in one.scores.items():
            run, own = one.runs[name], " (its own)" if name == one.set.name else ""
            yield [one.set.name, name + own, *_figures(result), f"{run.wall:.2f}", str(run.rss)]
        if (pair := best_pair(one.peers())) is not None:
            yield [one.set.name, "best pair: " + " + ".join(pair[0]), *_figures(pair[1]), "", ""]
    if len(judged) > 1:
        for name, result in totals(judged).items():
            yield ["all", name, *_figures(result), "", ""]


def totals(judged: Sequence[Judged]) -> dict[str, Score]:
    """Return each scanner's score over all sets but its own, and that of the best pair of peers, set by set."""
    total: dict[str, Score] = defaultdict(Score)
    for one in judged:
        for name, result in one.scores.items():
            if name != one.set.name:
                total[name].add(result)
        if (pair := best_pair(one.peers())) is not None:
            total["best pair, set by set"].add(pair[1])
    return dict(total)


def _figures(result: Score) -> list[str]:
    return [
        f"{sum(result.hit)}/{len(result.hit)} = {result.recall:.1%}",
        f"{sum(result.flagged)}/{len(result.flagged)}" + _share(result.flagged),
        f"{sum(result.arguable)}/{len(result.arguable)}",
        f"{result.precision:.1%}",
    ]


def _share(flags: Sequence[bool]) -> str:
    return f" = {sum(flags) / len(flags):.1%}" if flags else ""


def table(lines: Sequence[Sequence[str]]) -> str:
    """Return lines as a Markdown table; the first holds the heads."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    return "\n".join([drawn[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *drawn[1:]])


def misses(one: Judged, count: int) -> Iterator[str]:
    """Yield what we miss in a set, the worst kinds first, and which negatives we flag; values are cut."""
    result = one.scores[OURS]
    all_of = Counter(label.kind for label in result.positives)
    missed: dict[str, list[Label]] = defaultdict(list)
    for label, hit in zip(result.positives, result.hit, strict=True):
        if not hit:
            missed[label.kind].append(label)
    yield f"{one.set.name}: {sum(map(len, missed.values()))} missed"
    for kind, labels in sorted(missed.items(), key=lambda item: -len(item[1]))[:count]:
        shown = ", ".join(f"{label.file}:{label.line} {cut(label.value)}" for label in labels[:3])
        yield f"  {len(labels):4} of {all_of[kind]:4} {kind}: {shown}"
    wrong = [label for label, said in zip(result.negatives, result.flagged, strict=True) if said]
    yield f"{one.set.name}: {len(wrong)} negatives flagged"
    by_file: dict[str, list[Found]] = defaultdict(list)
    for found in one.runs[OURS].findings:
        by_file[found.file].append(found)
    for label in wrong[:count]:
        rules = ", ".join(sorted({f"{found.rule} ({found.level})" for found in by_file[label.file]}))
        yield f"       {label.kind}: {label.file}:{label.line} {rules}"


def cut(value: str) -> str:
    """Return the first characters of a value, at most half of it."""
    return value[: min(SHOWN, len(value) // 2)].replace("\n", " ") + "…"


def as_json(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return the table for machines."""
    result: list[dict[str, Any]] = []
    for one in judged:
        pair = best_pair(one.peers())
        scanners = {
            name: {**_counts(result), "wall": round(one.runs[name].wall, 3), "rss_mib": one.runs[name].rss}
            for name, result in one.scores.items()
        }
        best = {"scanners": list(pair[0]), **_counts(pair[1])} if pair else None
        result.append({"set": one.set.name, "scanners": scanners, "best_pair": best})
    return result


def _counts(result: Score) -> dict[str, int]:
    return {
        "positives": len(result.hit), "found": sum(result.hit), "negatives": len(result.flagged),
        "flagged": sum(result.flagged), "x": len(result.arguable), "x_flagged": sum(result.arguable),
    }  # fmt: skip


def clean_rows(counted: Mapping[str, Mapping[str, Any]], files: int) -> Iterator[list[str]]:
    """Yield the table of the clean trees; ours once more as people see it by default."""
    yield ["scanner", "alarms", "per 10,000 files", "by its own levels, per 10,000", "wall s"]
    for name, counts in counted.items():
        levels: Mapping[str, int] = counts["levels"]
        parts = ", ".join(f"{level} {_per(number, files)}" for level, number in sorted(levels.items()))
        yield [name, str(counts["alarms"]), _per(counts["alarms"], files), parts, str(counts["wall"])]
        if name == OURS:
            loud = sum(levels.get(level, 0) for level in LOUD)
            yield [OURS_LOUD, str(loud), _per(loud, files), "", ""]


def _per(number: int, files: int) -> str:
    return f"{10_000 * number / files:.1f}" if files else "-"


# -- the program -------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program; return the exit code: 0 whatever the figures are, 2 for a wrong call."""
    parser = argparse.ArgumentParser(description="Score scanners on labelled sets and on clean trees.")
    parser.add_argument("dir", nargs="?", type=Path, help="the folder of sets")
    parser.add_argument("--tools", default=",".join(NAMES), help="which to run (default: %(default)s)")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND", help="how one is started")
    parser.add_argument("--clean", nargs="+", type=Path, default=[], metavar="TREE", help="trees without secrets")
    parser.add_argument("--misses", type=int, default=0, metavar="N", help="list N kinds that we miss, by set")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args(arguments)
    if options.dir is None and not options.clean:
        parser.error("give a folder of sets, or --clean with trees")
    commands = {
        name: tuple(shlex.split(command)) for name, _, command in (peer.partition("=") for peer in options.peer)
    }
    tools = options.tools.split(",")
    if unknown := {*tools, *commands} - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}. Known: {', '.join(NAMES)}")
    if absent := [str(path) for path in (options.dir, *options.clean) if path is not None and not path.is_dir()]:
        parser.error(f"no such folder: {', '.join(absent)}")
    found = {name: locate(name, commands.get(name, ())) for name in tools}
    scanners = [scanner for scanner in found.values() if scanner is not None]
    missing = [name for name, scanner in found.items() if scanner is None]

    judged: list[Judged] = []
    if options.dir is not None:
        with tempfile.TemporaryDirectory(prefix="sets.") as scratch:
            judged = [judge(labelled, scanners) for labelled in sets_in(options.dir, Path(scratch))]
        if not judged:
            parser.error(f"no sets in {options.dir}")
    counted = alarms(options.clean, scanners)
    files = sum(text_files(tree) for tree in options.clean)
    versions = {scanner.name: scanner.version() for scanner in scanners}
    day = datetime.now(UTC).date().isoformat()
    if options.json:
        clean = {"files": files, "scanners": counted} if options.clean else None
        print(
            json.dumps({"date": day, "versions": versions, "missing": missing, "sets": as_json(judged), "clean": clean})
        )
        return 0
    print(f"{day}: " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    if missing:
        print(f"missing, not counted: {', '.join(missing)}")
    if judged:
        print("\n" + table(list(rows(judged))))
    if options.clean:
        print(f"\nclean trees: {len(options.clean)}, {files} text files\n\n" + table(list(clean_rows(counted, files))))
    if options.misses and OURS in found:
        for one in judged:
            if OURS in one.scores:
                print("\n" + "\n".join(misses(one, options.misses)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
