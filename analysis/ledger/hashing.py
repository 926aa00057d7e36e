"""One hash of a unit's rows, the same in a log, in a file of its own and in a part."""

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def content_hash(tables: Iterable[pa.Table]) -> str:
    """SHA-256 of the values of tables, in order of their columns and rows; the encoding of the files does not count."""
    digest = hashlib.sha256()
    for table in tables:
        digest.update(f"{table.num_rows}".encode())
        for name in table.column_names:
            digest.update(name.encode() + b"\0")
            _add(digest, table[name].combine_chunks())
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", column: pa.Array) -> None:
    if pa.types.is_string(column.type):
        coded = column.dictionary_encode()
        digest.update("\0".join(coded.dictionary.to_pylist()).encode())
        column = coded.indices
    if pa.types.is_list(column.type):
        _add(digest, pc.list_value_length(column))
        column = column.flatten()
    digest.update(pc.is_null(column).to_numpy(zero_copy_only=False).tobytes())
    values = np.asarray(pc.fill_null(column, 0).to_numpy(zero_copy_only=False))
    digest.update(np.ascontiguousarray(values).tobytes())
