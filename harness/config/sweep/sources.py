"""Where a person made a mistake: on the command line, in the sweep's YAML, or in a preset."""

import re

from harness.config.blocks.explain import ConfigError
from harness.config.sweep.overrides import SAME, Overridden
from harness.config.yaml.lines import Document


class Sources:
    """Where the person who reads an error has to look: command line, sweep, or preset."""

    def __init__(self, document: Document, overridden: Overridden) -> None:
        self.document = document
        self.origins = overridden.origins
        self.preset: Document | None = None

    def where(self, error: ConfigError) -> str:
        named = re.findall(r"[a-z_]+(?:\.[a-z0-9_]+)+", str(error))
        places = [place for path in dict.fromkeys([error.path, *named]) if (place := self._place(path))]
        if places:
            # A preset is valid by itself: what is laid over it made the mistake, where the sentence names some of that.
            preset = "" if self.preset is None else f"{self.preset.file}:"
            return next((place for place in places if not preset or not place.startswith(preset)), places[0])
        first = str(error).replace(":", " ").split()[0]
        return self.document.where(error.path or first)

    def _place(self, path: str) -> str | None:
        if not path:
            return None
        also = next((sweep_path for sweep_path, same in SAME.items() if same == path), None)
        for known in (path, f"set.{path}", also, f"space.{path}"):
            if known is None:
                continue
            if known in self.origins:
                return self.origins[known]
            for kept in self.origins:
                if known.startswith(kept + "."):
                    return self.origins[kept]
            if known in self.document.lines:
                return self.document.where(known)
        if self.preset is not None and path in self.preset.lines:
            return self.preset.where(path)
        if path.split(".")[0] in self.document.data:
            return self.document.where(path)
        return None
