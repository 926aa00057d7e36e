"""Configurations as short texts, since Tune keeps, copies and flattens what a trial is given, with every result anew."""

import base64
import json
import zlib
from dataclasses import dataclass
from typing import Any

from harness.config.blocks.trial import ConfigurationBlock


@dataclass(frozen=True, slots=True)
class Packing:
    """Compresses the content of configurations against a `common` text that both sides know: a tenth is left of it."""

    common: str = ""

    @classmethod
    def against_defaults(cls) -> "Packing":
        """By the configuration that changes nothing, with the blocks that a person's files have registered by now."""
        return cls(_text(ConfigurationBlock()))

    def pack(self, config: ConfigurationBlock) -> str:
        """A text of some 250 characters for `unpack`."""
        packer = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zdict=self.common.encode())
        return base64.b85encode(packer.compress(_text(config).encode()) + packer.flush()).decode()

    def unpack(self, packed: str) -> dict[str, Any]:
        """What `ConfigurationBlock.canonical` gave."""
        unpacker = zlib.decompressobj(zdict=self.common.encode())
        content: dict[str, Any] = json.loads(unpacker.decompress(base64.b85decode(packed)))
        return content


PLAIN = Packing()
"""Against nothing."""


def _text(config: ConfigurationBlock) -> str:
    return json.dumps(config.canonical(), separators=(",", ":"))
