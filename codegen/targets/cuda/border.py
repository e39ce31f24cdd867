"""The outputs beyond all windows as the words of their page."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from codegen.cuda.border import OutputBox
from codegen.render import render

from .part import CudaFunction


def border_page(boxes: Sequence[OutputBox], sizes: Sequence[int], function: CudaFunction) -> str:
    """The device function ``{prefix}_border``: the place in its channel of the e-th of them.

    Nothing where there are none.
    """
    if not boxes:
        return ""
    strides = [prod(sizes[d + 1 :]) for d in range(len(sizes))]
    return render(
        "cuda/border.cu.j2",
        prefix=function.prefix,
        boxes=[
            {
                "count": box.count,
                "axes": [
                    {"size": size, "first": first, "stride": stride}
                    for size, first, stride in reversed(
                        [*zip(box.sizes, box.firsts, strides, strict=True)]
                    )
                ],
            }
            for box in boxes
        ],
    )
