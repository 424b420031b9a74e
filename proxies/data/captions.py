"""Captions as tensors: a frozen embedding of their words, or embeddings that the user computed.

The default is a seeded random embedding per word. It is not a language model: it encodes which
words are in a caption and where, but not what they mean; similar words are not close.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mutransfer.proxies.config.data import CaptionedConfig
from mutransfer.proxies.data.feed import digest
from mutransfer.proxies.data.words import recipe, words
from mutransfer.proxies.errors import DataError, Fault
from mutransfer.proxies.files.embeddings import read_captions
from mutransfer.proxies.rng import generator


@dataclass(frozen=True, eq=False, kw_only=True)
class Captions:
    """The captions of a data set as tensors, each distinct caption once.

    Attributes:
        caption_KLE: Embeddings of the K distinct captions' tokens, zero beyond a caption's end.
        mask_KL: True at tokens; at least one in each row.
        pooled_KP: Embeddings of whole captions.
        of_sample: Index k of each sample's caption, (n,).
        fingerprint: Digest of texts and embedding.
    """

    caption_KLE: Tensor
    mask_KL: Tensor
    pooled_KP: Tensor
    of_sample: Tensor
    fingerprint: str

    @property
    def shape(self) -> tuple[int, int]:
        """(L, E)."""
        return self.caption_KLE.shape[1], self.caption_KLE.shape[2]

    def take(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the parts of a batch that hold the captions of samples."""
        k = self.of_sample[rows]
        return {
            "caption": self.caption_KLE[k],
            "caption_mask": self.mask_KL[k],
            "pooled": self.pooled_KP[k],
        }


class RandomWords:
    """A frozen embedding: N(0, 1) features of each word, a function of the word and a seed.

    All words outside the vocabulary share the features of one unknown word.
    """

    def __init__(self, vocabulary: Sequence[str], *, dim: int, length: int, seed: int) -> None:
        """Take the vocabulary, E features per word, at most L words per caption, and a seed."""
        self._row = {word: row for row, word in enumerate(sorted(set(vocabulary)))}
        self._length = length
        streams = [("word", seed, word) for word in self._row] + [("unknown word", seed)]
        rows = [torch.randn(dim, generator=generator(*key)) for key in streams]
        self._table_VE = torch.stack(rows)

    def __call__(self, captions: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens (K, L, E), mask (K, L) and mean over words (K, E), of the first L words.

        A caption without words is the null caption: one token of zeros.
        """
        tokens_KLE = torch.zeros(len(captions), self._length, self._table_VE.shape[1])
        mask_KL = torch.zeros(len(captions), self._length, dtype=torch.bool)
        for k, caption in enumerate(captions):
            rows = [self._row.get(word, len(self._row)) for word in words(caption)[: self._length]]
            tokens_KLE[k, : len(rows)] = self._table_VE[rows]
            mask_KL[k, : max(1, len(rows))] = True
        return tokens_KLE, mask_KL, tokens_KLE.sum(dim=1) / mask_KL.sum(dim=1, keepdim=True)


def encode(texts: Sequence[str], config: CaptionedConfig) -> Captions:
    """Return the captions of a data set, embedded according to its configuration.

    A caption without words is the null caption: one token of zeros.

    Raises:
        DataError: no caption has a word, one is longer than the limit, or embeddings that do not
            match.
    """
    distinct = sorted(set(texts))
    of_sample = {text: k for k, text in enumerate(distinct)}
    if config.embeddings is not None:
        tokens_KLE, mask_KL, pooled_KP = read_captions(config.embeddings, distinct)
        embedding = digest(tokens_KLE, mask_KL, pooled_KP)
    else:
        if faults := caption_faults(texts, config):
            raise DataError(faults)
        dim, length, seed = config.embedding_dim, config.caption_length, config.embedding_seed
        vocabulary = [word for text in distinct for word in words(text)]
        encoder = RandomWords(vocabulary, dim=dim, length=length, seed=seed)
        tokens_KLE, mask_KL, pooled_KP = encoder(distinct)
        # The recipe, not the values: the last bits of a normal draw may differ between machines.
        embedding = f"random words, {dim}, {length}, {seed}{recipe(distinct)}"
    return Captions(
        caption_KLE=tokens_KLE,
        mask_KL=mask_KL,
        pooled_KP=pooled_KP,
        of_sample=torch.tensor([of_sample[text] for text in texts]),
        fingerprint=digest(embedding, *texts),
    )


def caption_faults(texts: Sequence[str], config: CaptionedConfig) -> list[Fault]:
    """Return the faults of captions that are to be embedded word by word."""
    faults = []
    lengths = [len(words(text)) for text in texts]
    if not any(lengths):
        rule, got = "a caption has a word", f"none of {len(texts)} has, such as {texts[0]!r}"
        faults.append(Fault(("data",), rule, got, "write captions in words, or leave them out"))
    limit = config.caption_length
    n_long = sum(length > limit for length in lengths)
    if n_long and not config.truncate:
        longest = max(lengths)
        rule = f"a caption has at most caption_length = {limit} words"
        got = (
            f"{n_long} of {len(texts)} have more, the longest {longest}: "
            f"{texts[lengths.index(longest)]!r}"
        )
        remedy = f"set `caption_length: {longest}`, or `truncate: true` to cut them"
        faults.append(Fault(("data", "caption_length"), rule, got, remedy))
    return faults
