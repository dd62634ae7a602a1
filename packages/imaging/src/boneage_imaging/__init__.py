"""Image operations for hand radiographs: arrays in, arrays out."""
