"""Explaining and Harnessing Adversarial Examples.

I. J. Goodfellow, J. Shlens, C. Szegedy. ICLR 2015, arXiv:1412.6572; with C. Szegedy et al., Intriguing
properties of neural networks, arXiv:1312.6199, and A. Nguyen, J. Yosinski, J. Clune, Deep neural networks
are easily fooled, arXiv:1412.1897.

A small step that raises a network's loss at every pixel at once changes what it sees, hardly what we see:

    x' = x + epsilon sign(d/dx J(theta, x, y))

because a sum of many small changes is large where a network is nearly linear. Trained on such x' as well,
    J~ = alpha J(theta, x, y) + (1 - alpha) J(theta, x', y),
it resists them.
"""
