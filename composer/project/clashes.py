"""Checks that what is asked for can be had together."""

from __future__ import annotations

import ipaddress
import re

from composer.errors import ImageError
from composer.oci import reference
from composer.project.document import Mapping, Scalar, plain
from composer.project.merged import (
    entries_of,
    items_of,
    key_mark,
    replicas_of,
    section,
    services_of,
    subnet_of,
    text_of,
)
from composer.project.report import Report

HOST_NAME_MAX = 64
"""Of limits.h."""


def has_services(tree: Mapping, report: Report) -> None:
    """There must be something to start."""
    if "services" not in tree.keys and "services" not in tree.entries:
        report.refuse("the project has no `services`", tree.mark, hint="services stand below a top-level `services:`")


def images(tree: Mapping, report: Report) -> None:
    """Every service needs a root file system, from one source."""
    for name, service in services_of(tree).items():
        # Where something could not be read, that may have been the image.
        unread = service.keys.keys() - service.entries.keys()
        image = service.get("image")
        is_empty = isinstance(image, Scalar) and image.value == image.text == ""
        if not unread and (image is None or is_empty) and service.get("build") is service.get("provider") is None:
            place = image.mark if image is not None else key_mark(tree, "services", name)
            hint = "the variable is empty: set it, or give it a default" if is_empty else "add `image:` or `build:`"
            report.error(f"services.{name} has neither an image nor a build context", place, hint=hint)
        if isinstance(image, Scalar) and isinstance(image.value, str) and image.value:
            _check_reference(name, image, report)
        build = service.get("build")
        platform, platforms = (
            service.get("platform"),
            items_of(build, "platforms") if isinstance(build, Mapping) else (),
        )
        if platforms and isinstance(platform, Scalar) and platform.value not in [plain(item) for item in platforms]:
            message = f"services.{name}: `build.platforms` leaves out the service's own platform `{platform.value}`"
            report.error(message, platform.mark, hint=f"add `{platform.value}` to `build.platforms`")
        if isinstance(build, Mapping) and {"dockerfile", "dockerfile_inline"} <= build.entries.keys():
            message = f"services.{name}.build has both `dockerfile` and `dockerfile_inline`"
            report.error(message, build.key("dockerfile_inline"))


_IMAGE_ID = re.compile(r"(sha256:)?[0-9a-f]{6,64}")


def _check_reference(service: str, image: Scalar, report: Report) -> None:
    if _IMAGE_ID.fullmatch(image.text) or (report.raw and "$" in image.text):
        return
    try:
        reference.parse(str(image.value))
    except ImageError as error:
        report.refuse(f"services.{service}.image: {error.message}", image.mark, hint=error.hint)


def places(tree: Mapping, report: Report) -> None:
    """Where a process starts, and what is kept in memory, are absolute paths in the container."""
    for name, service in services_of(tree).items():
        found = [("working_dir", service.get("working_dir"), text_of(service, "working_dir"))]
        found += [("tmpfs", item, str(plain(item)).partition(":")[0]) for item in items_of(service, "tmpfs")]
        for key, node, path in found:
            if node is None or not path or path.startswith("/") or (report.raw and "$" in path):
                continue
            label = "expected a path in the container, beginning with `/`"
            report.refuse(f"services.{name}.{key}: `{path}` is not an absolute path", node.mark, label=label)


def replicas(tree: Mapping, report: Report) -> None:
    """What can exist only once does not go with several replicas."""
    for name, service in services_of(tree).items():
        scale, deploy = service.get("scale"), service.get("deploy")
        replicas = deploy.get("replicas") if isinstance(deploy, Mapping) else None
        if isinstance(scale, Scalar) and isinstance(replicas, Scalar) and scale.value != replicas.value:
            message = f"services.{name}: `scale` is {scale.value} and `deploy.replicas` is {replicas.value}"
            report.error(message, scale.mark, hint="keep one of them")
        count = replicas_of(service)
        if count < 2:
            continue
        if "container_name" in service.entries:
            message = f"services.{name} has {count} replicas, but its `container_name` fits only one"
            report.error(message, service.key("container_name"), hint="remove `container_name`")
        for port in items_of(service, "ports"):
            published = text_of(port, "published") if isinstance(port, Mapping) else None
            if published and "-" not in published:
                message = f"services.{name}.ports: {count} replicas cannot all publish port {published}"
                hint = "leave the host's port out, or give a range to choose from"
                report.refuse(message, port.mark.part(published), hint=hint)


def container_names(tree: Mapping, report: Report) -> None:
    """A container name can be given once."""
    seen: dict[str, str] = {}
    for name, service in services_of(tree).items():
        wanted = text_of(service, "container_name")
        if wanted is None:
            continue
        if wanted in seen:
            message = f"services.{name}.container_name: `{wanted}` is also the name of `{seen[wanted]}`'s container"
            report.refuse(message, service.entries["container_name"].mark)
        seen.setdefault(wanted, name)


