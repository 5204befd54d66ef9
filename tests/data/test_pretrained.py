"""The authors' .mat files, made small, against loops that follow their MATLAB code."""

import jax
import numpy as np
import pytest
import scipy.io

from lib.data import pretrained
from lib.errors import UserError
from lib.models.super_resolution import SRCNN, VDSR

SIZES, WIDTHS = (5, 3, 3), (4, 2)
RNG = np.random.default_rng(0)
IMAGE = RNG.random((12, 10))


def srcnn_arrays(sizes=SIZES, widths=WIDTHS):
    (f1, f2, f3), (n1, n2) = sizes, widths
    return {
        "weights_conv1": RNG.normal(size=(f1 * f1, n1)),
        "weights_conv2": RNG.normal(size=(n1, f2 * f2, n2)),
        "weights_conv3": RNG.normal(size=(n2, f3 * f3)),
        "biases_conv1": RNG.normal(size=(n1, 1)),
        "biases_conv2": RNG.normal(size=(n2, 1)),
        "biases_conv3": RNG.normal(size=(1, 1)),
    }


def vdsr_arrays(width=3, depth=4):
    def cell(arrays):
        found = np.empty((1, len(arrays)), object)
        for i, array in enumerate(arrays):
            found[0, i] = array
        return found

    widths = [1] + [width] * (depth - 1) + [1]
    kernels = [RNG.normal(size=(3, 3, c, d)) for c, d in zip(widths, widths[1:], strict=False)]
    kernels[-1] = kernels[-1][..., 0]  # as MATLAB has it
    biases = [RNG.normal(size=(d, 1)) for d in widths[1:]]
    return {"model": {"weight": cell(kernels), "bias": cell(biases)}}


def imfilter(image, kernel, border):
    """MATLAB's `imfilter(image, kernel, 'same', ...)`: correlation, in loops."""
    reach = len(kernel) // 2
    padded = np.pad(image, reach, mode=border)
    output = np.zeros_like(image)
    for y, x in np.ndindex(image.shape):
        output[y, x] = (padded[y : y + len(kernel), x : x + len(kernel)] * kernel).sum()
    return output


def matlab_srcnn(m, y):
    """SRCNN.m, line by line."""

    def patch(column, f):
        return column.reshape(f, f, order="F")

    f1, f2, f3 = (int(m[f"weights_conv{i}"].shape[k] ** 0.5) for i, k in ((1, 0), (2, 1), (3, 1)))
    n1, n2 = m["weights_conv1"].shape[1], m["weights_conv3"].shape[0]
    conv1 = [
        np.maximum(imfilter(y, patch(m["weights_conv1"][:, i], f1), "edge") + b, 0)
        for i, b in zip(range(n1), m["biases_conv1"].ravel(), strict=True)
    ]
    conv2 = []
    for i in range(n2):
        total = sum(
            imfilter(conv1[j], patch(m["weights_conv2"][j, :, i], f2), "edge") for j in range(n1)
        )
        conv2.append(np.maximum(total + m["biases_conv2"].ravel()[i], 0))
    total = sum(imfilter(conv2[i], patch(m["weights_conv3"][i], f3), "edge") for i in range(n2))
    return total + m["biases_conv3"].item()


def matlab_vdsr(m, y):
    features = [y]
    kernels, biases = m["model"]["weight"].ravel(), m["model"]["bias"].ravel()
    for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        kernel = kernel.reshape(3, 3, len(features), -1)
        features = [
            sum(imfilter(f, kernel[:, :, c, d], "constant") for c, f in enumerate(features))
            + bias[d, 0]
            for d in range(kernel.shape[3])
        ]
        if i + 1 < len(kernels):
            features = [np.maximum(f, 0) for f in features]
    return y + features[0]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("sizes, widths", [(SIZES, WIDTHS), ((3, 1, 5), (3, 4))])
def test_an_srcnn_computes_what_its_matlab_code_does(sizes, widths, compressed, tmp_path):
    arrays = srcnn_arrays(sizes, widths)
    scipy.io.savemat(tmp_path / "x3.mat", arrays, do_compression=compressed)
    found_sizes, found_widths, params = pretrained.srcnn(tmp_path / "x3.mat")
    assert (found_sizes, found_widths) == (sizes, widths)
    assert all(x.dtype == np.float32 for x in jax.tree.leaves(params))
    net = SRCNN(found_sizes, found_widths, padding="EDGE")
    output = jax.jit(net.apply)({"params": params}, IMAGE[None, ..., None].astype(np.float32))
    wanted = matlab_srcnn(arrays, IMAGE)
    np.testing.assert_allclose(output[0, :, :, 0], wanted, atol=2e-5 * np.abs(wanted).max())


