"""DQN: a frame of MinAtar's own setting, the gradient step of Nature's network, an agent step of Atari.

Ours against plain PyTorch: the games of the original MinAtar package and of the emulator, a memory in
NumPy, eager updates.
`make bench PAPER=dqn` runs this, on the same cores in one go, and keeps the medians.
"""

from dataclasses import replace

import jax
import numpy as np
import pytest

from experiments.dqn.agent import make_agent
from experiments.dqn.config import PRESETS
from experiments.dqn.variants import Variant
from lib.envs.frame_memory import FrameMemory
from lib.run.keys import root_keys
from lib.run.loop import initialise, train
from lib.run.watch import Watch
from lib.steps.q_learning import Transitions

BREAKOUT = "MinAtar Breakout, conv 16 + fc 128, batch 32, one update a frame, a frame"
SHARED = "MinAtar Breakout, 8 games, one update in 8 frames, a frame"
NATURE = "DQN 2015 network, batch 32, one update"
PONG = "Atari Pong, {}, one update in 4 steps, an agent step"
ROUNDS = {"rounds": 7, "warmup_rounds": 1}
BATCH, GAMMA, RATE = 32, 0.99, 2.5e-4


def rmsprop(torch, parameters):
    """MinAtar's: the same centred rule."""
    return torch.optim.RMSprop(parameters, lr=RATE, alpha=0.95, eps=0.01, centered=True)


def torch_update(torch, net, target, optimiser, batch) -> None:
    """One step of Q-learning on NumPy arrays: states `[n, c, h, w]`."""
    states, actions, rewards, ended, following = (torch.as_tensor(x) for x in batch)
    with torch.no_grad():
        y = rewards + GAMMA * (1 - ended) * target(following).max(dim=1).values
    q = net(states).gather(1, actions[:, None])[:, 0]
    loss = torch.nn.functional.smooth_l1_loss(q, y, reduction="sum")
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def time_device(benchmark, games: int, update_every: int) -> None:
    """Times `train` as the experiment calls it, a chunk of 1 000 iterations a round."""
    config = replace(PRESETS["laptop"], games=games, update_every=update_every)
    agent = make_agent(config, "breakout", Variant("dqn", RATE, "minatar", 1))
    keys = root_keys((0,))
    start = initialise(agent.init, keys, conv=True)
    steps = 1_000
    settings = {"steps": steps, "every": steps, "watch": Watch(), "conv": True}

    def round_():
        jax.block_until_ready(train("bench", start, agent.step, keys, (), **settings).state)

    benchmark.extra_info["steps"] = steps * agent.agent_steps
    benchmark.pedantic(round_, **ROUNDS)


