"""JSON to models and back.

`keys` names the keys and `values` reads single values; `thorough` (cattrs) reads every spelling and says what
does not fit, `quick` reads the usual spelling at a third of the cost; `reading` puts them together.
"""

from helpcrunch_async.converter.reading import from_dict, structure, to_dict

__all__ = ["from_dict", "structure", "to_dict"]