def host_names(tree: Mapping, report: Report) -> None:
    """The kernel keeps so much of a name, and refuses a longer one (`sethostname(2)`)."""
    for name, service in services_of(tree).items():
        for key in ("hostname", "domainname"):
            length = len((text_of(service, key) or "").encode())
            if length > HOST_NAME_MAX:
                message = f"services.{name}.{key} has {length} bytes, and Linux allows {HOST_NAME_MAX}"
                report.refuse(message, service.entries[key].mark, hint="shorten it")


def network_modes(tree: Mapping, report: Report) -> None:
    """`network_mode` replaces networks, and with them the ports."""
    names = {text_of(service, "container_name") for service in services_of(tree).values()}
    for name, service in services_of(tree).items():
        mode = text_of(service, "network_mode")
        if mode is None:
            continue
        mark = service.entries["network_mode"].mark
        if service.get("networks") is not None and plain(service.entries["networks"]):
            report.error(f"services.{name} has both `network_mode` and `networks`", mark, hint="keep one of them")
        if mode.startswith("container:"):
            if mode.partition(":")[2] not in names:
                message = (
                    f"services.{name}.network_mode: no service here has a container called `{mode.partition(':')[2]}`"
                )
                report.refuse(message, mark, hint="share a service's network with `service:NAME`")
        elif mode == "bridge":
            message = (
                f"services.{name}.network_mode: there is no common bridge here, the project's default network is used"
            )
            report.warn(message, mark)
        elif items_of(service, "ports"):
            place = service.key("ports")
            if mode == "host":
                report.warn(f"services.{name}.ports have no effect with `network_mode: host`", place)
            else:
                hint = f"publish them in `{mode.partition(':')[2]}`" if mode.startswith("service:") else ""
                report.refuse(f"services.{name} cannot publish ports with `network_mode: {mode}`", place, hint=hint)


def protocols(tree: Mapping, report: Report) -> None:
    """Only what the relay of published ports can carry."""
    for name, service in services_of(tree).items():
        for port in items_of(service, "ports"):
            if isinstance(port, Mapping) and text_of(port, "protocol") == "sctp":
                report.refuse(f"services.{name}.ports: `sctp` ports cannot be published here", port.mark.part("sctp"))


def devices(tree: Mapping, report: Report) -> None:
    """Only files of /dev: what a CDI name stands for is written down in files that are not read here."""
    for name, service in services_of(tree).items():
        for number, device in enumerate(items_of(service, "devices")):
            source = text_of(device, "source") if isinstance(device, Mapping) else None
            if source and "=" in source and not source.startswith("/"):
                message = (
                    f"services.{name}.devices[{number}]: `{source}` is a CDI device, and CDI files are not read here"
                )
                report.refuse(message, device.mark, hint="name the device's files, such as `/dev/dri/renderD128`")


def limits(tree: Mapping, report: Report) -> None:
    """What can be said in two places must be the same in both."""
    pairs = (("limits", "cpus", "cpus"), ("limits", "memory", "mem_limit"), ("limits", "pids", "pids_limit"),
             ("reservations", "memory", "mem_reservation"))  # fmt: skip
    for name, service in services_of(tree).items():
        for kind, limit, attribute in pairs:
            deploy = service.get("deploy")
            resources = deploy.get("resources") if isinstance(deploy, Mapping) else None
            deployed = entries_of(resources, kind).get(limit) if isinstance(resources, Mapping) else None
            own = service.get(attribute)
            if isinstance(own, Scalar) and isinstance(deployed, Scalar) and own.value != deployed.value:
                message = f"services.{name}: `{attribute}` and `deploy.resources.{kind}.{limit}` say different things"
                report.error(message, own.mark, hint="keep one of them")


def watches(tree: Mapping, report: Report) -> None:
    """What is watched has a path, and what is synchronised goes somewhere."""
    for name, service in services_of(tree).items():
        develop = service.get("develop")
        for index, trigger in enumerate(items_of(develop, "watch") if isinstance(develop, Mapping) else ()):
            action = trigger.get("action") if isinstance(trigger, Mapping) else None
            if isinstance(trigger, Mapping) and "path" not in trigger.keys:
                message = f"services.{name}.develop.watch[{index}] has no `path`"
                report.error(message, trigger.mark, hint="say which file or directory is watched")
            is_copied = isinstance(action, Scalar) and str(action.value).startswith("sync")
            if is_copied and isinstance(trigger, Mapping) and "target" not in trigger.keys:
                message = f"services.{name}.develop.watch[{index}] has no `target`"
                report.error(message, trigger.mark, hint="say where in the container changed files go")


def log_drivers(tree: Mapping, report: Report) -> None:
    """Which log drivers do what they are called."""
    for name, service in services_of(tree).items():
        logging = service.get("logging")
        driver = logging.get("driver") if isinstance(logging, Mapping) else None
        if isinstance(driver, Scalar) and driver.value not in ("", "json-file", "local", "none"):
            message = f"services.{name}.logging: there is no log driver `{driver.value}`, the output is kept here"
            report.warn(message, driver.mark, hint="`compose logs` shows it", about_running=True)


