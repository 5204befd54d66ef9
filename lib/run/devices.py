"""Which device a process computes on, said before anything is computed."""

import os
import shutil
import sys
from pathlib import Path

from lib.base.errors import UserError
from lib.base.homes import user_folder
from lib.base.memory import keep_freed

PLATFORMS = {"cpu": "cpu", "gpu": "cuda", "tpu": "tpu"}


def choose(device: str, precision: str = "float32") -> str:
    """Makes `device` ("auto", "cpu", "gpu", "tpu") the process's only platform; describes it.

    From then on float32 products are what `precision` says (see `lib.run.precision`). Must come before the
    first computation. Raises UserError when what was asked for is not there: a run never falls back to the
    CPU in silence, nor to another precision.
    """
    import jax

    from lib.run.precision import PRODUCTS

    jax.config.update(
        "jax_enable_x64", False
    )  # whatever the environment says: a config has `precision`
    if device != "auto":
        jax.config.update("jax_platforms", PLATFORMS[device])
    try:
        devices = jax.devices()
    except (RuntimeError, AssertionError) as error:  # the latter, wordless, where a plugin lacks
        asked = f"--device {device}" if device != "auto" else "JAX_PLATFORMS"
        why = str(error).split("\n")[0].split(" (set JAX_PLATFORMS")[0] or "it cannot use one"
        raise UserError(f"{asked}: JAX finds no such device here ({why})", 2) from None
    platform = devices[0].platform
    if device != "auto" and platform != device:
        raise UserError(f"--device {device}: JAX finds only {platform} here", 2)
    if precision == "tf32" and platform != "gpu":
        raise UserError(f"--precision tf32: only a GPU has it, and JAX finds a {platform} here", 2)
    jax.config.update("jax_default_matmul_precision", PRODUCTS[precision])
    if platform == "cpu" and device == "auto" and shutil.which("nvidia-smi"):
        print(
            "this machine has an NVIDIA GPU that JAX cannot use: pip install 'jax[cuda13]' to use "
            "it, or --device cpu to say that the CPU is meant",
            file=sys.stderr,
        )
    if platform == "cpu":
        keep_freed()
    kind = devices[0].device_kind if platform != "cpu" else f"{os.cpu_count()} cores"
    if platform != "cpu":
        return f"{platform} ({len(devices)} x {kind})"
    return f"cpu ({kind})" if len(devices) == 1 else f"cpu ({kind}, {len(devices)} devices)"


def keep_compiled(folder: Path | None = None) -> None:
    """Keeps compiled programs in a folder: a second start compiles nothing.

    In `folder`, or where JAX_COMPILATION_CACHE_DIR says, or in the user's cache; without a home, nowhere.
    """
    import jax

    if folder is None and not jax.config.jax_compilation_cache_dir:
        try:
            folder = user_folder("XDG_CACHE_HOME", ".cache") / "deep-morning"
        except UserError:
            return
    if folder is not None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def compile_clock():
    """Returns a function that tells the seconds spent compiling from now on."""
    import jax

    spent = [0.0]

    def add(event: str, seconds: float, **_) -> None:
        if event.endswith("backend_compile_duration"):
            spent[0] += seconds

    jax.monitoring.register_event_duration_secs_listener(add)
    return lambda: spent[0]
