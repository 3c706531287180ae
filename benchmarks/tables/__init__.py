"""How long a folder of tables takes to read: this build, an earlier one, bare polars."""
