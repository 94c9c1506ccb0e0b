"""What a transfer will take, measured by sampling before it begins."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """Bytes of the archive and on the target's disk, seconds, and rows."""

    archive_bytes: int
    target_bytes: int
    seconds: float
    rows: int

    def as_json(self) -> dict[str, Any]:
        """Return the prediction as the plan's JSON holds it."""
        return asdict(self)
