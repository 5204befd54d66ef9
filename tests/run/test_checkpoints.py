"""Checkpoints of one training: what is written is what is read, or it is not used."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lib.base.errors import UserError
from lib.base.files import disk_errors
from lib.run.checkpoints import Checkpoints, digest
from lib.steps.supervised import init_state

STEPS = range(100)


def some_state(seed=0):
    params = {"w": jnp.arange(6.0).reshape(2, 3) + seed, "b": jnp.ones(3, jnp.bfloat16)}
    return init_state(params, optax.adam(1e-3))


def test_what_was_saved_comes_back_bit_for_bit(tmp_path):
    saved = some_state(3)
    Checkpoints(tmp_path / "c", "me").save(5, saved)
    step, state, aside = Checkpoints(tmp_path / "c", "me").newest(some_state(), STEPS)
    assert step == 5 and aside == []
    assert digest(state) == digest(saved) != digest(some_state())


def test_without_checkpoints_the_start_comes_back(tmp_path):
    start = some_state()
    step, state, aside = Checkpoints(tmp_path / "c", "me").newest(start, STEPS)
    assert step == 0 and state is start and aside == []


def test_the_last_ones_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c", "me", keep=3)
    for step in (1, 2, 3, 4, 5):
        checkpoints.save(step, some_state(step))
    assert checkpoints.steps() == Checkpoints(tmp_path / "c", "me").steps() == [3, 4, 5]


@pytest.mark.parametrize("owner, saved", [("you", some_state(1)), ("me", {"w": jnp.zeros(2)})])
def test_what_is_not_of_this_run_is_put_aside_and_its_step_can_be_saved_anew(
    owner, saved, tmp_path
):
    checkpoints = Checkpoints(tmp_path / "c", "me")
    checkpoints.save(1, some_state(1))
    Checkpoints(tmp_path / "c", owner).save(2, saved)
    again = Checkpoints(tmp_path / "c", "me")
    step, state, aside = again.newest(some_state(), STEPS)
    assert step == 1 and len(aside) == 1 and str(tmp_path / "c" / "2") in aside[0]
    assert digest(state) == digest(some_state(1))
    again.save(2, some_state(2))
    assert again.newest(some_state(), STEPS)[0] == 2
    assert len(list((tmp_path / "c").glob("*-2.0"))) == 1  # put aside is not deleted


def test_what_can_be_read_but_is_not_what_was_written_is_put_aside(tmp_path, monkeypatch):
    """A byte that changed on the disk, where Orbax does not notice: the digest is another."""
    checkpoints = Checkpoints(tmp_path / "c", "me")
    checkpoints.save(1, some_state(1))
    with monkeypatch.context() as patch:
        patch.setattr("lib.run.checkpoints.digest", lambda state: digest(some_state(3)))
        checkpoints.save(2, some_state(2))
    step, state, aside = Checkpoints(tmp_path / "c", "me").newest(some_state(), STEPS)
    assert step == 1 and digest(state) == digest(some_state(1))
    assert len(aside) == 1 and "its content does not match its digest" in aside[0]


def test_steps_without_history_are_put_aside(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c", "me")
    for step in (1, 2):
        checkpoints.save(step, some_state(step))
    step, _, aside = checkpoints.newest(some_state(), {1})
    assert step == 1 and "metrics.jsonl" in aside[0] and checkpoints.steps() == [1]


def test_other_files_in_the_folder_do_no_harm(tmp_path):
    Checkpoints(tmp_path / "c", "me").save(5, some_state())
    (tmp_path / "c" / "notes.txt").write_text("mine")
    (tmp_path / "c" / "old").mkdir()
    (tmp_path / "c" / "9.orbax-checkpoint-tmp").mkdir()
    assert Checkpoints(tmp_path / "c", "me").newest(some_state(), STEPS)[0] == 5
    assert (tmp_path / "c" / "notes.txt").exists()


def test_the_digest_sees_names_types_shapes_and_bytes():
    base = {"a": np.zeros(4, np.float32)}
    others = [
        {"b": np.zeros(4, np.float32)},
        {"a": np.zeros(4, np.int32)},
        {"a": np.zeros((2, 2), np.float32)},
        {"a": np.array([0, 0, 0, -0.0], np.float32)},
    ]
    assert len({digest(tree) for tree in [base, *others]}) == 5
    assert digest(base) == digest({"a": jnp.zeros(4)})


def test_tensorstores_words_for_a_full_disk_are_understood():
    with pytest.raises(UserError, match="checkpoint 3: No space left on device"):
        with disk_errors("checkpoint 3"):
            raise ValueError("RESOURCE_EXHAUSTED: writing [OS error 28: No space left on device]")
    with pytest.raises(ValueError), disk_errors("checkpoint 3"):
        raise ValueError("a mistake of ours")
