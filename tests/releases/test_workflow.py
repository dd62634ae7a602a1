"""The workflow for GitHub runs every part that a change can affect, and its gate lets nothing else pass."""

import itertools
import re
import subprocess

import check
import pytest
from checks.packages import NAMES, ROOT
from ruamel.yaml import YAML

WORKFLOW = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "check.yml")
JOBS = WORKFLOW["jobs"]
RESULTS = ("success", "failure", "cancelled", "skipped")


def matrix(job):
    return JOBS[job]["strategy"]["matrix"]


def test_the_parts_are_those_that_the_plan_tells():
    told = JOBS["plan"]["outputs"]
    assert told == {name: f"${{{{ steps.affected.outputs.{name} }}}}" for name in ("packages", "others")}
    assert 'check.py --changed "$BASE"' in JOBS["plan"]["steps"][-1]["run"]
    assert matrix("package")["package"] == "${{ fromJSON(needs.plan.outputs.packages) }}"
    assert matrix("other")["part"] == "${{ fromJSON(needs.plan.outputs.others) }}"
    assert set(NAMES) < set(check.commands())


@pytest.mark.parametrize("job", ["package", "other"])
def test_each_part_runs_on_both_versions_of_python(job):
    assert matrix(job)["python"] == ["3.11", "3.12"]
    assert JOBS[job]["steps"][-1]["run"].endswith('check.py "$PART"')
    assert set(matrix(job)) - {"python"} <= set(
        re.findall(r"matrix\.(\w+)", str(JOBS[job]["steps"][-1]["env"]))
    )


def test_every_action_is_pinned_by_version():
    used = [step["uses"] for job in JOBS.values() for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+\.\d+\.\d+", action) for action in used)


def gate(plan, package, other, packages):
    """Whether the gate's own script passes."""
    (step,) = JOBS["gate"]["steps"]
    values = {"PLAN": plan, "PACKAGE": package, "OTHER": other, "PACKAGES": packages}
    assert set(values) == set(JOBS["gate"]["env"])
    done = subprocess.run(("bash", "-e", "-c", step["run"]), env=values, capture_output=True)
    return done.returncode == 0


def test_the_gate_waits_for_all_and_always_tells():
    assert set(JOBS["gate"]["needs"]) == set(JOBS) - {"gate"}
    assert JOBS["gate"]["if"] == "always()"
    assert all(f"needs.{job}.result" in str(JOBS["gate"]["env"]) for job in JOBS["gate"]["needs"])


def test_the_gate_passes_only_what_is_green_or_rightly_left_out():
    passed = {
        (*results, packages)
        for *results, packages in itertools.product(RESULTS, RESULTS, RESULTS, ("[]", '["imaging"]'))
        if gate(*results, packages)
    }
    assert passed == {
        ("success", "success", "success", '["imaging"]'),
        ("success", "success", "success", "[]"),
        ("success", "skipped", "success", "[]"),
    }
