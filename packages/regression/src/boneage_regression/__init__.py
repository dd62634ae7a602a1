"""Tells bone age in months from a prepared hand radiograph: networks, folds, training recipe, inference, metrics."""
