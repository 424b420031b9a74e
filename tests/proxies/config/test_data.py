"""Defaults of the data sources."""

from mutransfer.proxies.config.data import DigitsConfig


def test_defaults_of_data_are_those_of_the_class():
    assert DigitsConfig() == DigitsConfig(source="digits", label_dropout=0.1, val_draws=4)
