"""What every paper's config checks. Light: imports nothing."""


def at_least(config, **bounds: float) -> None:
    """Raises ValueError, naming the option, if a field of `config` is below its bound or NaN; None passes."""
    for name, bound in bounds.items():
        value = getattr(config, name)
        if value is not None and not value >= bound:
            raise ValueError(f"--{name.replace('_', '-')} must be at least {bound}, not {value}")
