"""Ways in which programs write tables: one module a family of them."""
