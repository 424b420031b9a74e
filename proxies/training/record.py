"""The facts of a study that a run directory records; see `config.recorded`."""

import dataclasses
from collections.abc import Iterable

from mutransfer.proxies import data, models, user_code
from mutransfer.proxies.config.model import CustomConfig
from mutransfer.proxies.config.recorded import Recorded, RecordedModel
from mutransfer.proxies.config.trial import TrialConfig, references
from mutransfer.proxies.mup.roles import tensor_facts
from mutransfer.proxies.training.flops import sample_flops
from mutransfer.proxies.training.trial import data_info


def record(
    config: TrialConfig,
    *,
    trained_widths: Iterable[int],
    other_widths: Iterable[int],
    earlier: Recorded | None = None,
) -> Recorded:
    """Return the facts of a study's data, code and, if it is the user's own, model.

    Args:
        config: Any trial of the study.
        trained_widths: Widths of its trials.
        other_widths: Widths of which the shapes alone are recorded, without the FLOPs.
        earlier: Facts recorded before; those of the same code are taken from it, since counting
            FLOPs runs the user's loss.

    Raises:
        ConfigError: as `data.load` and `user_code.function`.
    """
    named = references(config.model, config.data, config.trainer)
    code = (config.code or user_code.source_digest(named)) if named else None
    command = config.trainer.command if config.trainer else None
    by_width: dict[int, RecordedModel] = {}
    if isinstance(config.model, CustomConfig):
        trained = set(trained_widths)
        old = earlier.models if earlier is not None and earlier.code == code else {}
        for width in sorted(trained | set(other_widths)):
            is_known = width in old and (width not in trained or old[width].sample_flops)
            by_width[width] = (
                old[width]
                if is_known
                else _model(config, config.model, width, with_flops=width in trained)
            )
    return Recorded(
        fingerprint=data.identity(config.data)["fingerprint"],
        info=data_info(config),
        code=code,
        code_files=user_code.source_files(named, command),
        models=by_width,
    )


def _model(
    config: TrialConfig, model: CustomConfig, width: int, *, with_flops: bool
) -> RecordedModel:
    info = data_info(config)
    tensors = tensor_facts(
        lambda any_width: models.build(model, any_width, info),
        base_width=model.base_width,
        width=width,
        declared=model.roles,
    )
    flops = sample_flops(dataclasses.replace(config, width=width)) if with_flops else None
    return RecordedModel(tensors=tensors, sample_flops=flops)
