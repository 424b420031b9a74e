"""Images in memory with class labels, and, where there are any, captions and features."""

from collections.abc import Sequence

from torch import Tensor

from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.data import CaptionedConfig
from mutransfer.proxies.data.captions import encode
from mutransfer.proxies.data.features import features
from mutransfer.proxies.data.feed import Feed, digest, stratified


def captioned(
    config: CaptionedConfig,
    *,
    images: Tensor,
    labels: Tensor,
    n_classes: int,
    texts: Sequence[str] | None,
    names: Sequence[str],
) -> Feed:
    """Return a data set of images in memory.

    Args:
        config: How captions and features are made, and how samples are fed.
        images: (n, C, S, S) uint8.
        labels: (n,) int64, each class twice or more.
        n_classes: Number of classes.
        texts: Captions, or None where the images have none.
        names: What a file of features calls the images.

    Raises:
        DataError: captions that cannot be embedded, or features that do not fit.
    """
    captions = None if texts is None else encode(texts, config)
    found = features(config, images, names)
    train, validation = stratified(labels)

    def take(rows: Tensor) -> dict[str, Tensor]:
        batch = {"image": images[rows].float() / 127.5 - 1, "label": labels[rows]}
        if captions is not None:
            batch |= captions.take(rows)
        if found is not None:
            batch["feature"] = found.feature_KNF[rows]
        return batch

    channels, height, side = images.shape[1:]
    parts = [part.fingerprint for part in (captions, found) if part is not None]
    return Feed(
        config,
        take=take,
        train=train,
        validation=validation,
        info=DataInfo(
            shape=(channels, height, side),
            n_classes=n_classes,
            caption=None if captions is None else captions.shape,
            pooled=None if captions is None else captions.pooled_KP.shape[1],
            feature=None if found is None else found.shape,
        ),
        fingerprint=digest(images, labels, *parts),
        texts=names if texts is None else texts,
    )
