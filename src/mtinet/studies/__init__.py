"""Studies beside the tables: resources."""
