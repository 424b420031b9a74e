"""Images and captions through an autoencoder and a text encoder, into shards of latents.

Public: `encode`, its `Options`, and `Encoded`, what it wrote.
"""

from mutransfer.proxies.encoding.encode import Encoded, Options, encode

__all__ = ["Encoded", "Options", "encode"]
