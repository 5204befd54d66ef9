"""A template for a paper: copy this folder (CONTRIBUTING.md says how) and replace what is in it.

H. Robbins, S. Monro. A Stochastic Approximation Method. Annals of Mathematical Statistics 22:400-407, 1951.

A root of E[g(w)] is found from noisy g alone, by steps that become smaller, but not too fast:

    w_{t+1} = w_t - a_t g(w_t),    sum a_t = inf,  sum a_t^2 < inf

Here g is the gradient of a squared error on a minibatch, and the root is known: least squares.
"""
