"""Generative Adversarial Nets.

I. J. Goodfellow, J. Pouget-Abadie, M. Mirza, B. Xu, D. Warde-Farley, S. Ozair, A. Courville,
Y. Bengio. NIPS 2014. arXiv:1406.2661.

A generator G turns noise z into samples; a discriminator D guesses whether it sees data or samples;
each is trained against the other:

    min_G max_D  E_{x ~ p_data}[log D(x)] + E_{z ~ p_z}[log(1 - D(G(z)))]

For a fixed G the best D is p_data / (p_data + p_g); against it, G minimises 2 JSD(p_data, p_g) - log 4.
"""
