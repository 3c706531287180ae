"""The kernels to use: numba's where numba can be imported, else NumPy's, with the same bytes."""

try:
    from dualgaf.imaging import kernel
except ImportError:  # numba trails new Pythons by months; the images are the same, only slower
    from dualgaf.imaging import reference as kernel  # type: ignore[no-redef]

__all__ = ["kernel"]
