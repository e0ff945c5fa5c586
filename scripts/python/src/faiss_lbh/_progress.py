"""Progress bars."""
from __future__ import annotations

import contextlib
from typing import Any, Iterator, Optional

from ._lib import Progress


@contextlib.contextmanager
def as_progress(progress: Any) -> Iterator[Optional[Progress]]:
    """The function that a `progress` argument stands for. A bar is that of tqdm, where it is installed."""
    if progress is None or progress is False:
        yield None
        return
    if callable(progress):
        yield progress
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield None
        return
    with tqdm(total=None, leave=True) as bar:
        def report(what: str, step: int, steps: int, loss: float) -> None:
            bar.set_description(what, refresh=False)
            bar.total = steps or None
            bar.n = step
            if loss:
                bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
            bar.refresh()
        yield report
