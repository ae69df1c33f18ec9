"""Studies beside the tables: resources, and the width of MTI-Net's task features on FPN."""
