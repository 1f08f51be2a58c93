"""composer: `compose up` without Docker.

One YAML file describes services, volumes, bind mounts and networks; composer validates it, resolves it into a
dependency graph and materialises it with its own embedded runtime. ARCHITECTURE.md beside this file is the map.
"""

__version__ = "0.1.0"
