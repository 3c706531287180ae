"""Extra trees on quantiles of intervals of the window, beside the images."""
