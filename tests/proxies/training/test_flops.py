"""Parameters and FLOPs against closed forms."""

import pytest

from mutransfer.proxies.training import flops


@pytest.mark.parametrize("width", [16, 64])
@pytest.mark.parametrize("depth", [1, 3])
def test_parameters_and_flops_are_those_of_the_closed_forms(trial_of, width, depth):
    config = trial_of(width=width, depth=depth, steps=7, batch_size=5, patch_size=2)
    n, tokens, pixels, features, labels = width, 16, 4, 256, 11
    block = (6 + 3 + 1 + 4 + 4) * n * n + (6 + 3 + 1 + 4 + 1) * n
    embed = (pixels + 1) * n + (features + 1) * n + (n + 1) * n + labels * n
    final = 2 * n * (n + 1) + (n + 1) * pixels
    assert flops.n_params(config) == embed + depth * block + final

    per_token = pixels * n + depth * 12 * n * n + n * pixels
    per_image = features * n + n * n + depth * 6 * n * n + 2 * n * n
    attention = depth * 2 * tokens * tokens * n
    forward = tokens * per_token + per_image + attention
    # Backward costs twice that, except that no gradient flows into images and time features.
    backward = 2 * forward - tokens * pixels * n - features * n
    assert flops.training_flops(config) == 7 * 5 * 2 * (forward + backward)
