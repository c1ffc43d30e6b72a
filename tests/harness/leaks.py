"""Finding secrets where none may be: in what the product's processes write and tell of themselves.

Every token that is signed in this test run is known here, good or forged, and the folder of every
product that was started. Once all tests are over, the one is looked for in the other.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import psutil

from harmonic_local.stack import Stack

#: A token, whoever made it.
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]*")
#: An Engine.IO session's id, with which anybody could speak for its client.
_SID = re.compile(r"\bg\d+\.[A-Za-z0-9_-]{20,}")
_WORD = re.compile(r"[A-Za-z0-9_-]{20,}")
_TRACES_TIMEOUT_S = 5.0

_tokens: set[str] = set()
_secrets: set[str] = set()
_folders: set[Path] = set()


def watch_tokens() -> None:
    """Know every token that is signed from now on."""
    sign: Callable[..., str] = jwt.encode

    def encode(*args: Any, **options: Any) -> str:
        token = sign(*args, **options)
        _tokens.add(token)
        return token

    jwt.encode = encode


def watch(stack: Stack, folder: Path) -> None:
    """Know a product's secrets, and the folder of its logs."""
    settings = stack.plan.settings
    own = {secret for name, secret in settings.items() if name.endswith("_SECRET")}
    _secrets.update({stack.plan.jwt_secret, *stack.plan.passwords.values()} | own)
    _folders.add(folder)


async def keep_traces(stack: Stack, folder: Path) -> None:
    """Write down what processes that still run tell of themselves: metrics and command lines."""
    timeout = aiohttp.ClientTimeout(total=_TRACES_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        for process in stack.processes:
            try:
                title = psutil.Process(process.pid).cmdline()
            except (psutil.Error, ProcessLookupError):
                continue
            (folder / f"{process.name}.title").write_text(" ".join(title))
        for name, url in stack.ops_urls.items():
            try:
                async with http.get(f"{url}/metrics") as response:
                    metrics = await response.text()
            except (aiohttp.ClientError, TimeoutError):
                continue
            (folder / f"{name}.metrics").write_text(metrics)


def find_leaks() -> list[str]:
    """Where a secret is in what was written: the file, and the secret's kind."""
    parts = {part for token in _tokens for part in token.split(".")[1:] if _WORD.fullmatch(part)}
    found = []
    for file in _files():
        text = file.read_text(errors="replace")
        if _JWT.search(text) or parts.intersection(_WORD.findall(text)):
            found.append(f"{file}: a token")
        if _SID.search(text):
            found.append(f"{file}: a session's id")
        if any(secret in text for secret in _secrets):
            found.append(f"{file}: a secret of the product's")
    return found


def _files() -> list[Path]:
    patterns = ("*.log", "*.metrics", "*.title")
    return [file for folder in _folders for pattern in patterns for file in folder.glob(pattern)]
