"""Fixtures of the tests of storages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine


@pytest.fixture
def closed_connections() -> Iterator[None]:
    """A result's studies keep their connections for later readers; here they end."""
    connections: list[Any] = []

    def remember(connection: Any, _record: Any) -> None:
        connections.append(connection)

    event.listen(Engine, "connect", remember)
    yield
    event.remove(Engine, "connect", remember)
    for connection in connections:
        connection.close()
