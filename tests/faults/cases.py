"""All faults, numbered as in the specification, and all ways in which each comes about."""

import sys
from typing import Any, Final

import pytest

from faults import any_request, some_calls
from faults.case import Case, Fault, Special

FAULTS: Final = tuple(sorted((*any_request.FAULTS, *some_calls.FAULTS), key=lambda fault: fault.number))


def id_of(fault: Fault, case: Case | Special) -> str:
    """Name a case among the tests."""
    return f"{fault.number} {case.name}"


def _param(fault: Fault, case: Case) -> Any:
    elsewhere = case.platform is not None and case.platform != sys.platform
    skip = pytest.mark.skipif(elsewhere, reason=f"can be had on {case.platform} only")
    return pytest.param(case, id=id_of(fault, case), marks=skip)


EACH_CASE: Final = [_param(fault, case) for fault in FAULTS for case in fault.cases if isinstance(case, Case)]
EACH_SPECIAL: Final = [
    pytest.param(case, id=id_of(fault, case))
    for fault in FAULTS
    for case in fault.cases
    if isinstance(case, Special)
]
