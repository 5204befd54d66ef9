"""What a notebook sees of a computation."""

import jax
import numpy as np
from papers.toy import experiment
from papers.toy.config import PRESETS

from lib.run.watch import Bars


def test_bars_name_what_is_computed_and_change_nothing(capsys):
    config, key = PRESETS["smoke"], jax.random.key(0)
    data = experiment.load_data(config)
    result = experiment.run(config, key, data, Bars())
    said = capsys.readouterr()
    assert said.out.splitlines() == ["adam ...", "momentum ...", "points ..."]
    assert all(f"{training}: 100%" in said.err for training in result.history)
    silent = experiment.run(config, key, data)
    assert said.err.endswith("\n") and capsys.readouterr() == ("", "")
    for name, values in result.metrics.items():
        np.testing.assert_array_equal(values, silent.metrics[name])
