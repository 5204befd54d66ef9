"""python -m tests.benchmarks.processes: two processes of one core each against one process with one core.

For each learning rule and several batches: updates a second, and what the processes tell one another in an
update. Wants two idle cores. Keeps docs/records/processes-cpu.json and renders docs/scale.md.
"""

import json
import os
import platform
import socket
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

RULES = {
    "supervised (SRCNN 9-5-5, 33x33)": ("supervised", (4, 16, 64)),
    "adversarial (GAN's MNIST nets)": ("adversarial", (100, 400)),
    "Q-learning (Breakout, MinAtar's net)": ("q_learning", (32, 256)),
    "pixels (SqueezeNet-sized, an image a process)": ("pixels", (2, 8)),
}
SECONDS = 4.0
"""Of updates behind a number, after the first chunk, which compiles."""
RECORD = Path(__file__).parent.parent.parent / "docs" / "records" / "processes-cpu.json"


def supervised(batch):
    """SRCNN's own update."""
    import jax
    import jax.numpy as jnp
    import optax

    from lib.models.super_resolution import SRCNN
    from lib.ops.crops import centre_crop
    from lib.steps.supervised import init_state
    from lib.steps.supervised import supervised as rule

    net, tx = SRCNN((9, 5, 5), (64, 32), 1), optax.adam(1e-4)
    images = jax.random.uniform(jax.random.key(0), (1024, 33, 33, 1))

    def loss(params, x, key):
        del key
        out = net.apply({"params": params}, x)
        return jnp.square(out - centre_crop(x, out.shape[1])).mean(), {}

    update = rule(loss, tx)

    def step(state, data, key, t):
        i = jax.random.randint(jax.random.fold_in(key, t), (batch,), 0, len(data))
        return update(state, data[i], key)

    return lambda key: init_state(net.init(key, images[:1])["params"], tx), step, images, True, 1


def adversarial(batch):
    """The GAN's, released sizes."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from experiments.gan.config import PRESETS
    from experiments.gan.experiment import make_game, minibatch
    from lib.steps.adversarial import simultaneous

    images = np.random.default_rng(0).integers(0, 256, (10_000, 784), dtype=np.uint8)
    game = make_game(replace(PRESETS["paper"], batch=batch), images)
    rule = simultaneous(game.players, game.generator_tx, game.discriminator_tx)

    def step(state, data, key, t):
        return rule(state, minibatch(data, key, t, batch), jax.random.fold_in(key, t))

    return game.init, step, jnp.asarray(images), False, 1


def q_learning(batch):
    """Eight games on the device, an update for every eight agent steps."""
    from experiments.dqn.agent import make_agent
    from experiments.dqn.config import PRESETS
    from experiments.dqn.variants import full_agent

    sizes = {"batch": batch, "replay_start": 4_000, "replay": 10_000}
    config = replace(PRESETS["smoke"], games=8, update_every=8, **sizes)
    agent = make_agent(config, "breakout", full_agent(config))
    return agent.init, agent.step, (), True, 1


def pixels(images):
    """As many images, a replica each, whose activations in three convolutions are driven up."""
    import jax
    import jax.numpy as jnp
    import optax

    from lib.nn.conv import Conv
    from lib.steps.pixels import init_state
    from lib.steps.pixels import pixels as rule

    tx, layers = optax.adam(0.1), [Conv(64, (3, 3)) for _ in range(3)]
    shapes = ((1, 96, 96, 3), (1, 96, 96, 64), (1, 96, 96, 64))
    params = [
        net.init(jax.random.key(i), jnp.zeros(s)) for i, (net, s) in enumerate(zip(layers, shapes))
    ]

    def loss(image, params):
        x = image[None]
        for net, own in zip(layers, params, strict=True):
            x = jax.nn.relu(net.apply(own, x))
        return -jnp.square(x).mean()

    update = rule(loss, tx)

    def step(state, params, key, t):
        return update(state, params)

    return (
        lambda key: init_state(jax.random.normal(key, (96, 96, 3)), tx),
        step,
        params,
        True,
        images,
    )


def trained_part(state):
    """The parameters in a rule's state, whose gradients the processes have to add."""
    for name in ("params", "learner", "image"):
        if hasattr(state, name):
            found = getattr(state, name)
            return found.params if name == "learner" else found
    return state.generator, state.discriminator


def worker(name: str, batch: int, team: list[str]) -> None:
    """Measures in this process, alone or as one of two, on one core; process 0 prints JSON."""
    process = int(team[1]) if team else 0
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[process]})
    import jax

    from lib.run.devices import keep_compiled
    from lib.run.keys import root_keys
    from lib.run.loop import initialise, train
    from lib.run.watch import Watch
    from lib.scale import mesh
    from lib.scale.traffic import traffic

    if team:
        jax.distributed.initialize(team[0], 2, process, cluster_detection_method="deactivate")
    keep_compiled()
    told, program = [0], mesh.Meshed.program

    def listening(self, function, **about):
        compiled = program(self, function, **about)

        def call(*args):
            if told == [0]:
                told[:] = [sum(traffic(compiled.lower(*args).compile().as_text()).values())]
            return compiled(*args)

        return call

    mesh.Meshed.program = listening
    init, step, data, conv, replicas = globals()[name](batch)
    keys = root_keys(tuple(range(replicas)))
    start = initialise(init, keys, conv=conv)
    params = sum(x.size for x in jax.tree.leaves(trained_part(start))) // replicas
    times = []

    class Clock(Watch):
        def chunk(self, training, step, state, row, *, last):
            times.append(time.perf_counter())

    def run(steps, every):
        times.clear()
        train("clock", start, step, keys, data, steps=steps, every=every, watch=Clock(), conv=conv)
        return (times[-1] - times[0]) / (len(times) - 1) / every

    # All processes must take as many steps: what one chunk takes is measured by process 0's rule of thumb.
    from jax.experimental.multihost_utils import broadcast_one_to_all

    seconds = float(broadcast_one_to_all(jax.numpy.float32(run(6, 2))))
    every = max(1, round(SECONDS / 4 / seconds))
    seconds = run(5 * every, every)
    if process == 0:
        print(json.dumps({"seconds": seconds, "told": told[0], "parameters": int(params)}))


def measured(name: str, batch: int, processes: int) -> dict:
    """What `worker` prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "tests.benchmarks.processes", "worker", name, str(batch)]
    teams = [[address, str(i)] for i in range(2)] if processes == 2 else [[]]
    started = [
        subprocess.Popen([*command, *team], stdout=subprocess.PIPE, text=True) for team in teams
    ]
    said = [process.communicate()[0] for process in started]
    assert all(process.returncode == 0 for process in started)
    return json.loads(said[0].splitlines()[-1])


def main() -> None:
    """Every rule and batch, one after another."""
    from lib.base.files import write_json
    from tests.benchmarks.scale_page import render

    rows = []
    for words, (name, batches) in RULES.items():
        for batch in batches:
            one, two = measured(name, batch, 1), measured(name, batch, 2)
            rows.append(
                {
                    "rule": words,
                    "batch": batch,
                    "ms_one": 1e3 * one["seconds"],
                    "ms_two": 1e3 * two["seconds"],
                    "bytes_told": two["told"],
                    "parameters": one["parameters"],
                }
            )
            print(rows[-1], flush=True)
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    versions = {"python": platform.python_version(), "jax": version("jax")}
    device = f"cpu ({os.cpu_count()} cores), a core a process"
    write_json(
        RECORD, {"device": device, "versions": versions, "load": os.getloadavg()[0], "rows": rows}
    )
    render()


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        worker(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    else:
        main()
