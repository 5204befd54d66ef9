"""Figure 1 on photographs, with a pretrained network."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.adversarial import attacks
from experiments.adversarial.config import Config
from experiments.adversarial.data import Data
from lib.ops.resize import resize
from lib.pretrained import recognition
from lib.run.keys import purpose
from lib.run.result import Result
from lib.run.watch import Watch


def panda(config: Config, keys: jax.Array, data: Data, watch: Watch, needs) -> Result:
    """Figure 1 on photographs: one step against the class that the pretrained network names."""
    pretrained = data.network
    seen = recognition.make_classifier(pretrained)
    images = np.stack([square(p, pretrained.network.side) for p in data.photographs.values()])
    x = jnp.asarray(images, jnp.float32) / 255

    def logits(params, x):
        return seen(params, 255 * x)

    epsilon, params = config.photograph_epsilon, jax.device_put(pretrained.params)
    p = jax.jit(lambda params, x: jax.nn.softmax(logits(params, x)))
    before = p(params, x)
    labels = before.argmax(axis=1)
    moved = jax.jit(attacks.fgsm, static_argnums=0)(logits, params, x, labels, epsilon)
    after = p(params, moved)
    changed = float(jnp.mean(after.argmax(axis=1) != labels))
    tossed = []
    for key in keys:
        coins = attacks.random_signs(purpose(key, "photographs"), x.shape)
        signs = attacks.signed_step(x, coins, epsilon)
        tossed.append(float(jnp.mean(p(params, signs).argmax(axis=1) != labels)))
    direction = jnp.sign(moved - x)
    arrays = {
        "panda_before": images[0],
        "panda_signs": np.asarray(127.5 * (direction[0] + 1)).astype(np.uint8),
        "panda_after": np.asarray(jnp.rint(255 * moved[0])).astype(np.uint8),
        "panda_said": np.array([before[0].argmax(), after[0].argmax()], np.int32),
        "panda_sure": np.array([before[0].max(), after[0].max()]),
        "panda_epsilon": np.array(epsilon),
    }
    metrics = {
        "panda_changed": changed,
        "panda_noise": tossed,
        "panda_sure_before": float(before.max(axis=1).mean()),
        "panda_sure_after": float(after.max(axis=1).mean()),
    }
    return Result(metrics, arrays=arrays)


def square(image: np.ndarray, side: int) -> np.ndarray:
    """The square in the middle of uint8 `[h, w, 3]`, at `side`."""
    least = min(image.shape[:2])
    top, left = ((length - least) // 2 for length in image.shape[:2])
    middle = image[top : top + least, left : left + least].astype(np.float32)
    return np.clip(resize(middle, (side, side)) + 0.5, 0, 255).astype(np.uint8)