def test_a_vdsr_computes_what_its_layers_say(tmp_path):
    arrays = vdsr_arrays()
    scipy.io.savemat(tmp_path / "v.mat", arrays)
    params = pretrained.vdsr(tmp_path / "v.mat")
    assert [layer["kernel"].shape for layer in params.values()] == [
        (3, 3, 1, 3),
        (3, 3, 3, 3),
        (3, 3, 3, 3),
        (3, 3, 3, 1),
    ]
    net = VDSR(depth=4, width=3)
    output = jax.jit(net.apply)({"params": params}, IMAGE[None, ..., None].astype(np.float32))
    wanted = matlab_vdsr(arrays, IMAGE)
    np.testing.assert_allclose(output[0, :, :, 0], wanted, atol=2e-5 * np.abs(wanted).max())


READERS = [(pretrained.srcnn, srcnn_arrays), (pretrained.vdsr, vdsr_arrays)]


def refused(read, path):
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.code == 2
    return str(caught.value)


@pytest.mark.parametrize("read, arrays", READERS)
def test_a_missing_file_is_said_to_be(read, arrays, tmp_path):
    assert "there is no such file" in refused(read, tmp_path / "x3.mat")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("read, arrays", READERS)
def test_a_truncated_file_is_named_wherever_it_ends(read, arrays, compressed, tmp_path):
    path = tmp_path / "x3.mat"
    scipy.io.savemat(path, arrays(), do_compression=compressed)
    whole = path.read_bytes()
    for end in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:end])
        assert "is not" in refused(read, path)


@pytest.mark.parametrize(
    "content",
    [
        b"<html>404</html>\n" * 30,
        b"\0" * 300,
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM\x89HDF",
    ],
    ids=["text", "zeros", "HDF5"],
)
@pytest.mark.parametrize("read, arrays", READERS)
def test_another_kind_of_file_is_named(read, arrays, content, tmp_path):
    path = tmp_path / "x3.mat"
    path.write_bytes(content)
    assert "is not" in refused(read, path)


@pytest.mark.parametrize("read, arrays", READERS)
def test_a_folder_is_named(read, arrays, tmp_path):
    refused(read, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"something": np.ones(3)},
        {"model": 1.0},
        {"model": "a word"},
        {"model": {"weight": 1.0, "bias": 2.0}},
        {"model": {"weights": np.ones(3)}},
    ],
)
@pytest.mark.parametrize("read, arrays", READERS)
def test_a_mat_file_of_something_else_is_named(read, arrays, content, tmp_path):
    path = tmp_path / "x3.mat"
    scipy.io.savemat(path, content)
    assert "is not" in refused(read, path)


@pytest.mark.parametrize(
    "changed",
    [
        {"weights_conv1": np.ones((24, 4))},  # no square
        {"weights_conv1": np.ones((25, 3))},
        {"weights_conv2": np.ones((5, 9, 2))},
        {"weights_conv2": np.ones((4, 9))},
        {"weights_conv3": np.ones((3, 9))},
        {"biases_conv1": np.ones((3, 1))},
        {"biases_conv3": np.ones((2, 1))},
        {"biases_conv2": "two"},
    ],
)
def test_srcnn_layers_that_do_not_fit_are_named(changed, tmp_path):
    path = tmp_path / "x3.mat"
    scipy.io.savemat(path, srcnn_arrays() | changed)
    assert "is not an SRCNN of the authors" in refused(pretrained.srcnn, path)


@pytest.mark.parametrize(
    "field, layer, value",
    [
        ("weight", 1, np.ones((3, 3, 2, 3))),
        ("weight", 3, np.ones((3, 3, 2))),
        ("weight", 0, np.ones((3, 3))),
        ("bias", 2, np.ones((4, 1))),
        ("bias", 1, "three"),
    ],
)
def test_vdsr_layers_that_do_not_fit_are_named(field, layer, value, tmp_path):
    path, arrays = tmp_path / "v.mat", vdsr_arrays()
    arrays["model"][field][0, layer] = value
    scipy.io.savemat(path, arrays)
    assert "is not the authors' VDSR" in refused(pretrained.vdsr, path)


def test_a_vdsr_that_lacks_a_bias_is_named(tmp_path):
    path, arrays = tmp_path / "v.mat", vdsr_arrays()
    arrays["model"]["bias"] = arrays["model"]["bias"][:, :-1]
    scipy.io.savemat(path, arrays)
    refused(pretrained.vdsr, path)
