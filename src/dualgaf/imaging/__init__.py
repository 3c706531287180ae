"""From series to images: windows, PAA, scaling, the GAF kernel, storage layouts."""
