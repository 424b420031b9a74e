"""Rules about what is trained: the model, its widths, its data, and the user's own code."""

from collections.abc import Iterator

from mutransfer.proxies import user_code
from mutransfer.proxies.config import DataConfig, ObjectiveConfig, TrainConfig, TrainerConfig
from mutransfer.proxies.config.constraints import trial_faults, width_faults
from mutransfer.proxies.config.model import CustomConfig, ModelConfig
from mutransfer.proxies.data import info as data_info
from mutransfer.proxies.data import load as load_data
from mutransfer.proxies.errors import ConfigError, DataError, Fault
from mutransfer.proxies.models import custom
from mutransfer.sweep.spec.sections import Production, Search, Target, Transfer
from mutransfer.sweep.spec.yaml_file import YamlPath


def widths_can_be_built(
    model: ModelConfig,
    search: Search,
    transfer: Transfer,
    target: Target,
    production: Production | None,
) -> Iterator[Fault]:
    """The model can be built at each width that is trained or exported for."""
    widths: list[tuple[YamlPath, int]] = [(("search", "width"), search.width)]
    widths += [(("transfer", "widths", i), width) for i, width in enumerate(transfer.widths or ())]
    widths += [(("target", "width"), target.width)] if target.width else []
    widths += [(("production", "width"), production.width)] if production else []
    for path, width in widths:
        for fault in width_faults(model, width, ()):
            yield fault._replace(path=path)


def model_fits_data(
    model: ModelConfig, data: DataConfig, objective: ObjectiveConfig, train: TrainConfig
) -> Iterator[Fault]:
    """The base width, the data and the objective fit the model."""
    try:
        info = data_info(data)
    except ConfigError:
        return  # a fault of `data_can_be_loaded`
    yield from trial_faults(model, objective, train, widths=(), info=info)


def data_can_be_loaded(data: DataConfig) -> Iterator[Fault]:
    """The data can be loaded (latents may still be absent: their shapes are declared)."""
    try:
        data_info(data)
    except DataError as error:
        yield from error.faults
    except ConfigError as error:
        rule = "a function that can be imported"
        yield Fault(("data", "build"), rule, str(error), "correct it")


def trainer_is_function_or_command(trial: TrainerConfig | None) -> Iterator[Fault]:
    """The user's trainer is either a function or a command with {config_json}."""
    if trial is None:
        return
    if (trial.run is None) == (trial.command is None):
        rule, remedy = "either a function or a command", "e.g. `trial: 'mypackage.train:run'`"
        yield Fault(("trial",), rule, "both" if trial.run else "neither", remedy)
    elif trial.command is not None and "{config_json}" not in trial.command:
        rule = "a command contains {config_json}: the path of the file that describes the trial"
        yield Fault(("trial", "command"), rule, trial.command, "add {config_json}")


def trainer_can_be_imported(trial: TrainerConfig | None) -> Iterator[Fault]:
    """The user's trainer, where it is a function, can be imported."""
    if trial is None or trial.run is None:
        return
    try:
        user_code.function(trial.run)
    except ConfigError as error:
        yield Fault(("trial",), "a function that can be imported", str(error), "correct it")


def custom_model_works(
    model: ModelConfig, data: DataConfig, search: Search, transfer: Transfer, target: Target
) -> Iterator[Fault]:
    """The user's module can be built at each width, and its loss can be computed."""
    if not isinstance(model, CustomConfig):
        return
    try:
        loaded = load_data(data)
        validation = {name: part[: custom.N_SAMPLES] for name, part in loaded.validation().items()}
        batches = (loaded.batch(0, 0, custom.N_SAMPLES), validation)
    except ConfigError:
        return  # a fault of `data_can_be_loaded`
    widths = (search.width, *(transfer.widths or ()), *filter(None, [target.width]))
    yield from custom.faults(model, batches, widths)
