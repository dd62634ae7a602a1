"""What `check.py` is made of. It runs with any Python 3.11 or 3.12 and uv, nothing else installed."""
