"""Pure jnp functions without parameters; the first paper needs none yet."""
