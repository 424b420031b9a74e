"""Images in memory with class labels and, optionally, captions and features."""

from collections.abc import Sequence

from torch import Tensor

from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.data import CaptionedConfig
from mutransfer.proxies.data.captions import encode
from mutransfer.proxies.data.features import features
from mutransfer.proxies.data.feed import Feed, digest, stratified
from mutransfer.proxies.data.findings import Findings


def captioned(
    config: CaptionedConfig,
    *,
    images: Tensor,
    labels: Tensor,
    n_classes: int,
    texts: Sequence[str] | None,
    names: Sequence[str],
    is_validation: Tensor | None = None,
    findings: Findings | None = None,
) -> Feed:
    """Return a data set of images in memory.

    Args:
        config: Options of captions, features and conditioning dropout.
        images: (n, C, S, S) uint8.
        labels: (n,) int64, at least two of each class.
        n_classes: Number of classes.
        texts: Captions, or None if the images have none.
        names: Names of the images, by which a file of features lists them.
        is_validation: (n,) bool, which are for validation; None: a fifth of each class.
        findings: What was found in the files.

    Raises:
        DataError: captions that cannot be embedded, or features that do not match.
    """
    captions = None if texts is None else encode(texts, config)
    tokens = features(config, images, names)
    if is_validation is None:
        train, validation = stratified(labels)
    else:
        train, validation = ((~is_validation).nonzero()[:, 0], is_validation.nonzero()[:, 0])

    def take(rows: Tensor) -> dict[str, Tensor]:
        batch = {"image": images[rows].float() / 127.5 - 1, "label": labels[rows]}
        if captions is not None:
            batch |= captions.take(rows)
        if tokens is not None:
            batch["feature"] = tokens.feature_KNF[rows]
        return batch

    channels, height, side = images.shape[1:]
    parts = [part.fingerprint for part in (captions, tokens) if part is not None]
    given_split = [] if is_validation is None else [is_validation]
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
            feature=None if tokens is None else tokens.shape,
        ),
        fingerprint=digest(images, labels, *parts, *given_split),
        texts=names if texts is None else texts,
        findings=findings,
    )
