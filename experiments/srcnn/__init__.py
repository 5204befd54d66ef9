"""Image Super-Resolution Using Deep Convolutional Networks.

C. Dong, C. C. Loy, K. He, X. Tang. IEEE TPAMI 38(2), 2016. arXiv:1501.00092 (ECCV 2014).

Y is a low-resolution image, bicubically upscaled; X the truth. Three convolutions go from one to the
other, trained end to end:

    F1(Y) = max(0, W1 * Y + B1),  F2(Y) = max(0, W2 * F1(Y) + B2),  F(Y) = W3 * F2(Y) + B3
    L = 1/n sum_i ||F(Y_i) - X_i||^2

They do what sparse coding did in steps: extract patches, map them non-linearly, put patches together.
"""
