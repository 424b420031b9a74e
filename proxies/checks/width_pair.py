"""Two models of different width at initialization, side by side: what the invariants compare."""

import math

from mutransfer.proxies.checks.forward import MODEL, TensorShapes
from mutransfer.proxies.checks.init_state import InitState, InitTensor, feeds, response

# Tolerance on a measured exponent of width: of exact quantities, and of responses, which depend on
# random features. A response may also be off by this many octaves between the two widths.
EXACT, ROUGH, OCTAVES = 0.1, 0.25, 0.5


class WidthPair:
    """Two models at initialization, narrow and wide, and how they differ."""

    def __init__(self, narrow: InitState, wide: InitState) -> None:
        self.narrow, self.wide = narrow, wide
        self.names = [name for name in wide.tensors if name in narrow.tensors]
        self.log2_m = math.log2(wide.width / narrow.width)
        self.rough = max(ROUGH, OCTAVES / self.log2_m)
        self._terminal: dict[str, bool] = {}
        growing = [module for module in wide.trace.outputs if self.writes(module)]
        self._growing = [t for module in growing for t in wide.trace.outputs[module]]

    def both(self, name: str) -> tuple[InitTensor, InitTensor]:
        """Return a tensor at both widths."""
        return self.narrow.tensors[name], self.wide.tensors[name]

    def n_growing(self, name: str) -> int:
        """Return how many dimensions of a tensor grow."""
        narrow, wide = self.both(name)
        return sum(a != b for a, b in zip(narrow.shape, wide.shape, strict=True))

    def read_exponents(self, name: str) -> list[float]:
        """Return the powers of width that the fan-in of a matrix may grow by.

        Of each dimension that grows and is one of its module's inputs, too; where that is none,
        as of a parameter that a module uses by itself, of every dimension that grows.
        """
        sides = self.both(name)
        module = sides[1].module
        inputs = [
            {size for shape in state.trace.inputs.get(module, ()) for size in shape[1:]}
            for state in (self.narrow, self.wide)
        ]
        growing = [p for p in zip(*(t.shape for t in sides), strict=True) if p[0] != p[1]]
        read = [p for p in growing if all(n in sizes for n, sizes in zip(p, inputs, strict=True))]
        return sorted({self.exponent(*p) for p in read or growing})

    def reads(self, module: str) -> bool:
        """Return whether an input of a module grows."""
        return _grows(*(s.trace.inputs.get(module, []) for s in (self.narrow, self.wide)))

    def writes(self, module: str) -> bool:
        """Return whether an output of a module grows."""
        sides = (s.trace.outputs.get(module, []) for s in (self.narrow, self.wide))
        return _grows(*([tuple(t.shape) for t in outputs] for outputs in sides))

    def was_called(self, module: str) -> bool:
        """Return whether a module was called in the forward pass."""
        return module in self.wide.trace.inputs

    def is_readout(self, name: str) -> bool:
        """Return whether the input of a tensor's module grows and its output does not."""
        module = self.wide.tensors[name].module
        return module != MODEL and self.reads(module) and not self.writes(module)

    def is_terminal(self, module: str) -> bool:
        """Return whether nothing that grows depends on the output of a module."""
        if module not in self._terminal:
            self._terminal[module] = not feeds(self.wide, module, self._growing)
        return self._terminal[module]

    def exponent(self, narrow: float, wide: float) -> float:
        """Return the power of width that a positive quantity is proportional to."""
        return math.log2(wide / narrow) / self.log2_m

    def response(self, name: str) -> tuple[float, float]:
        """Return, at both widths, what a unit change of a readout's tensor does.

        To the prediction if the readout is terminal, else to its module's output.
        """
        module = self.wide.tensors[name].module
        target = MODEL if self.is_terminal(module) else module
        narrow, wide = (response(state, name, target) for state in (self.narrow, self.wide))
        return narrow, wide


def _grows(narrow: TensorShapes, wide: TensorShapes) -> bool:
    """Return whether some shape in a list differs from its counterpart at another width."""
    return len(narrow) != len(wide) or narrow != wide
