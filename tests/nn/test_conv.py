import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from lib.nn.conv import NHWC, Conv, conv, conv_general_dilated, conv_strided

# (height, width), (kernel height, kernel width), channels in, channels out
SHAPES = [
    ((7, 6), (3, 3), 4, 5),
    ((8, 9), (5, 2), 1, 6),
    ((6, 7), (4, 3), 6, 1),
    ((5, 5), (3, 5), 1, 1),
    ((6, 6), (3, 3), 7, 3),
    ((5, 4), (1, 1), 3, 6),
    ((4, 3), (3, 2), 130, 128),
]
PADS = {
    "VALID": ((0, 0), (0, 0)),
    "uneven": ((2, 0), (0, 1)),
    "wide": ((5, 4), (3, 6)),
    "cropping": ((-1, 0), (1, -1)),
}


def arrays(*shapes):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=s), jnp.float32) for s in shapes]


def inputs(size, window, c, d):
    return arrays((2, *size, c), (*window, c, d))


def by_lax(x, kernel, padding):
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=NHWC)


def by_loops(x, kernel, pads):
    """A correlation, in float64, for pads that are not negative."""
    x, kernel = np.asarray(x, np.float64), np.asarray(kernel, np.float64)
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    kh, kw, _, d = kernel.shape
    y = np.empty((len(x), x.shape[1] - kh + 1, x.shape[2] - kw + 1, d))
    for n, i, j in np.ndindex(*y.shape[:3]):
        y[n, i, j] = np.tensordot(x[n, i : i + kh, j : j + kw], kernel, 3)
    return y


def close(found, wanted, tolerance=1e-5):
    """Relative to the largest: what is nearly zero by cancellation has no digits of its own."""
    jax.tree.map(
        lambda f, w: np.testing.assert_allclose(
            f, w, rtol=tolerance, atol=tolerance * float(np.abs(w).max())
        ),
        found,
        wanted,
    )


def gradients(function, x, kernel):
    """Of a scalar whose cotangent differs at every output."""

    def scalar(x, kernel):
        y = function(x, kernel)
        return (y * jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)).sum()

    return jax.jit(jax.grad(scalar, (0, 1)))(x, kernel)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", ["VALID", "SAME", "uneven", "wide", "cropping"])
def test_outputs_and_both_gradients_are_those_of_lax(shape, padding):
    x, kernel = inputs(*shape)
    padding = PADS.get(padding, padding)

    def ours(x, kernel):
        return conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=NHWC)

    def theirs(x, kernel):
        return by_lax(x, kernel, padding)

    found, wanted = jax.jit(ours)(x, kernel), theirs(x, kernel)
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    close(found, wanted)
    close(gradients(ours, x, kernel), gradients(theirs, x, kernel))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pads", ["VALID", "uneven", "wide"])
def test_outputs_are_those_of_a_loop(shape, pads):
    x, kernel = inputs(*shape)
    close(jax.jit(conv, static_argnums=2)(x, kernel, PADS[pads]), by_loops(x, kernel, PADS[pads]))


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_inside_a_scan_and_without_jit_are_the_same(shape):
    x, kernel = inputs(*shape)

    def both(kernel):
        return gradients(lambda x, k: conv(x, k, ((1, 1), (1, 0))), x, kernel)

    def body(kernel, _):
        return kernel, both(kernel)

    _, scanned = jax.jit(lambda k: lax.scan(body, k, None, length=2))(kernel)
    with jax.disable_jit():
        plain = both(kernel)
    for i in range(2):
        close(jax.tree.map(lambda a: a[i], scanned), plain)


def test_vmap_over_images_is_a_loop_over_them():
    x, kernel = arrays((3, 2, 6, 5, 4), (3, 3, 4, 1))

    def ours(x):
        return gradients(lambda x, k: conv(x, k, ((1, 1), (1, 1))), x, kernel)

    found = jax.vmap(ours)(x)
    close(found, jax.tree.map(lambda *each: jnp.stack(each), *[ours(one) for one in x]))


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_a_gradient_of_a_gradient_is_that_of_lax(shape):
    x, kernel = inputs(*shape)

    def twice(function):
        def norm(x, kernel):
            to_x, to_kernel = gradients(lambda x, k: jnp.tanh(function(x, k)), x, kernel)
            return (to_x**2).sum() + (to_kernel**2).sum()

        return jax.jit(jax.grad(norm, (0, 1)))(x, kernel)

    pads = ((1, 1), (0, 1))
    close(twice(lambda x, k: conv(x, k, pads)), twice(lambda x, k: by_lax(x, k, pads)), 1e-4)


