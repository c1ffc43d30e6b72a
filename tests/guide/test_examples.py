"""The examples beside the TypeScript client run."""

import re
from pathlib import Path

from client_ts.conftest import CLIENT, Run
from guide.conftest import Reader

EXAMPLES = CLIENT / "examples"


async def test_the_program_of_node_saves_a_piece(
    project: Path, reader: Reader, run_node: Run, tmp_path: Path
) -> None:
    program = project / "compose.ts"
    program.write_text((EXAMPLES / "compose.ts").read_text())
    file = tmp_path / "piece.mid"

    said = await run_node(program, reader.url, reader.universe, file)

    assert re.fullmatch(r".*/piece\.mid: \d+ notes in C major\n", said)
    assert file.read_bytes().startswith(b"MThd")
