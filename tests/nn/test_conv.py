import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from lib.nn import conv as module
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


def with_gradients(function):
    """`(outputs, both gradients)`, the gradients of a scalar whose cotangent differs at every output."""

    def run(x, kernel):
        y, backward = jax.vjp(function, x, kernel)
        return y, backward(jnp.asarray(np.cos(np.arange(y.size)).reshape(y.shape), y.dtype))

    return run


@functools.cache
def by_both(shape, padding):
    """`(ours, lax's)`, outputs and gradients, in one program."""

    def ours(x, kernel):
        return conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=NHWC)

    def theirs(x, kernel):
        return by_lax(x, kernel, padding)

    return jax.jit(lambda *a: (with_gradients(ours)(*a), with_gradients(theirs)(*a)))(
        *inputs(*shape)
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", ["VALID", "SAME", "uneven", "wide", "cropping"])
def test_outputs_and_both_gradients_are_those_of_lax(shape, padding):
    found, wanted = by_both(shape, PADS.get(padding, padding))
    assert found[0].shape == wanted[0].shape and found[0].dtype == wanted[0].dtype
    close(found, wanted)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pads", ["VALID", "uneven", "wide"])
def test_outputs_are_those_of_a_loop(shape, pads):
    (found, _), _ = by_both(shape, PADS[pads])
    close(found, by_loops(*inputs(*shape), PADS[pads]))


@pytest.mark.parametrize("padding", ["VALID", "uneven", "cropping"])
def test_images_side_by_side_are_images_by_themselves(padding, monkeypatch):
    """What XLA before 0.12 gets, whatever is installed."""
    monkeypatch.setattr(module, "OLD", True)
    x, kernel = arrays((3, 9, 14, 4), (3, 3, 4, 5))

    def ours(x, kernel):
        return conv(x, kernel, PADS[padding])

    def theirs(x, kernel):
        return by_lax(x, kernel, PADS[padding])

    assert "f32[1,9,42,4]" in str(jax.make_jaxpr(ours)(x, kernel)) or padding != "VALID"
    close(*jax.jit(lambda *a: (with_gradients(ours)(*a), with_gradients(theirs)(*a)))(x, kernel))


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_inside_a_scan_are_the_same(shape):
    x, kernel = inputs(*shape)
    both = with_gradients(lambda x, k: conv(x, k, ((1, 1), (1, 0))))

    @jax.jit
    def run(kernel):
        return both(x, kernel), lax.scan(lambda k, _: (k, both(x, k)), kernel, None, length=2)[1]

    plain, scanned = run(kernel)
    for i in range(2):
        close(jax.tree.map(lambda a: np.asarray(a)[i], scanned), plain)


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2], SHAPES[6]])  # one for each way it is done
def test_without_jit_gradients_are_the_same(shape):
    both = with_gradients(lambda x, k: conv(x, k, PADS["uneven"]))
    with jax.disable_jit():
        plain = both(*inputs(*shape))
    close(by_both(shape, PADS["uneven"])[0], plain)


def test_vmap_over_images_is_a_loop_over_them():
    x, kernel = arrays((3, 2, 6, 5, 4), (3, 3, 4, 1))

    def ours(x):
        return with_gradients(lambda x, k: conv(x, k, ((1, 1), (1, 1))))(x, kernel)

    close(*jax.jit(lambda x: (jax.vmap(ours)(x), lax.map(ours, x)))(x))


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_a_gradient_of_a_gradient_is_that_of_lax(shape):
    def twice(function):
        def norm(x, kernel):
            _, (to_x, to_kernel) = with_gradients(lambda x, k: jnp.tanh(function(x, k)))(x, kernel)
            return (to_x**2).sum() + (to_kernel**2).sum()

        return jax.grad(norm, (0, 1))

    pads = ((1, 1), (0, 1))
    ours, theirs = (twice(lambda x, k, f=f: f(x, k, pads)) for f in (conv, by_lax))
    close(*jax.jit(lambda *a: (ours(*a), theirs(*a)))(*inputs(*shape)), 1e-4)


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


def made_and_applied(x, *nets):
    """`(parameters, outputs)` of each, all from one key, in one program."""
    return jax.jit(lambda x: [net.init_with_output(jax.random.key(0), x)[::-1] for net in nets])(x)


@pytest.mark.parametrize("window", [(3, 3), (4, 1), (9, 5)])
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_has_flaxs_parameters_and_outputs(window, padding, bias):
    (x,) = arrays((2, 10, 11, 3))
    options = {"padding": padding, "use_bias": bias, "bias_init": nn.initializers.normal()}
    ours, theirs = Conv(5, window, **options), nn.Conv(5, window, **options)
    with_ours = nn.Conv(5, window, **options, conv_general_dilated=conv_general_dilated)
    (params, y), (other, z), (_, by_ours) = made_and_applied(x, theirs, ours, with_ours)
    jax.tree.map(np.testing.assert_array_equal, other, params)
    close(z, y)
    close(by_ours, y)


