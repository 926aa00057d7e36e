"""How a unit is built that is audited as every trial's is, where examples are not asked as in a sweep."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from harness.audit.unit_inspector import AuditInspector

WITHOUT_EXAMPLES: Mapping[str, Any] = {"inspector": partial(AuditInspector, examples="off")}
"""For one who looks at all the rest."""
EXAMPLES_ANEW: Mapping[str, Any] = {"inspector": partial(AuditInspector, examples="anew")}
"""For a process whose code is not that of the files."""
