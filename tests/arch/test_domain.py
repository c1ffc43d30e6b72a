"""What an import contract cannot see of the domain's purity."""

import ast
from pathlib import Path

DOMAIN = Path(__file__).parents[2] / "state-service/harmonic_state/domain"


def test_the_domain_asks_for_no_present_time() -> None:
    asked = [
        f"{path.name}:{node.lineno}"
        for path in DOMAIN.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
    ]
    assert asked == []