@pytest.mark.parametrize("window", [(3, 3), (4, 5)])
def test_edge_padding_repeats_the_border(window):
    (x,) = arrays((2, 6, 7, 3))
    layer = Conv(5, window, padding="EDGE")
    around = [(0, 0), *(((k - 1) // 2, k // 2) for k in window), (0, 0)]

    @jax.jit
    def run(x):
        params = layer.init(jax.random.key(0), x)
        kernel = params["params"]["kernel"]

        def ours(x):
            y = layer.apply(params, x)
            return jnp.sin(y).sum(), y

        def theirs(x):
            return jnp.sin(by_lax(jnp.pad(x, around, mode="edge"), kernel, "VALID")).sum()

        to_x, found = jax.grad(ours, has_aux=True)(x)
        return kernel, found, to_x, jax.grad(theirs)(x)

    kernel, found, to_x, wanted = run(x)
    assert found.shape == (2, 6, 7, 5)
    close(found, by_loops(np.pad(x, around, mode="edge"), kernel, PADS["VALID"]))
    close(to_x, wanted)


@pytest.mark.parametrize("features", [1, 5])
def test_in_bfloat16_the_parameters_stay_float32(features):
    (x,) = arrays((2, 6, 7, 8))
    layer = Conv(features, (3, 3), dtype=jnp.bfloat16)

    @jax.jit
    def run(x):
        params = layer.init(jax.random.key(0), x)

        def total(params):
            y = layer.apply(params, x)
            return y.astype(jnp.float32).sum(), y

        gradient, found = jax.grad(total, has_aux=True)(params)
        return params, gradient, found, by_lax(x, params["params"]["kernel"], "SAME")

    params, gradient, found, wanted = run(x)
    for tree in (params, gradient):
        assert {leaf.dtype for leaf in jax.tree.leaves(tree)} == {jnp.dtype("float32")}
    assert found.dtype == jnp.bfloat16
    close(np.asarray(found, np.float32), wanted, 0.02)


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
    def ours(x, kernel):
        return conv_strided(x, kernel, stride)

    def theirs(x, kernel):
        return lax.conv_general_dilated(
            x, kernel, (stride, stride), "VALID", dimension_numbers=NHWC
        )

    found, wanted = jax.jit(lambda *a: (with_gradients(ours)(*a), with_gradients(theirs)(*a)))(
        *inputs(*shape)
    )
    assert found[0].shape == wanted[0].shape and found[0].dtype == wanted[0].dtype
    close(found, wanted)


@pytest.mark.parametrize("window, stride", [((4, 4), 2), ((3, 3), 2), ((8, 8), 4)])
def test_the_layer_with_a_stride_has_flaxs_parameters_and_outputs(window, stride):
    (x,) = arrays((2, 17, 22, 3))
    options = {"padding": "VALID", "bias_init": nn.initializers.normal()}
    ours = Conv(5, window, stride=stride, **options)
    theirs = nn.Conv(5, window, strides=(stride, stride), **options)
    (params, y), (other, z) = made_and_applied(x, theirs, ours)
    jax.tree.map(np.testing.assert_array_equal, other, params)
    close(z, y)


@pytest.mark.parametrize("stride, dilation", [(2, 1), (1, 2), (1, 3)])
def test_same_with_a_stride_or_a_dilation_has_as_many_zeros_on_either_side(stride, dilation):
    (x,) = arrays((2, 9, 8, 3))
    layer = Conv(5, (3, 3), stride=stride, dilation=dilation)
    theirs = nn.Conv(
        5, (3, 3), stride, padding=[(dilation, dilation)] * 2, kernel_dilation=dilation
    )

    def applied(net, params):
        def total(params):
            y = net.apply(params, x)
            return jnp.sin(y).sum(), y

        return jax.grad(total, has_aux=True)(params)

    @jax.jit
    def run(key):
        params = layer.init(key, x)
        return applied(layer, params), applied(theirs, params)

    found, wanted = run(jax.random.key(0))
    jax.tree.map(close, found, wanted)


def test_a_stride_of_dilated_taps_and_taps_that_do_not_fit_are_refused():
    (x,) = arrays((2, 6, 7, 3))
    with pytest.raises(ValueError, match="one of them is 1"):
        Conv(5, (3, 3), stride=2, dilation=2).init(jax.random.key(0), x)
    with pytest.raises(ValueError, match="do not fit"):
        Conv(5, (3, 3), padding="VALID", dilation=4).init(jax.random.key(0), x)
