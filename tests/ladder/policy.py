"""Rung 2: what policy checkers find, but for the exceptions that stand here with reasons."""

import json

from ladder import templates, tools
from ladder.rungs import Findings

#: Checks of checkov that are left out, with the reason.
EXCEPTIONS = {
    "CKV_K8S_11": "no CPU limit: a throttled gateway misses its pings, and its clients leave",
    "CKV_K8S_15": "images have versions that never change: a node need not ask for them again",
    "CKV_K8S_43": "an operator pins images by digest in image.tag, or by an admission policy",
    "CKV_K8S_21": "the brokers' chart leaves the namespace to the release",
    "CKV2_K8S_6": "the shapes for one's own machine have no policies: nothing there enforces them",
}
MOST_EXCEPTIONS = 5


def check() -> Findings:
    """Ask checkov about the rendered shapes and the Dockerfile, and hadolint about the latter."""
    found = Findings()
    found.count("exceptions", len(EXCEPTIONS))
    if len(EXCEPTIONS) > MOST_EXCEPTIONS:
        found.faults.append(f"{len(EXCEPTIONS)} exceptions are more than {MOST_EXCEPTIONS}")
    dockerfile = tools.ROOT / "deploy" / "images" / "Dockerfile"
    shapes = [str(path) for path in sorted(templates.RENDERED.glob("*.yaml"))]
    for framework, files in (("kubernetes", shapes), ("dockerfile", [str(dockerfile)])):
        _, said = tools.output(
            "checkov",
            *("-f", *files, "--framework", framework, "--compact", "--quiet", "--output", "json"),
            *("--skip-check", ",".join(EXCEPTIONS)),
        )
        reports = json.loads(said)
        for report in reports if isinstance(reports, list) else [reports]:
            if "results" not in report:
                # Nothing failed: what it prints then is the summary alone.
                found.count(f"checks of {framework}", report["passed"])
                if report["passed"] == 0:
                    found.faults.append(f"nothing of {framework} was checked")
                continue
            found.count(f"checks of {framework}", report["summary"]["passed"])
            found.faults += [
                f"{check['check_id']} {check['resource']}: {check['check_name']}"
                for check in report["results"]["failed_checks"]
            ]
    status, said = tools.output("hadolint", dockerfile)
    found.count("Dockerfile")
    if status:
        found.faults += said.splitlines()
    return found
