"""The benchmark: composer and Docker with Compose v2 in turn, on one machine, in one run; ratios are what counts.

setup.sh      the peer, from Debian packages, in a box of namespaces
bench.py      the command: measures in pairs, prints a table, writes JSON
figures.py    what is measured, once for both sides
peers.py      the two sides, behind one way to run a command
runner.py     runs commands and takes their time, inside the box or on the host
projects.py   the Compose files, and the small programs that run in containers
engine_part.py   composer's engine without its command line
report.py     the table
"""
