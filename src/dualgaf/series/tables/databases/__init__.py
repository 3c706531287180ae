"""Databases: where one is, which columns a query has, and its rows with types that tables know."""
