"""What the fuzzer was given and what it found, through the same function, without the fuzzer."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

FUZZ = Path(__file__).parents[1] / "fuzz"
CORPUS = sorted((FUZZ / "corpus").iterdir())


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("decoder", FUZZ / "decoder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


decoder = _load()


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_a_body_keeps_every_promise(path: Path) -> None:
    """As an answer of every model, as a page, as an error and as a webhook."""
    body, _ = decoder.split(path.read_bytes())
    for model in decoder.MODELS:
        decoder.decode(body, model)


@pytest.mark.parametrize("model", decoder.MODELS, ids=lambda model: model.__name__)
def test_no_input_is_too_short(model: type[Any]) -> None:
    """Nothing, and a byte that only picks a model."""
    assert decoder.split(b"") == (b"", decoder.MODELS[0])
    assert decoder.split(bytes([decoder.MODELS.index(model)])) == (b"", model)
    decoder.decode(b"", model)
