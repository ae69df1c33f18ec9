"""Measurements that no stage depends on: `make bench`."""
