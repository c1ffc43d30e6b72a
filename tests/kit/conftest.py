"""The kits' tests run programs of Node as those of the client do."""

from client_ts.conftest import run_node

__all__ = ["run_node"]
