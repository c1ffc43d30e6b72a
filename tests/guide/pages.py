"""The programs of the guide: the blocks of one language on a page, and what they print."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "shared" / "docs"
#: Languages that run, by the ends of their files.
ENDS = {"ts": "ts", "js": "mjs", "python": "py"}
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """All blocks of a language on a page, in their order, and the output that the page shows."""

    page: str
    language: str
    text: str
    output: str

    @property
    def file(self) -> str:
        """A name for its file."""
        return f"{self.page}.{ENDS[self.language]}"


def blocks(path: Path) -> Sequence[tuple[str, str]]:
    """The fenced blocks of a page: their languages and their texts."""
    return [(match[1], match[2]) for match in _BLOCK.finditer(path.read_text())]


def programs() -> list[Program]:
    """The programs of all pages; a block ``text`` is what the block before it prints."""
    found = []
    for path in sorted(DOCS.glob("*.md")):
        texts: dict[str, str] = {}
        outputs: dict[str, str] = {}
        last = ""
        for language, text in blocks(path):
            if language in ENDS:
                last = language
                texts[language] = texts.get(language, "") + text
            elif language == "text":
                outputs[last] = outputs.get(last, "") + text
        found += [
            Program(path.stem, language, text, outputs.get(language, ""))
            for language, text in texts.items()
        ]
    return found
