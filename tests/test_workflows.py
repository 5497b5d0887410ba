"""The workflows run only what somebody has looked at, and may do only what they say."""

import re
from pathlib import Path

import pytest

WORKFLOWS = sorted((Path(__file__).parents[1] / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned(workflow: Path) -> None:
    """By commit, since a tag can be moved; beside it stands the version that the commit is."""
    uses = re.findall(r"^[ -]*uses: (.+)$", workflow.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(uses) >= 2
    assert [each for each in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_jobs_say_what_they_may_do(workflow: Path) -> None:
    """The workflow itself may nothing, and each job names its own permissions."""
    text = workflow.read_text(encoding="utf-8")
    assert re.findall(r"^permissions:.*$", text, re.MULTILINE) == ["permissions: {}"]
    jobs = re.split(r"^  (?=\w+:)", text.partition("\njobs:\n")[2], flags=re.MULTILINE)[1:]
    assert len(jobs) >= 2
    assert [job.partition(":")[0] for job in jobs if "\n    permissions:\n" not in job] == []


def test_who_may_publish() -> None:
    """Only jobs that run nothing of ours, nor of our dependencies, may sign as the workflow."""
    [release] = [path for path in WORKFLOWS if path.name == "release.yml"]
    jobs = re.split(r"^  (?=\w+:)", release.read_text(encoding="utf-8"), flags=re.MULTILINE)
    trusted = {job.partition(":")[0]: job for job in jobs if "id-token: write" in job}
    assert trusted.keys() == {"attest", "publish"}
    assert [name for name, job in trusted.items() if re.search(r"^ *-? *run:", job, re.MULTILINE)] == []
