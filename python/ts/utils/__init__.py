"""What the worker and handlers share about labels, classes and configuration."""
