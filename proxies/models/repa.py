"""REPA (arXiv 2410.06940): a block's image tokens are aligned with a frozen encoder's features.

Shapes: B batch, N image tokens, D width, F features of the encoder.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies.batch import Condition, DataInfo
from mutransfer.proxies.config.model import DiTConfig, MMDiTConfig
from mutransfer.proxies.diffusion.objective import Model
from mutransfer.proxies.models.layers import linear, readout


class Projector(nn.Module):
    """Three Linears with SiLU between them, from image tokens to the features of the encoder.

    Its hidden size is fixed, so the first layer follows the output rule. The layers after it do not
    grow, and train the same at every width. The head is not zero at initialization: alignment
    depends on direction alone, and a zero vector has none.
    """

    def __init__(self, width: int, hidden: int, n_features: int) -> None:
        super().__init__()
        self.head = readout(width, hidden, is_zero=False)
        self.fc2 = linear(hidden, hidden)
        self.fc3 = linear(hidden, n_features)

    def forward(self, x_BND: Tensor) -> Tensor:
        """Return (B, N, F)."""
        return self.fc3(F.silu(self.fc2(F.silu(self.head(x_BND)))))


def projector_of(config: DiTConfig | MMDiTConfig, width: int, info: DataInfo) -> Projector | None:
    """Return the projector of a model, None if it has none.

    Build it last, so that all other tensors are drawn as in the model without it.
    """
    if config.repa_block is None or info.feature is None:
        return None
    return Projector(width, config.repa_hidden, info.feature[1])


class Recorder:
    """Wraps a model with a projector: returns its prediction alone, and keeps its projection."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._projected: Tensor | None = None

    def __call__(self, x_BCSS: Tensor, t_B: Tensor, condition: Condition) -> Tensor:
        """Return the prediction alone."""
        prediction, self._projected = self._model(x_BCSS, t_B, condition)
        return prediction

    def loss(self, feature_BNF: Tensor) -> Tensor:
        """Return minus the alignment of the last call, mean over the batch; 0-dim."""
        assert self._projected is not None, "the model is called first"
        return -alignment(self._projected, feature_BNF).mean()


def alignment(projected_BNF: Tensor, feature_BNF: Tensor) -> Tensor:
    """Return the cosine of projected and encoder tokens, mean over tokens, (B,), float32."""
    cosine_BN = F.cosine_similarity(projected_BNF.float(), feature_BNF.float(), dim=2)
    return cosine_BN.mean(dim=1)
