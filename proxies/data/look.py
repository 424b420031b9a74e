"""A look at the data of a study before any trial: what they hold, what is odd, what is wrong."""

from mutransfer.proxies.config.data import DataConfig, LatentsConfig
from mutransfer.proxies.data import latents_look
from mutransfer.proxies.data.findings import Findings
from mutransfer.proxies.data.load import load
from mutransfer.proxies.files.shard_stats import Progress


def look(config: DataConfig, progress: Progress | None = None) -> Findings:
    """Return what the data hold; where latents are absent, that they are.

    Args:
        config: The configuration of the data.
        progress: Called with the samples read so far and in all.

    Raises:
        DataError: data that no trial can train on; names all faults.
    """
    if isinstance(config, LatentsConfig):
        return latents_look.look(config, progress)
    return load(config).findings
