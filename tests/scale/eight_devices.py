"""Trains by each rule on one and on eight devices, and prints as JSON how far the results are apart.

A process of its own: a backend has as many devices as it had when it began.
"""

import json
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from experiments.dqn.agent import make_agent
from experiments.dqn.config import PRESETS as DQN
from experiments.dqn.variants import full_agent
from experiments.gan.config import PRESETS as GAN
from experiments.gan.experiment import make_game, minibatch
from lib.batches.indices import shuffled_indices
from lib.batches.streaming import batches
from lib.data.dataset import Examples, LazyExamples
from lib.nn.conv import Conv
from lib.run import seeds
from lib.run.devices import keep_compiled
from lib.run.keys import purpose, root_keys
from lib.run.loop import initialise, train
from lib.run.watch import Watch
from lib.scale import mesh
from lib.scale.traffic import traffic
from lib.steps import adversarial, pixels, supervised

UPDATES = 100
ALL = jax.devices()
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (120, 64), dtype=np.uint8)


def replicas(init, step, keys, data, *, conv=False, steps=UPDATES):
    """The final states of a training of `keys`."""
    start = initialise(init, keys, conv=conv)
    how = {"steps": steps, "every": steps // 2, "watch": Watch(), "conv": conv}
    trained = train("rule", start, step, keys, data, **how)
    assert all(np.isfinite(list(trained.history[-1].values())[2]))
    return trained.state


def convolutions():
    """Supervised, 12 rows: eight devices do not divide them. Augmented, with dropout."""
    net, tx = Conv(4, (3, 3)), optax.adam(1e-3)
    x, y = (
        jnp.asarray(IMAGES.reshape(-1, 8, 8, 1) / 255.0, jnp.float32),
        jnp.asarray(IMAGES[:, 0] / 255.0),
    )

    def init(key):
        params = {"conv": net.init(key, x[:1])["params"], "out": jnp.full((4,), 0.1)}
        return supervised.init_state(params, tx)

    def loss(params, batch, key):
        images, targets = batch
        kept = jax.random.bernoulli(key, 0.5, images.shape)
        features = jax.nn.relu(net.apply({"params": params["conv"]}, images * kept)).mean(
            axis=(1, 2)
        )
        # Of the minibatch as a whole, as batch normalisation has it.
        features = features - features.mean(axis=0)[None]
        return jnp.square(features @ params["out"] - targets).mean(), {}

    update = supervised.supervised(loss, tx)

    def step(state, data, key, t):
        i = shuffled_indices(purpose(key, "order"), t, size=len(IMAGES), batch=12)
        return update(state, (data[0][i], data[1][i]), jax.random.fold_in(key, t))

    return init, step, (x, y)


def supervised_rule(n=1):
    init, step, data = convolutions()
    return replicas(init, step, root_keys(tuple(range(n))), data, conv=True)


def game():
    return make_game(GAN["smoke"], IMAGES)


def simultaneous():
    ours = game()
    rule = adversarial.simultaneous(ours.players, ours.generator_tx, ours.discriminator_tx)

    def step(state, images, key, t):
        x = minibatch(images, key, t, 24)
        return rule(state, x, jax.random.fold_in(purpose(key, "game"), t))

    return replicas(ours.init, step, root_keys((0,)), jnp.asarray(IMAGES))


def alternating():
    ours = game()
    rule = adversarial.alternating(ours.players, ours.generator_tx, ours.discriminator_tx)

    def step(state, images, key, t):
        x = minibatch(images, key, t, 16)
        return rule(state, x[None], jax.random.fold_in(purpose(key, "game"), t))

    return replicas(ours.init, step, root_keys((0,)), jnp.asarray(IMAGES))


def q_learning():
    """Eight games, one a device."""
    settings = {"games": 8, "update_every": 8, "replay": 800, "replay_start": 160, "batch": 16}
    config = DQN["smoke"].__class__(**vars(DQN["smoke"]) | settings)
    agent = make_agent(config, "catch", full_agent(config))
    return replicas(agent.init, agent.step, root_keys((0,)), (), conv=True).learner


def towards(image, target):
    """A loss whose gradient looks beyond the pixel."""
    return jnp.square(jnp.tanh(image) - target).sum() + jnp.square(jnp.diff(image, axis=-2)).sum()


def pixel_rule(shape, n):
    tx = optax.adam(0.05)
    rule = pixels.pixels(
        lambda image, target: towards(image, jnp.broadcast_to(target, image.shape)), tx
    )

    def init(key):
        return pixels.init_state(jax.random.normal(key, shape), tx)

    target = jnp.full((4, 4, 1) if len(shape) == 3 else (1, 4, 4, 1), 0.3)
    step = lambda state, target, key, t: rule(state, target)  # noqa: E731
    return replicas(init, step, root_keys(tuple(range(n))), target, conv=True)


def spread():
    """Dense layers whose kernels eight devices hold in pieces."""
    mesh.SPREAD_FROM = 256
    seeds.spread_parameters(True)
    try:
        return simultaneous()
    finally:
        seeds.spread_parameters(False)


CASES = {
    "supervised": supervised_rule,
    "simultaneous": simultaneous,
    "alternating": alternating,
    "spread": spread,
    "q_learning": q_learning,
    "pixels: several images": lambda: pixel_rule((16, 4, 4, 1), 1),
    "pixels: an image a replica": lambda: pixel_rule((4, 4, 1), 8),
    "eight seeds": lambda: supervised_rule(8),
    "three seeds": lambda: supervised_rule(3),
}


def on(devices, case):
    seeds._devices = lambda: devices
    return jax.tree.map(np.asarray, case())


def apart(one, many) -> dict[str, float]:
    """The largest difference of any parameter, and whether all bits are the same."""
    pairs = list(zip(jax.tree.leaves(one), jax.tree.leaves(many), strict=True))
    return {
        "largest": max(float(np.abs(a.astype(float) - b).max()) for a, b in pairs),
        "same bits": all(a.tobytes() == b.tobytes() for a, b in pairs),
    }


def streamed() -> dict[str, int]:
    """Rows read from a stream, and what of them lies on the last device."""
    example = LazyExamples(range(64), lambda i: {"x": np.full(3, i, np.float32)}, dict)
    across = NamedSharding(mesh.mesh_for(1, ALL), PartitionSpec("rows"))
    about = {"seed": 0, "batch": 16, "steps": range(1), "prepare": lambda example, rng: example}
    dataset = Examples("made", "train", example, "")
    (ours,), (plain,) = batches(dataset, across=across, **about), batches(dataset, **about)
    last = np.asarray(ours["x"].addressable_shards[-1].data)
    return {
        "same": bool((np.asarray(ours["x"]) == plain["x"]).all()),
        "last": bool((last == plain["x"][-2:]).all()),
    }


TOLD: list[int] = []
TEXTS: list[str] = []


def listening(program):
    """`Meshed.program` that notes the bytes which devices tell one another in a step, by XLA's text."""

    def of(self, function, **about):
        compiled, heard = program(self, function, **about), []

        def call(*args):
            if not heard:
                TEXTS.append(compiled.lower(*args).compile().as_text())
                heard.append(sum(traffic(TEXTS[-1]).values()))
            TOLD.append(heard[0])
            return compiled(*args)

        return call

    return of


def layout(n):
    seeds._devices = lambda: ALL
    return dict(seeds.lay_out(n, conv=True).mesh.shape)


if __name__ == "__main__":
    jax.config.update("jax_numpy_rank_promotion", "raise")
    keep_compiled()
    began, found = time.monotonic(), {}
    mesh.Meshed.program, told = listening(mesh.Meshed.program), {}
    for name in sys.argv[1:] or CASES:
        found[name] = apart(on(ALL[:1], CASES[name]), on(ALL, CASES[name]))
        told[name] = TOLD[-1]
        if name == "q_learning":  # the frames that are played on, and those that are learned from
            shapes = {"f32[1,10,5,2]", "f32[2,10,5,2]", "f32[8,10,5,2]", "f32[16,10,5,2]"}
            found["frames"] = sorted(shape for shape in shapes if shape in TEXTS[-1])
        print(name, found[name], told[name], round(time.monotonic() - began, 1), file=sys.stderr)
    found["told"] = told
    found["streamed"] = streamed()
    found["gradient bytes"] = 4 * (3 * 3 * 1 * 4 + 4 + 4)
    found["layouts"] = {str(n): layout(n) for n in (1, 2, 3, 5, 8, 9)}
    print(json.dumps(found))
