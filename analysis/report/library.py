"""The library that draws figures, small enough to lie in every page."""

import base64
import gzip
from functools import cache

from plotly.offline import get_plotlyjs


@cache
def packed_library() -> str:
    """plotly.js of the installed package, gzip in base64: 4.8 MB of script in 1.9 MB, which `script.js` unpacks."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()
