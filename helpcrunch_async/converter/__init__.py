"""JSON to models and back: the one way.

`keys` has the JSON keys, `values` reads single values, `models` reads and writes whole models by cattrs,
`bodies` reads the bodies of replies, and `schema` describes models to pydantic.
"""

from helpcrunch_async.converter.bodies import (
    from_dict,
    read_page,
    rows_in,
    structure_one,
    structure_page,
    to_dict,
    unwrapped,
)
from helpcrunch_async.converter.schema import attach_schemas

__all__ = ["from_dict", "read_page", "rows_in", "structure_one", "structure_page", "to_dict", "unwrapped"]

attach_schemas()
