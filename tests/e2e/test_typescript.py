"""Every program in `typescript.txt` compiles under `strict` after its secret is moved, and Node prints the same as before."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from support.bed import missing, need_bed
from support.marked import JOINT, applied, plan_marked, value_of

_PROGRAM = re.compile(r"^=== [^\n|]*\| ([\w.]+)\n(.*?\n)(?=\n===|\n*\Z)", re.MULTILINE | re.DOTALL)
_OPTIONS = shlex.split(
    "--strict --module commonjs --moduleResolution node10 --target es2022 --jsx react --jsxFactory h --types node"
    " --experimentalDecorators --useDefineForClassFields false --moduleDetection force"
)


def test_it_compiles_and_prints_the_same(tmp_path: Path) -> None:
    compiler = Path(need_bed().typescript)
    if shutil.which("node") is None:
        missing("there is no Node here")
    marked = (Path(__file__).parent / "typescript.txt").read_text().replace(JOINT, "")
    values: dict[str, str] = {}
    for name, program in _PROGRAM.findall(marked):
        before, made = plan_marked(program, path=name)
        values[name] = value_of(made).decode()
        for folder, text in (("before", before), ("after", applied(before, made))):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / name).write_text(text)
    assert len(values) == len(re.findall(r"^=== ", marked, re.MULTILINE))
    texts = [f"{folder}/{name}" for folder in ("before", "after") for name in values]
    types = ["--typeRoots", str(compiler.parents[2] / "@types")]
    done = subprocess.run(["node", compiler, *_OPTIONS, *types, "--outDir", "out", "--rootDir", ".", *texts], cwd=tmp_path,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout
    for name, value in values.items():
        script = f"{name.partition('.')[0]}.js"
        printed = [
            subprocess.run(["node", f"out/{folder}/{script}"], cwd=tmp_path, env=os.environ | {"NAME": given},
                           capture_output=True, text=True, check=True).stdout
            for folder, given in (("before", ""), ("after", value))
        ]  # fmt: skip
        assert printed[0] == printed[1], name
        assert printed[0]
