"""The Python side of Sconce's python backend: a warm parent that forks, and the workers that it forks."""
