"""A virtual machine for what this machine's kernel does not have: cgroup v2 alone, as on laptops of today."""
