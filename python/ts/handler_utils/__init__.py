"""Tools that handlers import: streaming, timing, micro-batching, text."""
