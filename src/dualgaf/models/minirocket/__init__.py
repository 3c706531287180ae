"""Fixed kernels of MiniRocket and a ridge regression, beside the images."""
