from composer.runtime.mount_options import MS_NOSUID, MS_RDONLY, MountOptions, flag_names, parse


def test_options_go_to_whoever_wants_them() -> None:
    assert parse(["rbind", "ro", "nosuid", "rslave"]) == MountOptions(
        MS_RDONLY | MS_NOSUID, propagation="rslave", bind=True, recursive=True
    )
    assert parse(["size=1m", "mode=1777", "tmpcopyup"]) == MountOptions(data=("size=1m", "mode=1777"), copy=True)


def test_a_later_option_overrules_an_earlier_one() -> None:
    assert parse(["ro", "rw"]).read_only is False
    assert parse(["rw", "ro"]).read_only is True
    assert parse(["nosuid", "suid", "defaults", "bind"]) == MountOptions(bind=True)


def test_flags_have_names() -> None:
    assert flag_names(MS_RDONLY | MS_NOSUID) == "ro,nosuid"
