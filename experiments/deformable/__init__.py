"""Deformable convolution: a convolution that finds from its input where it looks.

J. Dai, H. Qi, Y. Xiong, Y. Li, G. Zhang, H. Hu, Y. Wei. Deformable Convolutional Networks. ICCV 2017,
arXiv:1703.06211.

A convolution samples its input on a regular grid R; here each tap p_n is moved by an offset that another
convolution finds from the same input (equation 2):

    y(p_0) = sum over p_n in R of w(p_n) x(p_0 + p_n + dp_n)

The offsets are fractions, so x is read bilinearly (equation 3), and they learn with everything else.
"""