def test_forward_mode_is_refused():
    x, kernel = inputs(*SHAPES[0])
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda x: conv(x, kernel, PADS["VALID"]), (x,), (x,))


@pytest.mark.parametrize(
    "options",
    [
        {"window_strides": (2, 1)},
        {"lhs_dilation": (2, 2)},
        {"rhs_dilation": (1, 2)},
        {"feature_group_count": 2},
        {"dimension_numbers": ("HWNC", "HWIO", "NHWC")},
        {"preferred_element_type": jnp.float32},
    ],
)
def test_everything_else_is_laxs_own(options):
    x, kernel = arrays((4, 7, 6, 4), (3, 3, 2 if "feature_group_count" in options else 4, 6))
    options = {"window_strides": (1, 1), "dimension_numbers": NHWC, **options}

    def jaxpr(function):
        pads = ((1, 1), (1, 1))
        return str(jax.make_jaxpr(lambda *a: function(*a, padding=pads, **options))(x, kernel))

    assert jaxpr(conv_general_dilated) == jaxpr(lax.conv_general_dilated)


def test_an_accelerator_gets_the_plain_operator(monkeypatch):
    x, kernel = inputs(*SHAPES[0])

    def jaxpr():
        def function(x, kernel):
            return conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=NHWC)

        return str(jax.make_jaxpr(function)(x, kernel))

    assert "custom_vjp" in jaxpr()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "custom_vjp" not in jaxpr()


@pytest.mark.parametrize("window", [(3, 3), (4, 1), (9, 5)])
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_has_flaxs_parameters_and_outputs(window, padding, bias):
    (x,) = arrays((2, 10, 11, 3))
    options = {"padding": padding, "use_bias": bias, "bias_init": nn.initializers.normal()}
    ours, theirs = Conv(5, window, **options), nn.Conv(5, window, **options)
    params = theirs.init(jax.random.key(0), x)
    jax.tree.map(np.testing.assert_array_equal, ours.init(jax.random.key(0), x), params)
    close(ours.apply(params, x), theirs.apply(params, x))
    with_ours = nn.Conv(5, window, **options, conv_general_dilated=conv_general_dilated)
    close(with_ours.apply(params, x), theirs.apply(params, x))


