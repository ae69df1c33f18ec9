"""Data sets: rendering, archives, their on-disk layout, packing, augmentation."""
