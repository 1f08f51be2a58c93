"""Images under the names that people write in a Dockerfile, from Debian packages: what `FROM` and `image:` find in tests.

They imitate the official ones: `pip` installs where `python` looks, `npm` is there, nginx serves /usr/share/nginx/html in the
foreground. All carry what this host needs to reach its package indexes (`host_settings`).
"""

from __future__ import annotations

from tests.make import host_settings
from tests.make.debian_recipes import PATH, RECIPES, Recipe

_TRUSTED = {**host_settings.certificates(), **host_settings.apt()}
_TRUST = "update-ca-certificates >/dev/null 2>&1\n"

NGINX_SITE = """\
server {
    listen 80;
    location / { root /usr/share/nginx/html; index index.html; }
}
"""

NGINX_ENTRYPOINT = """\
#!/bin/sh
# The official image's runs scripts and templates first; of these the templates are what people use.
set -e
for template in /etc/nginx/templates/*.template; do
    [ -e "$template" ] || continue
    names=$(env | sed -n 's/^\\([A-Za-z_][A-Za-z0-9_]*\\)=.*/${\\1}/p' | tr '\\n' ' ')
    envsubst "$names" <"$template" >"/etc/nginx/conf.d/$(basename "$template" .template)"
done
exec "$@"
"""

HUB_RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "debian-slim",
            "debian:bookworm-slim",
            (f"ENV PATH={PATH}", 'CMD ["bash"]'),
            packages=("ca-certificates",),
            files=_TRUSTED,
            script=_TRUST,
            keep_settings=True,
        ),
        Recipe(
            "python-slim",
            "python:3.11-slim",
            (f"ENV PATH={PATH}", "ENV LANG=C.UTF-8", "ENV PYTHON_VERSION=3.11.2", 'CMD ["python3"]'),
            packages=("ca-certificates", "python3", "python3-pip", "python3-venv"),
            files={**_TRUSTED, **host_settings.pip()},
            script=_TRUST
            + "rm -f /usr/lib/python3*/EXTERNALLY-MANAGED; ln -s /usr/bin/python3 /usr/local/bin/python\n",
            keep_settings=True,
        ),
        Recipe(
            "node-slim",
            "node:18-slim",
            (
                f"ENV PATH={PATH}",
                "ENV NODE_VERSION=18.20.4",
                "ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt",
                'CMD ["node"]',
            ),
            packages=("ca-certificates", "nodejs", "npm"),
            files={**_TRUSTED, **host_settings.npm()},
            script=_TRUST + "useradd --create-home --uid 1000 --shell /bin/bash node\n",
            keep_settings=True,
        ),
        Recipe(
            "gcc",
            "gcc:12",
            (f"ENV PATH={PATH}", 'CMD ["bash"]'),
            packages=("ca-certificates", "gcc", "libc6-dev", "make"),
            files=_TRUSTED,
            script=_TRUST + "rm -rf /usr/lib/gcc/*/12/lto1 /usr/lib/gcc/*/12/*san*\n",
            keep_settings=True,
        ),
        Recipe(
            "nginx",
            "nginx:1.22",
            (
                f"ENV PATH={PATH}",
                "EXPOSE 80/tcp",
                "STOPSIGNAL SIGQUIT",
                'ENTRYPOINT ["/docker-entrypoint.sh"]',
                'CMD ["nginx", "-g", "daemon off;"]',
            ),
            packages=("nginx-light", "gettext-base", "curl"),
            files={"etc/nginx/conf.d/default.conf": NGINX_SITE, "usr/bin/docker-entrypoint.sh": NGINX_ENTRYPOINT},
            script="""
                mv /usr/bin/docker-entrypoint.sh /docker-entrypoint.sh
                rm -f /etc/nginx/sites-enabled/default
                ln -sf /dev/stdout /var/log/nginx/access.log; ln -sf /dev/stderr /var/log/nginx/error.log""",
        ),
    )
}

NAMES: dict[str, tuple[str, ...]] = {
    "busybox": ("busybox:1", "busybox:latest", "busybox:1.36"),
    "debian-slim": ("debian:bookworm-slim", "debian:12-slim", "debian:12", "debian:bookworm"),
    "python-slim": ("python:3.11-slim", "python:3.11", "python:3-slim"),
    "node-slim": ("node:18-slim", "node:18"),
    "gcc": ("gcc:12", "gcc:latest"),
    "nginx": ("nginx:1.22", "nginx:stable", "nginx:latest"),
    "postgres": ("postgres:15",),
    "redis": ("redis:7",),
}
"""Every name that the tests' copy of Docker Hub answers to, by recipe."""

ALL = {**RECIPES, **HUB_RECIPES}
"""Every recipe."""