@pytest.mark.parametrize("window", [(3, 3), (4, 5)])
def test_edge_padding_repeats_the_border(window):
    (x,) = arrays((2, 6, 7, 3))
    layer = Conv(5, window, padding="EDGE")
    params = layer.init(jax.random.key(0), x)
    around = [((k - 1) // 2, k // 2) for k in window]
    kernel = params["params"]["kernel"]

    def by_numpy(x):
        return by_lax(jnp.pad(x, ((0, 0), *around, (0, 0)), mode="edge"), kernel, "VALID")

    found = layer.apply(params, x)
    assert found.shape == (2, 6, 7, 5)
    padded = np.pad(np.asarray(x), ((0, 0), *around, (0, 0)), mode="edge")
    close(found, by_loops(padded, kernel, PADS["VALID"]))
    close(
        jax.grad(lambda x: jnp.sin(layer.apply(params, x)).sum())(x),
        jax.grad(lambda x: jnp.sin(by_numpy(x)).sum())(x),
    )


@pytest.mark.parametrize("features", [1, 5])
def test_in_bfloat16_the_parameters_stay_float32(features):
    (x,) = arrays((2, 6, 7, 8))
    layer = Conv(features, (3, 3), dtype=jnp.bfloat16)
    params = layer.init(jax.random.key(0), x)
    assert {p.dtype for p in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    found = layer.apply(params, x)
    assert found.dtype == jnp.bfloat16
    close(found.astype(jnp.float32), by_lax(x, params["params"]["kernel"], "SAME"), 0.02)
    gradient = jax.grad(lambda p: layer.apply(p, x).astype(jnp.float32).sum())(params)
    assert {g.dtype for g in jax.tree.leaves(gradient)} == {jnp.dtype("float32")}


def test_an_unknown_padding_and_a_wrong_rank_are_refused():
    (x,) = arrays((2, 6, 7, 3))
    with pytest.raises(ValueError, match="padding"):
        Conv(5, (3, 3), padding="REFLECT").init(jax.random.key(0), x)
    with pytest.raises(AssertionError):
        Conv(5, (3, 3)).init(jax.random.key(0), x[0])


# --- Strides -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape, stride",
    [
        (((84, 84), (8, 8), 4, 16), 4),
        (((20, 20), (4, 4), 16, 32), 2),
        (((21, 19), (4, 4), 3, 6), 2),  # the last rows and columns are seen by no window
        (((30, 27), (8, 8), 2, 5), 4),
        (((9, 14), (4, 6), 3, 1), 2),
        (((4, 4), (4, 4), 3, 5), 4),
        (((11, 12), (3, 3), 3, 5), 2),  # a kernel that is no multiple of the stride
        (((11, 12), (4, 3), 3, 5), 2),
        (((11, 12), (2, 2), 3, 5), 3),  # and one that is smaller
        (((7, 6), (3, 3), 4, 5), 1),
    ],
)
def test_a_stride_gives_laxs_outputs_and_both_gradients(shape, stride):
    x, kernel = inputs(*shape)

    def ours(x, kernel):
        return conv_strided(x, kernel, stride)

    def theirs(x, kernel):
        return lax.conv_general_dilated(
            x, kernel, (stride, stride), "VALID", dimension_numbers=NHWC
        )

    found, wanted = jax.jit(ours)(x, kernel), theirs(x, kernel)
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    close(found, wanted)
    close(jax.jit(lambda *a: gradients(ours, *a))(x, kernel), gradients(theirs, x, kernel))


@pytest.mark.parametrize("window, stride", [((4, 4), 2), ((3, 3), 2), ((8, 8), 4)])
def test_the_layer_with_a_stride_has_flaxs_parameters_and_outputs(window, stride):
    (x,) = arrays((2, 17, 22, 3))
    options = {"padding": "VALID", "bias_init": nn.initializers.normal()}
    ours = Conv(5, window, stride=stride, **options)
    theirs = nn.Conv(5, window, strides=(stride, stride), **options)
    params = theirs.init(jax.random.key(0), x)
    jax.tree.map(np.testing.assert_array_equal, ours.init(jax.random.key(0), x), params)
    close(ours.apply(params, x), theirs.apply(params, x))


@pytest.mark.parametrize("stride, dilation", [(2, 1), (1, 2), (1, 3)])
def test_same_with_a_stride_or_a_dilation_has_as_many_zeros_on_either_side(stride, dilation):
    (x,) = arrays((2, 9, 8, 3))
    layer = Conv(5, (3, 3), stride=stride, dilation=dilation)
    theirs = nn.Conv(
        5, (3, 3), stride, padding=[(dilation, dilation)] * 2, kernel_dilation=dilation
    )
    params = layer.init(jax.random.key(0), x)

    def slopes(net):
        return jax.grad(lambda p: jnp.sin(net.apply(p, x)).sum())(params)

    close(layer.apply(params, x), theirs.apply(params, x))
    jax.tree.map(close, jax.jit(slopes, static_argnums=0)(layer), slopes(theirs))


def test_a_stride_of_dilated_taps_and_taps_that_do_not_fit_are_refused():
    (x,) = arrays((2, 6, 7, 3))
    with pytest.raises(ValueError, match="one of them is 1"):
        Conv(5, (3, 3), stride=2, dilation=2).init(jax.random.key(0), x)
    with pytest.raises(ValueError, match="do not fit"):
        Conv(5, (3, 3), padding="VALID", dilation=4).init(jax.random.key(0), x)
