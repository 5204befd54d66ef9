"""A Neural Algorithm of Artistic Style.

L. A. Gatys, A. S. Ecker, M. Bethge. arXiv:1508.06576, 2015; CVPR 2016, pp. 2414-2423.

A network that recognises objects sees a photograph p and a painting a. An image x is sought whose features
F are the photograph's, and whose features' correlations G_ij = sum_k F_ik F_jk, in which no place is left,
are the painting's:

    L(x) = alpha sum_ij 1/2 (F_ij - P_ij)^2  +  beta sum_l w_l 1/(4 N_l^2 M_l^2) sum_ij (G^l_ij - A^l_ij)^2

The network stays as it is. What is optimised is x.
"""
