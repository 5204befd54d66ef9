"""Accurate Image Super-Resolution Using Very Deep Convolutional Networks.

J. Kim, J. K. Lee, K. M. Lee. CVPR 2016. arXiv:1511.04587.

x is a low-resolution image, bicubically upscaled; y the truth. Twenty convolutions predict only what
bicubic lacks, the residual r = y - x, for several factors at once:

    minimise 1/2 ||r - f(x)||^2,  the image is x + f(x)

Learning rates as high as 0.1 do not diverge because each component of the gradient is clipped to
[-theta/gamma, theta/gamma], gamma being the learning rate of the moment.
"""
