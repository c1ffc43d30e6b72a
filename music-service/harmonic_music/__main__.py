"""``python -m harmonic_music``: one replica of the music service."""

import sys

from harmonic_music.service import music_service
from harmonic_music.settings import MusicSettings
from harmonic_runtime.lifecycle import run_service
from harmonic_runtime.settings import load_settings


def main() -> int:
    """Run until a signal; the exit status."""
    return run_service(load_settings(MusicSettings), music_service, service="music")


if __name__ == "__main__":
    sys.exit(main())
