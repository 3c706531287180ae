"""dualgaf: dual Gramian angular fields of multivariate time series."""
