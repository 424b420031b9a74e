"""The user's code: a language model of torch's Transformer layers, its loss and its data.

Nothing here imports mutransfer. `sweeps.yaml` beside this file names the three functions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

N_TOKENS, LENGTH, HEAD_DIM = 32, 16, 16


class Transformer(nn.Module):
    """A causal pre-norm Transformer on tokens."""

    def __init__(self, width: int, depth: int = 2) -> None:
        super().__init__()
        self.tokens = nn.Embedding(N_TOKENS, width)
        self.positions = nn.Parameter(0.1 * torch.randn(1, LENGTH, width))
        layer = nn.TransformerEncoderLayer(
            width, width // HEAD_DIM, 4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, N_TOKENS)
        nn.init.zeros_(self.head.weight)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Return logits (B, T, N_TOKENS) for tokens (B, T)."""
        mask = nn.Transformer.generate_square_subsequent_mask(tokens_BT.shape[1])
        x_BTD = self.tokens(tokens_BT) + self.positions[:, : tokens_BT.shape[1]]
        return self.head(self.norm(self.layers(x_BTD, mask=mask.to(x_BTD.device), is_causal=True)))


def build(width: int) -> nn.Module:
    """Return the model of a width; the head dim is fixed, so wider models have more heads."""
    return Transformer(width)


def loss(model: nn.Module, batch: dict[str, Tensor], generator: torch.Generator) -> Tensor:
    """Return the cross-entropy of each sequence, (B,), in nats; the generator is not used."""
    tokens_BT = batch["tokens"]
    logits_BTV = model(tokens_BT[:, :-1])
    return F.cross_entropy(logits_BTV.mT, tokens_BT[:, 1:], reduction="none").mean(dim=1)


class Chain:
    """Sequences of a random Markov chain of order two: a language of a few hundred rules."""

    def __init__(self, seed: int) -> None:
        rng = torch.Generator().manual_seed(seed)
        scores = 3 * torch.randn(N_TOKENS, N_TOKENS, N_TOKENS, generator=rng)
        self._next_PPV = scores.softmax(dim=-1)
        self.fingerprint = f"markov-2 of {N_TOKENS} tokens, length {LENGTH + 1}, seed {seed}"

    def batch(self, seed: int, step: int, size: int) -> dict[str, Tensor]:
        """Return the sequences of a step, {"tokens": (size, LENGTH + 1)}."""
        return self._drawn(size, hash((seed, step)) % 2**62)

    def validation(self) -> dict[str, Tensor]:
        """Return 256 sequences, always the same."""
        return self._drawn(256, 2**62)

    def _drawn(self, size: int, seed: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(seed)
        tokens = [torch.randint(N_TOKENS, (size,), generator=rng) for _ in range(2)]
        while len(tokens) < LENGTH + 1:
            p_BV = self._next_PPV[tokens[-2], tokens[-1]]
            tokens.append(torch.multinomial(p_BV, 1, generator=rng).squeeze(1))
        return {"tokens": torch.stack(tokens, dim=1)}


def data(seed: int = 0) -> Chain:
    """Return the data; `data.args` of the spec are the arguments."""
    return Chain(seed)