def namespaces(tree: Mapping, report: Report) -> None:
    """Which namespaces cannot be shared yet."""
    for name, service in services_of(tree).items():
        mode = service.get("ipc")
        if isinstance(mode, Scalar) and str(mode.value).startswith(("service:", "container:")):
            message = f"services.{name}.ipc: sharing another container's is not supported yet and has no effect"
            report.warn(message, mode.mark, about_running=True)
        for item in items_of(service, "volumes_from"):
            if isinstance(item, Scalar) and str(item.value).startswith("container:"):
                message = f"services.{name}.volumes_from: containers outside of the project are not supported yet"
                report.warn(message, item.mark, hint="name the volumes under `volumes`", about_running=True)


def healthchecks(tree: Mapping, report: Report) -> None:
    """Nothing can wait for a healthcheck that is switched off."""
    services = services_of(tree)
    for name, service in services.items():
        for other, entry in entries_of(service, "depends_on").items():
            waits = isinstance(entry, Mapping) and text_of(entry, "condition") == "service_healthy"
            if not waits or other not in services or not isinstance(entry, Mapping):
                continue
            probe = services[other].get("healthcheck")
            disable = probe.get("disable") if isinstance(probe, Mapping) else None
            test = items_of(probe, "test")[:1] if isinstance(probe, Mapping) else ()
            off = isinstance(disable, Scalar) and disable.value is True
            if off or any(isinstance(item, Scalar) and item.value == "NONE" for item in test):
                message = f"services.{name}.depends_on: `{other}` can never be healthy, its healthcheck is switched off"
                report.refuse(message, entry.entries["condition"].mark)


def addresses(tree: Mapping, report: Report) -> None:
    """A fixed address lies in its network and is nobody else's."""
    networks = section(tree, "networks")
    taken: dict[tuple[str, str], str] = {}
    for name, service in services_of(tree).items():
        for key, attachment in entries_of(service, "networks").items():
            address = text_of(attachment, "ipv4_address") if isinstance(attachment, Mapping) else None
            if address is None or not isinstance(attachment, Mapping):
                continue
            mark = attachment.entries["ipv4_address"].mark
            where = f"services.{name}.networks.{key}.ipv4_address"
            subnet = subnet_of(networks[key]) if key in networks else None
            external = key in networks and "external" in networks[key].entries
            if subnet is None and not external:
                hint = f"give networks.{key} an `ipam` with a `subnet`"
                report.refuse(f"{where}: a fixed address needs a subnet", mark, hint=hint)
            elif subnet is not None and ipaddress.ip_address(address) not in ipaddress.ip_network(subnet):
                report.refuse(f"{where}: `{address}` is not in the network's subnet `{subnet}`", mark)
            if (key, address) in taken:
                report.refuse(f"{where}: `{address}` is also `{taken[key, address]}`'s", mark)
            taken.setdefault((key, address), name)


def networks(tree: Mapping, report: Report) -> None:
    """Only networks as they are here, with a gateway inside."""
    for key, network in section(tree, "networks").items():
        where = f"networks.{key}"
        driver = text_of(network, "driver")
        if driver not in (None, "", "bridge", "default"):
            message = f"{where}.driver: there is no network driver `{driver}` here"
            hint = "use `network_mode` in the services" if driver in ("host", "none") else "leave `driver` out"
            report.refuse(message, network.entries["driver"].mark, hint=hint)
        ipam = network.get("ipam")
        for entry in items_of(ipam, "config") if isinstance(ipam, Mapping) else ():
            gateway = text_of(entry, "gateway") if isinstance(entry, Mapping) else None
            subnet = text_of(entry, "subnet") if isinstance(entry, Mapping) else None
            if (
                gateway
                and subnet
                and ":" not in gateway
                and ipaddress.ip_address(gateway) not in ipaddress.ip_network(subnet)
            ):
                message = f"{where}.ipam: the gateway `{gateway}` is not in the subnet `{subnet}`"
                report.refuse(message, entry.entries["gateway"].mark if isinstance(entry, Mapping) else entry.mark)


def volumes(tree: Mapping, report: Report) -> None:
    """Only volumes as they are here."""
    for key, volume in section(tree, "volumes").items():
        driver = text_of(volume, "driver")
        if driver not in (None, "", "local"):
            message = f"volumes.{key}.driver: there is no volume driver `{driver}` here"
            report.refuse(message, volume.entries["driver"].mark, hint="leave `driver` out")


def external(tree: Mapping, report: Report) -> None:
    """What exists already cannot be configured."""
    for name in ("networks", "volumes", "secrets", "configs"):
        for key, node in section(tree, name).items():
            external = node.get("external")
            if external is None or (isinstance(external, Scalar) and external.value is not True):
                continue
            for other in node.entries:
                if other not in ("external", "name") and not other.startswith("x-") and node.get(other) is not None:
                    message = f"{name}.{key} is external: `{other}` has no effect on it"
                    # Docker Compose refuses this of volumes only.
                    tell = report.error if name == "volumes" else report.warn
                    tell(message, node.key(other), hint=f"remove `{other}`, or `external`")
