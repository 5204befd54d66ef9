"""Neural Turing Machines.

A. Graves, G. Wayne, I. Danihelka. arXiv:1410.5401, 2014.

A controller network reads and writes a memory of N rows through heads. Each head spreads its attention
over the rows, a weighting w that is made from what it looks for and where it was:

    w_c(i) = softmax_i(beta K[k, M(i)]),  w_g = g w_c + (1 - g) w_{t-1},  w~ = w_g * s,  w ~ w~^gamma
    r = sum_i w(i) M(i),  M(i) <- M(i) (1 - w(i) e) + w(i) a

All of it is differentiable, so that gradient descent finds programs: copying, sorting, recalling.
"""
