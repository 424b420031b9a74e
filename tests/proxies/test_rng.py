"""Random streams are functions of their key."""

import torch

from mutransfer.proxies.rng import generator, stream_seed


def test_streams_are_functions_of_the_whole_key():
    draws = {
        key: torch.rand(2, generator=generator(*key)).tolist()
        for key in (("a", 0, 1), ("a", 1, 0), ("b", 0, 1), ("a", 0), ("a", "0", 1))
    }
    assert len({tuple(draw) for draw in draws.values()}) == len(draws)
    assert draws[("a", 0, 1)] == torch.rand(2, generator=generator("a", 0, 1)).tolist()
    assert 0 <= stream_seed("a") < 2**63
