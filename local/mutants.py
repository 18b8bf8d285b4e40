"""Breaks the code in small ways, one at a time, and prints what no test has noticed: `make mutants`.

It works on a copy that is gone afterwards, whatever happens.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from deploy.stages import PROJECT

CODE, TESTS = "chalicelib/domain", "tests/domain"
# Lines whose mutants are noise: sentences for people, and the refusals that they are in.
MESSAGES = (r"raise \w+", r"^\s*f?\"[^\"]* [^\"]*\"")
# It counts steps, and what mutmut puts around each function is some.
UNFIT_TEST = "tests/domain/guard/test_policy.py::test_a_map_of_many_scopes_and_routes_is_judged_in_bounded_work"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and prints the survivors; a run that fails exits with what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m local.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=60, help="how many mutants are tried")
    parser.add_argument("--seed", type=int, default=1, help="which ones: the same number chooses the same")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    print(run(PROJECT, sample=options.sample, seed=options.seed, workers=options.workers))


def _stop(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def run(project: Path, *, sample: int, seed: int, workers: int = 2) -> str:
    """Tries a sample of the mutants in a copy of the project: how many were killed, and each survivor as a diff."""
    with temporary_copy(project) as copy:
        _configure(copy)
        every = _every(copy)
        names = sampled(every, sample=sample, seed=seed)
        print(f"{len(names)} of {len(every)} mutants of {CODE}, seed {seed}", flush=True)
        output = _mutmut(copy, "run", "--max-children", str(workers), *names)
        statuses = {name: status for name, status in _statuses(copy).items() if name in names}
        if set(statuses.values()) <= {"not checked"}:
            raise SystemExit(output[-4000:])
        diffs = _diffs(copy, [name for name, status in statuses.items() if status == "survived"])
    counts = ", ".join(f"{count} {status}" for status, count in Counter(statuses.values()).most_common())
    return "\n\n".join([*diffs, counts])


@contextmanager
def temporary_copy(project: Path) -> Iterator[Path]:
    """All files that git knows or would take, as they are now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout
    with TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder, project.name)
        for name in filter(None, files.split("\0")):
            if (project / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(project / name, copy / name)
        (copy / "tmp").mkdir()
        yield copy


def _configure(copy: Path) -> None:
    beside = [entry.name for entry in copy.iterdir() if entry.name not in ("chalicelib", "tests", "tmp")]
    pytest = ["-q", "-p", "no:cacheprovider", "--hypothesis-profile=fast", "--hypothesis-seed=0", "-m", "not slow"]
    settings = {
        "source_paths": ["chalicelib"],
        "only_mutate": [f"{CODE}/*"],
        "also_copy": sorted(beside),
        "do_not_mutate_patterns": list(MESSAGES),
        "pytest_add_cli_args": [*pytest, f"--deselect={UNFIT_TEST}"],
        "pytest_add_cli_args_test_selection": [TESTS],
    }
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    with (copy / "pyproject.toml").open("a") as file:
        file.write(f"\n[tool.mutmut]\nuse_git_change_detection = false\ntrack_dependencies = false\n{lines}")


def sampled(names: Sequence[str], *, sample: int, seed: int) -> list[str]:
    """As many of the names, the same for the same seed."""
    return sorted(random.Random(seed).sample(names, min(sample, len(names))))  # noqa: S311 - nothing secret


def _every(copy: Path) -> list[str]:
    # Here and not above: it reads its configuration from where it is.
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    names = []
    with chdir(copy):
        for path in sorted(Path(CODE).rglob("*.py")):
            mutated = mutate_file_contents(str(path), path.read_text())
            names += [get_mutant_name(path, name) for name in mutated.mutant_names]
    return names


def _statuses(copy: Path) -> dict[str, str]:
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.file_utils import walk_mutatable_files

    with chdir(copy):
        files = [SourceFileMutationData(path=path) for path in walk_mutatable_files()]
        for file in files:
            file.load()
    return {name: status_by_exit_code[code] for file in files for name, code in file.exit_code_by_key.items()}


def _diffs(copy: Path, survivors: Sequence[str]) -> list[str]:
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    with chdir(copy):
        return [f"# {name}: survived\n{get_diff_for_mutant(name)}" for name in survivors]


def _mutmut(copy: Path, *arguments: str) -> str:
    command = [str(Path(sys.executable).parent / "mutmut"), *arguments]
    environment = {**os.environ, "TMPDIR": str(copy / "tmp")}
    # A session of its own, so that what it has forked ends with it.
    process = subprocess.Popen(
        command,
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate()
    finally:
        _end(process)
    return output


def _end(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


if __name__ == "__main__":
    main()
