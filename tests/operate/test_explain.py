"""From an error's id to its cause, by the logs of real services."""

from harness.operator import harmonic
from harness.world import World


async def explained(world: World, error_id: str, text: str) -> dict[str, object]:
    """What the logs say of an error, once its line is there, with what a tool puts before each."""
    await world.logged(error_id)
    logs = "".join(f"[pod/harmonic] {line}\n" for line in world.logs().splitlines())
    ran = await harmonic(None, "explain", error_id, typed=logs)
    assert ran.status == 0, ran.errors
    assert text in ran.output
    ran = await harmonic(None, "explain", error_id, "--json", typed=logs)
    found: dict[str, object] = ran.json
    return found


async def test_a_refusal_that_is_the_clients_own_fault_is_explained_too(world: World) -> None:
    universe, (ann,) = await world.together(world.name("ann"))
    answer = await ann.asks("update_physics", universeId=universe, parameters={"gravity": 99})
    found = await explained(world, answer["error"]["details"]["errorId"], "INVALID_PARAMETERS\n")
    assert found["code"] == "INVALID_PARAMETERS"
    assert "cause" not in found


async def test_logs_that_say_nothing_of_it_end_with_1() -> None:
    typed = '{"event": "ready"}\nno JSON at all {\n[]\n'
    ran = await harmonic(None, "explain", "unknown", typed=typed)
    assert (ran.status, ran.output) == (1, "")
    assert "say nothing of unknown" in ran.errors