def time_minatar(benchmark, games: int, update_every: int) -> None:
    """MinAtar's games in NumPy, a memory of 100 000 transitions, an eager network."""
    torch = pytest.importorskip("torch")
    from minatar import Environment

    torch.manual_seed(0)
    nn = torch.nn

    def network():
        return nn.Sequential(
            nn.Conv2d(4, 16, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(1024, 128),
            nn.ReLU(),
            nn.Linear(128, 6),
        )

    net, target = network(), network()
    optimiser = rmsprop(torch, net.parameters())
    played = [Environment("breakout") for _ in range(games)]
    for game in played:
        game.reset()
    rng = np.random.default_rng(0)
    size, added = 100_000, [0]
    states, following = (np.zeros((size, 4, 10, 10), bool) for _ in range(2))
    actions, rewards, ended = (
        np.zeros(size, np.int64),
        np.zeros(size, np.float32),
        np.zeros(size, np.float32),
    )

    def seen():
        return np.stack([game.state().transpose(2, 0, 1) for game in played])

    def frame():
        before = seen()
        with torch.no_grad():
            best = net(torch.as_tensor(before, dtype=torch.float32)).argmax(dim=1).numpy()
        for e, game in enumerate(played):
            action = int(rng.integers(6)) if rng.random() < 0.1 else int(best[e])
            reward, over = game.act(action)
            at = added[0] % size
            states[at], actions[at], rewards[at], ended[at] = before[e], action, reward, over
            following[at] = game.state().transpose(2, 0, 1)
            if over:
                game.reset()
            added[0] += 1

    def update():
        i = rng.integers(min(added[0], size), size=BATCH)
        batch = (
            states[i].astype(np.float32),
            actions[i],
            rewards[i],
            ended[i],
            following[i].astype(np.float32),
        )
        torch_update(torch, net, target, optimiser, batch)

    for _ in range(200):
        frame()
    iterations = 100

    def round_():
        for _ in range(iterations):
            frame()
            for _ in range(max(1, games // update_every)):
                update()

    benchmark.extra_info["steps"] = iterations * games
    benchmark.pedantic(round_, **ROUNDS)


def torch_nature(torch, actions: int):
    nn = torch.nn
    return nn.Sequential(
        *(nn.Conv2d(4, 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU()),
        *(nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, actions)),
    )


def our_nature(actions: int):
    from experiments.dqn.atari import Network

    return Network(PRESETS["paper"], Variant("dqn", RATE, "2015", 4), actions)


def filled_memory(games: int = 1) -> FrameMemory:
    """5 000 rows of noise."""
    memory, rng = FrameMemory(5_000, games, 4), np.random.default_rng(0)
    nothing = np.zeros(games)
    for t in range(5_000):
        frames = rng.integers(0, 255, (games, 84, 84), np.uint8)
        first, terminal = (np.full(games, t % 500 == at) for at in (0, 499))
        memory.add(frames, first, nothing.astype(int), nothing, terminal)
    return memory


@pytest.mark.benchmark(group=BREAKOUT)
class TestBreakout:
    def test_ours(self, benchmark):
        time_device(benchmark, 1, 1)

    def test_pytorch(self, benchmark):
        time_minatar(benchmark, 1, 1)


@pytest.mark.benchmark(group=SHARED)
class TestShared:
    def test_ours(self, benchmark):
        time_device(benchmark, 8, 8)

    def test_pytorch(self, benchmark):
        time_minatar(benchmark, 8, 8)


@pytest.mark.benchmark(group=NATURE)
class TestNature:
    def test_ours(self, benchmark):
        net = our_nature(4)
        learner = net.init(jax.random.key(0))
        batch = Transitions(*filled_memory().sample(np.random.default_rng(0), BATCH))

        def round_():
            state = learner
            for _ in range(10):
                state, _ = net.learn(state, batch)
            jax.block_until_ready(state)

        benchmark.extra_info["steps"] = 10
        benchmark.pedantic(round_, **ROUNDS)

    def test_pytorch(self, benchmark):
        torch = pytest.importorskip("torch")
        net, target = torch_nature(torch, 4), torch_nature(torch, 4)
        optimiser = rmsprop(torch, net.parameters())
        frames = np.random.default_rng(0).random((BATCH, 4, 84, 84), np.float32)
        zeros = np.zeros(BATCH, np.float32)
        batch = (frames, np.zeros(BATCH, np.int64), zeros, zeros, frames)

        def round_():
            for _ in range(10):
                torch_update(torch, net, target, optimiser, batch)

        benchmark.extra_info["steps"] = 10
        benchmark.pedantic(round_, **ROUNDS)


STEPS = 80
"""Agent steps of Pong in one timed round."""


def pong(benchmark, games: int, value, update) -> None:
    """Plays Pong through our emulator and memory, all actions greedy, so that each asks the network.

    `value(frames) -> q` on the host; `update(batch)`, one every four steps.
    """
    from experiments.dqn.atari import Player

    player = Player(PRESETS["paper"], "ALE/Pong-v5", games, 4, 0)
    memory, rng = filled_memory(games), np.random.default_rng(0)

    def round_():
        for _ in range(STEPS // 4):
            update(memory.sample(rng, BATCH))
            for _ in range(4 // games):
                frames, first = player.games.frames, player.games.first
                actions = player.act(rng, 0.0, value)
                reward, terminal, _ = player.step(actions)
                memory.add(frames, first, actions, reward, terminal)

    benchmark.extra_info["steps"] = STEPS
    benchmark.pedantic(round_, **ROUNDS)


def our_pong(benchmark, games: int) -> None:
    pytest.importorskip("ale_py", reason="needs the extra atari")
    net = our_nature(6)
    learner = [net.init(jax.random.key(0))] * 2  # while one is computed, the one before plays

    def update(batch):
        learner[:] = learner[1], net.learn(learner[1], Transitions(*batch))[0]

    pong(benchmark, games, lambda frames: net.value(learner[0].params, frames), update)


def torch_pong(benchmark, games: int) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("ale_py", reason="needs the extra atari")
    net, target = torch_nature(torch, 6), torch_nature(torch, 6)
    optimiser = rmsprop(torch, net.parameters())

    def pictures(frames):
        return torch.as_tensor(frames).permute(0, 3, 1, 2).float() / 255

    def value(frames):
        with torch.no_grad():
            return net(pictures(frames)).numpy()

    def update(b):
        ended, actions = b.terminal.astype(np.float32), b.action.astype(np.int64)
        batch = (pictures(b.observation), actions, b.reward, ended, pictures(b.next_observation))
        torch_update(torch, net, target, optimiser, batch)

    pong(benchmark, games, value, update)


@pytest.mark.benchmark(group=PONG.format("one game"))
class TestPong:
    def test_ours(self, benchmark):
        our_pong(benchmark, 1)

    def test_pytorch(self, benchmark):
        torch_pong(benchmark, 1)


@pytest.mark.benchmark(group=PONG.format("four games"))
class TestFourPongs:
    def test_ours(self, benchmark):
        our_pong(benchmark, 4)

    def test_pytorch(self, benchmark):
        torch_pong(benchmark, 4)
