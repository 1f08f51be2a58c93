"""Images at rest, and their ways from and to registries and archives."""

from __future__ import annotations

from composer.api.messages import ImagesRequest
from composer.engine.requests import Requests
from composer.server.answers import EngineHandler, answer, events, message
from composer.server.http import Answer, Request


async def _images(engine: Requests, request: Request) -> Answer:
    return answer(await engine.images.pictures.listing())


async def _import(engine: Requests, request: Request) -> Answer:
    asked = request.json()
    changes = tuple(asked.get("changes", ()))
    reference, image_id = await engine.images.pictures.bring_in(asked["path"], asked["reference"], changes)
    return answer({"reference": reference, "id": image_id})


async def _load(engine: Requests, request: Request) -> Answer:
    return answer({"references": await engine.images.pictures.load(request.json()["path"])})


async def _pull(engine: Requests, request: Request) -> None:
    asked = message(ImagesRequest, request)
    await events(request, lambda emit: engine.images.pull_images(asked, emit))


async def _push(engine: Requests, request: Request) -> None:
    asked = message(ImagesRequest, request)
    await events(request, lambda emit: engine.images.push_images(asked, emit))


async def _remove(engine: Requests, request: Request) -> Answer:
    asked = request.json()
    removed = await engine.images.pictures.remove(tuple(asked["references"]), bool(asked.get("force")))
    return answer({"removed": removed})


async def _tag(engine: Requests, request: Request) -> Answer:
    asked = request.json()
    await engine.images.pictures.tag(asked["source"], asked["target"])
    return answer({})


async def _save(engine: Requests, request: Request) -> Answer:
    asked = request.json()
    surroundings = {str(key): str(value) for key, value in asked.get("surroundings", {}).items()}
    await engine.images.save_images(tuple(asked["references"]), asked["path"], surroundings)
    return answer({})


async def _verify(engine: Requests, request: Request) -> Answer:
    asked = request.json()
    found = await engine.images.pictures.verify(tuple(asked.get("references", ())), bool(asked.get("repair")))
    return answer({"damage": [{"image": each.image, "problem": each.problem, "hint": each.hint} for each in found]})


async def _inspect(engine: Requests, request: Request) -> Answer:
    references = tuple(request.json()["references"])
    return answer({"images": await engine.images.pictures.details(references)})


async def _software(engine: Requests, request: Request) -> Answer:
    references = tuple(request.json()["references"])
    return answer({"images": await engine.images.software.of_images(references)})


ROUTES: dict[str, EngineHandler] = {
    "GET /images": _images,
    "POST /images/import": _import,
    "POST /images/load": _load,
    "POST /images/pull": _pull,
    "POST /images/push": _push,
    "POST /images/remove": _remove,
    "POST /images/tag": _tag,
    "POST /images/save": _save,
    "POST /images/verify": _verify,
    "POST /images/inspect": _inspect,
    "POST /images/software": _software,
}
