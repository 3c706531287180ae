"""CSV and Parquet files of plant data: what each cell means, and where series begin and end."""
