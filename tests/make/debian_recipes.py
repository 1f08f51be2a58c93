"""What goes into each test image: packages, a few files, and the settings a registry's image would carry.

The images imitate the official ones closely enough that ordinary Compose files run on them unchanged: the same
`PATH`, data directory, volume, port and entrypoint behaviour, and servers that give up root. They are root file
systems; a tar has no image configuration, so `changes` holds it in Dockerfile words for `compose image import --change`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

SUITE = "bookworm"

REDIS_ENTRYPOINT = """\
#!/bin/sh
# Runs `redis-server` as user redis, reachable from the network, as the official image does.
set -e
case "${1:-}" in -* | *.conf) set -- redis-server "$@" ;; esac
if [ "$1" = redis-server ]; then
    set -- "$@" --protected-mode no
    if [ "$(id -u)" = 0 ]; then
        # A rootless engine with a single id has no user to change to.
        if setpriv --reuid=redis --regid=redis --init-groups true 2>/dev/null; then
            find . \\! -user redis -exec chown redis '{}' +
            exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
        fi
    fi
fi
umask 0077
exec "$@"
"""

POSTGRES_ENTRYPOINT = """\
#!/bin/bash
# Initialises $PGDATA on first start and runs the server as user postgres, never as root. Honours POSTGRES_PASSWORD,
# POSTGRES_USER, POSTGRES_DB, POSTGRES_HOST_AUTH_METHOD and /docker-entrypoint-initdb.d as the official image does.
set -euo pipefail
[ "${1:0:1}" = - ] && set -- postgres "$@"
if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown -R postgres:postgres "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    chmod 2775 /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres} database=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        echo "       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser." >&2
        exit 1
    fi
    # --no-sync: the checkpoint at the end of the set-up server's life syncs what counts.
    initdb --username="$user" --pwfile=<(printf '%s\\n' "${POSTGRES_PASSWORD:-unused}") \\
        --auth-local=trust --auth-host="$method" --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
    printf 'host all all all %s\\n' "$method" >> "$PGDATA/pg_hba.conf"
    # The set-up server's socket is out of the way, so that `pg_isready` says no until the real one is up.
    PGHOST=$(mktemp -d); export PGHOST
    pg_ctl --wait --silent --options="-c listen_addresses='' -c unix_socket_directories='$PGHOST'" start
    if [ "$database" != postgres ]; then
        psql --quiet --username="$user" --dbname=postgres --set=name="$database" <<<'CREATE DATABASE :"name";'
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
            *.sh) . "$script" ;;
            *.sql) psql --quiet --username="$user" --dbname="$database" --set=ON_ERROR_STOP=1 --file="$script" ;;
        esac
    done
    pg_ctl --wait --silent --mode=fast stop
    rmdir "$PGHOST"; unset PGHOST
    echo "PostgreSQL init process complete; ready for start up."
fi
exec "$@"
"""

# Packages must not start servers, nor create a cluster that the image would then carry.
POLICY = "#!/bin/sh\nexit 101\n"
CLUSTER_POLICY = "create_main_cluster = false\n"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One image; `base` is the recipe whose tree it grows from, "" for those that start from nothing."""

    name: str
    reference: str
    changes: tuple[str, ...]
    base: str = "debian"
    packages: tuple[str, ...] = ()
    before: dict[str, str] = field(default_factory=dict)
    """Files that must be there before the packages are installed."""
    files: dict[str, str] = field(default_factory=dict)
    """Files added afterwards; those in a `bin` directory are executable."""
    script: str = ""
    """Shell commands run in the tree at the end."""
    keep_settings: bool = False
    """Whether apt's client settings stay, for images in which packages are to be installed later."""

    def key(self) -> str:
        """A digest of all that decides the content; a changed recipe is a different file in the cache."""
        parts = [SUITE, self.name, self.base, self.packages, sorted(self.before.items()), sorted(self.files.items())]
        inherited = RECIPES[self.base].key() if self.base else ""
        kept = ("settings",) if self.keep_settings else ()
        return hashlib.sha256(json.dumps([*parts, self.script, inherited, *kept]).encode()).hexdigest()[:12]


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("busybox", "busybox:1", ('CMD ["sh"]',), base=""),
        Recipe("debian", "debian:12", (f"ENV PATH={PATH}", 'CMD ["bash"]'), base=""),
        Recipe(
            "python",
            "python:3",
            (f"ENV PATH={PATH}", 'CMD ["python3"]'),
            packages=("python3", "python3-psycopg2", "python3-redis"),
            script="ln -s /usr/bin/python3 /usr/local/bin/python",
        ),
        Recipe(
            "redis",
            "redis:7",
            (
                f"ENV PATH={PATH}",
                "WORKDIR /data",
                "VOLUME /data",
                "EXPOSE 6379/tcp",
                'ENTRYPOINT ["docker-entrypoint.sh"]',
                'CMD ["redis-server"]',
            ),
            packages=("redis-server", "redis-tools"),
            files={"usr/local/bin/docker-entrypoint.sh": REDIS_ENTRYPOINT},
            script="install -d -o redis -g redis /data",
        ),
        Recipe(
            "postgres",
            "postgres:15",
            (
                f"ENV PATH=/usr/lib/postgresql/15/bin:{PATH}",
                "ENV PGDATA=/var/lib/postgresql/data",
                "ENV LANG=C.UTF-8",
                "VOLUME /var/lib/postgresql/data",
                "EXPOSE 5432/tcp",
                "STOPSIGNAL SIGINT",
                'ENTRYPOINT ["docker-entrypoint.sh"]',
                'CMD ["postgres"]',
            ),
            packages=("postgresql-15",),
            before={"etc/postgresql-common/createcluster.conf": CLUSTER_POLICY},
            files={"usr/local/bin/docker-entrypoint.sh": POSTGRES_ENTRYPOINT},
            # The server listens for its network, and its data directory seeds the volume with its owner. The JIT
            # compiler is two thirds of the installed size and optional: without llvmjit.so the server does not use it.
            script="""
                rm -rf /usr/lib/postgresql/15/lib/llvmjit* /usr/lib/postgresql/15/lib/bitcode
                rm -f /usr/lib/*/libLLVM* /usr/lib/*/libz3.so* /usr/lib/llvm-*/lib/libLLVM*
                sed -i "s/^#*listen_addresses.*/listen_addresses = '*'/" /usr/share/postgresql/15/postgresql.conf.sample
                install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data
                install -d -o postgres -g postgres -m 2775 /var/run/postgresql
                mkdir -p /docker-entrypoint-initdb.d""",
        ),
    )
}
