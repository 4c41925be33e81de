"""A list of facts that a run keeps in a JSON file of its own, beside its plan."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, TypeAdapter

from recbench.datasets.foundation import UsageError, parse_json
from recbench.datasets.storage import write_atomically

SCHEMA = 1

Kept = TypeVar("Kept", bound=BaseModel)


@dataclass(frozen=True)
class KeptList(Generic[Kept]):
    """Where such a list stands: the file, the key in it, what is in the list, how to make it."""

    file: str
    key: str
    entries: TypeAdapter[list[Kept]]
    remedy: str  # what writes a damaged file anew, as in `run again`

    def write(self, directory: Path, entries: Iterable[Kept]) -> Path:
        """Write the file into the directory of a run; its path."""
        content = {
            "schema": SCHEMA,
            self.key: [entry.model_dump(mode="json") for entry in entries],
        }
        path = directory / self.file
        text = json.dumps(content, sort_keys=True, indent=1, allow_nan=False)
        write_atomically(path, f"{text}\n".encode())
        return path

    def read(self, directory: Path) -> list[Kept]:
        """What a run has kept; nothing where there is no such file.

        UsageError, naming the file, if it is damaged or of another schema.
        """
        path = directory / self.file
        try:
            content = parse_json(path.read_bytes())
            if not isinstance(content, dict) or content.get("schema") != SCHEMA:
                raise ValueError(f"expected an object of schema {SCHEMA}")
            return self.entries.validate_python(content.get(self.key))
        except FileNotFoundError:
            return []
        except (ValueError, OSError) as error:
            raise UsageError(
                f"{path} cannot be read: {error}. Delete it, and {self.remedy} to have it written "
                "anew"
            ) from None
