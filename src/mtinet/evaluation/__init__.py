"""From a network's outputs to metrics and their comparison."""
