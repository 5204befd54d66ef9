"""Nguyen et al.: images evolved pixel by pixel or as patterns, the best of each class being kept."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.adversarial.attacks import Logits, Params

Genome = Any


class Encoding(NamedTuple):
    """What evolves: `random(key) -> genome`, `mutate(key, genome) -> genome`, `express(genome) -> image [d]`.

    Images are in [0, 1].
    """

    random: Callable[[jax.Array], Genome]
    mutate: Callable[[jax.Array, Genome], Genome]
    express: Callable[[Genome], jax.Array]


class Elites(NamedTuple):
    """Class by class (a leading axis) the genome that the network is surest of, and its probability."""

    genomes: Genome
    sure: jax.Array


@functools.lru_cache
def pixelwise(pixels: int, rate: float = 0.1, strength: float = 15.0) -> Encoding:
    """Direct encoding (Nguyen, section 2.3): a genome is an image, a tenth of whose pixels mutate.

    The change of a pixel in [0, 1] is 1 - (2 (1 - u))^(1 / (strength + 1)) for u > 1/2, and its mirror
    image below: mostly a small one.
    """

    def random(key):
        return jax.random.uniform(key, (pixels,))

    def mutate(key, image):
        which, how_far = jax.random.split(key)
        u = jax.random.uniform(how_far, image.shape)
        size = 1 - (2 * jnp.minimum(u, 1 - u)) ** (1 / (strength + 1))
        moved = jnp.clip(image + jnp.sign(u - 0.5) * size, 0, 1)
        return jnp.where(jax.random.bernoulli(which, rate, image.shape), moved, image)

    return Encoding(random, mutate, lambda image: image)


class Pattern(NamedTuple):
    """A small network from a pixel's place to its brightness (CPPN); of its nodes the last is the output.

    Attributes:
      weights: `[nodes, INPUTS + nodes]`: a node reads the inputs and the nodes before it.
      present: bool, the same shape: the connections that there are.
      kinds: int `[nodes]`: each node's function, of `FUNCTIONS`.
    """

    weights: jax.Array
    present: jax.Array
    kinds: jax.Array


INPUTS = 4
"""Across, down, from the middle, and 1."""
NODES = 8
FUNCTIONS = (jnp.sin, jax.nn.sigmoid, lambda x: jnp.exp(-(x * x)), lambda x: x)
"""Nguyen: sine, sigmoid, Gaussian and linear."""


@functools.lru_cache
def patterns(pixels: int, nodes: int = NODES) -> Encoding:
    """Indirect encoding: patterns, whose weights, connections and functions mutate (Nguyen, section 2.3)."""
    side = math.isqrt(pixels)
    down, across = np.meshgrid(*[np.linspace(-1, 1, side)] * 2, indexing="ij")
    seen = np.stack([across, down, np.hypot(across, down), np.ones_like(across)], axis=-1)
    seen = seen.reshape(pixels, INPUTS).astype(np.float32)
    shape = (nodes, INPUTS + nodes)

    def random(key):
        a, b, c = jax.random.split(key, 3)
        weights = 2 * jax.random.normal(a, shape)
        present = jax.random.bernoulli(b, 0.5, shape)
        return Pattern(weights, present, jax.random.randint(c, (nodes,), 0, len(FUNCTIONS)))

    def mutate(key, pattern):
        a, b, c, d, e = jax.random.split(key, 5)
        moved = pattern.weights + 0.5 * jax.random.normal(a, shape)
        weights = jnp.where(jax.random.bernoulli(b, 0.3, shape), moved, pattern.weights)
        present = pattern.present ^ jax.random.bernoulli(c, 0.03, shape)
        others = jax.random.randint(d, (nodes,), 0, len(FUNCTIONS))
        changes = jax.random.bernoulli(e, 0.05, (nodes,))
        return Pattern(weights, present, jnp.where(changes, others, pattern.kinds))

    def express(pattern):
        values = jnp.concatenate([seen, jnp.zeros((pixels, nodes))], axis=1)
        for i in range(nodes):
            reads = jnp.where(pattern.present[i] & (jnp.arange(INPUTS + nodes) < INPUTS + i), 1, 0)
            total = values @ (pattern.weights[i] * reads)
            value = jax.lax.switch(pattern.kinds[i], FUNCTIONS, total)
            values = values.at[:, INPUTS + i].set(value)
        return (1 + jnp.tanh(values[:, -1])) / 2

    return Encoding(random, mutate, express)


@functools.partial(jax.jit, static_argnums=(0, 3), static_argnames=("generations", "children"))
def evolve(
    logits: Logits,
    params: Params,
    key: jax.Array,
    encoding: Encoding,
    inherited: jax.Array | bool = True,
    *,
    generations: int,
    children: int,
) -> tuple[Elites, jax.Array]:
    """`(elites, [generations, classes] their probabilities)`: MAP-Elites with a niche a class.

    Each generation has `children` mutants of elites drawn at random; one takes a class over if the
    network gives it a larger probability of it, whichever class its parent was the best of.

    Args:
      inherited: False: children are random genomes instead, which is a random search as long.
    """

    def look(genomes):
        return jax.nn.softmax(logits(params, jax.vmap(encoding.express)(genomes)))

    def best(genomes) -> Elites:
        p = look(genomes)
        return Elites(jax.tree.map(lambda g: g[p.argmax(axis=0)], genomes), p.max(axis=0))

    def generation(elites, t):
        parents_key, mutants_key, fresh_key = jax.random.split(jax.random.fold_in(key, t), 3)
        parents = jax.random.randint(parents_key, (children,), 0, len(elites.sure))
        mutants = jax.vmap(encoding.mutate)(
            jax.random.split(mutants_key, children),
            jax.tree.map(lambda g: g[parents], elites.genomes),
        )
        fresh = jax.vmap(encoding.random)(jax.random.split(fresh_key, children))
        born = best(jax.tree.map(lambda a, b: jnp.where(inherited, a, b), mutants, fresh))
        better = born.sure > elites.sure

        def keep(new, old):
            return jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        kept = jax.tree.map(keep, born, elites)
        return kept, kept.sure

    first = jax.vmap(encoding.random)(
        jax.random.split(jax.random.fold_in(key, generations), children)
    )
    return jax.lax.scan(generation, best(first), jnp.arange(generations))
