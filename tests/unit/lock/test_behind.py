from __future__ import annotations

from dataclasses import replace

from composer.lock.behind import known
from composer.lock.model import Lock, LockedCommit, LockedDownload, LockedImage
from composer.lock.triggers import triggered
from composer.lock.uses import Use, Uses
from composer.oci.digest import Digest

DIGEST = Digest.of(b"x")
URL = "https://example.com/app.git#main"
WEB = Use("web", "web")
LOCK = Lock(
    images={
        "base:1": LockedImage(DIGEST, {}, used_by=(f"Dockerfile of {URL}",)),
        "taken:1": LockedImage(DIGEST, {}, used_by=("ONBUILD of base:1",)),
        "gone:1": LockedImage(DIGEST, {}, used_by=("web",)),
    },
    downloads={"https://example.com/tool": LockedDownload(DIGEST, used_by=("ONBUILD of other:1",))},
    commits={URL: LockedCommit("c", used_by=("web",))},
)


def test_what_the_lock_knows_behind_a_name_is_used_as_long_as_that_name_is() -> None:
    found = known(LOCK, Uses(commits={URL: [WEB]}))

    assert {name: [use.by for use in each] for name, each in found.images.items()} == {
        "base:1": [f"Dockerfile of {URL}"],
        "taken:1": ["ONBUILD of base:1"],
    }
    assert found.downloads == {}
    assert known(LOCK, Uses()).images == {}


def test_what_is_looked_at_anew_is_not_taken_from_the_lock() -> None:
    assert known(LOCK, Uses(commits={URL: [WEB]}), anew={URL}).images == {}


def test_an_image_that_names_itself_ends_the_search() -> None:
    lock = Lock(images={"a:1": LockedImage(DIGEST, {}, used_by=("ONBUILD of a:1", "web"))})

    assert [use.by for use in known(lock, Uses(images={"a:1": [WEB]})).images["a:1"]] == ["web", "ONBUILD of a:1"]


def test_a_bare_word_is_an_image_where_it_is_no_stage_of_who_builds_on_it() -> None:
    triggers = ("COPY --from=builder /b /b", "COPY --from=tools /a /a", "COPY --from=0 /c /c", "COPY --from=Lib /d /d")
    building = replace(WEB, words=frozenset({"builder", "lib"}))

    assert list(triggered("base:1", triggers, [building]).images) == ["tools:latest"]
    assert triggered("base:1", triggers, [WEB]).images == {}


def test_what_an_archives_dockerfile_needs_is_used_as_long_as_the_archive_is() -> None:
    lock = Lock(images={"base:1": LockedImage(DIGEST, {}, used_by=("Dockerfile of https://example.com/a.tar.gz",))})

    assert list(known(lock, Uses(downloads={"https://example.com/a.tar.gz": [WEB]})).images) == ["base:1"]
    assert known(lock, Uses()).images == {}


def test_triggers_need_what_they_take_from_and_fetch() -> None:
    triggers = (
        "COPY --from=tools:2 /a /a",
        "COPY --from=builder /b /b",
        f"ADD --checksum={DIGEST} https://example.com/tool /",
        "ADD https://example.com/app.git#main /app",
        "ADD https://example.com/$VERSION /",
        "RUN --mount=type=bind,from=reg.test/cache,target=/c true",
        "NO SUCH INSTRUCTION",
    )
    found = triggered("base:1", triggers, [WEB])

    assert list(found.images) == ["tools:2", "reg.test/cache:latest"]
    assert found.downloads["https://example.com/tool"] == [Use("ONBUILD of base:1", "web", None, DIGEST)]
    assert list(found.commits) == ["https://example.com/app.git#main"]
    assert [each.message for each in found.warnings] == [
        "`https://example.com/$VERSION`, which ONBUILD of `base:1` fetches, is not locked: it has variables"
    ]
