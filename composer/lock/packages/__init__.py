"""Which packages are installed in an image or a container, read from its files: nothing in it is ever run.

* `collect.packages_in`   one walk over a chain of layers, which finds what the ecosystems keep their records in
* `debian` `alpine` `pip` `npm`   one record's text → names and versions; pure

Images are hostile: what is read is bounded in size and number, links are not followed, and names and versions that do not
look like any are left out, so that nothing strange gets into a lock file or onto a terminal.
"""
