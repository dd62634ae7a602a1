"""Finds the hand in a radiograph: U-Net, training recipe, inference, metrics."""
