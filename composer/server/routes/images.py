"""Images at rest, and their ways from and to registries and archives."""

from __future__ import annotations

from aiohttp import web

from composer.api.messages import ImagesRequest
from composer.server.answers import answer, body, engine, events, message


async def _images(request: web.Request) -> web.Response:
    return answer(await engine(request).images.pictures.listing())


async def _import(request: web.Request) -> web.Response:
    asked = await body(request)
    changes = tuple(asked.get("changes", ()))
    reference, image_id = await engine(request).images.pictures.bring_in(asked["path"], asked["reference"], changes)
    return answer({"reference": reference, "id": image_id})


async def _load(request: web.Request) -> web.Response:
    return answer({"references": await engine(request).images.pictures.load((await body(request))["path"])})


async def _pull(request: web.Request) -> web.StreamResponse:
    asked = await message(ImagesRequest, request)
    return await events(request, lambda emit: engine(request).images.pull_images(asked, emit))


async def _push(request: web.Request) -> web.StreamResponse:
    asked = await message(ImagesRequest, request)
    return await events(request, lambda emit: engine(request).images.push_images(asked, emit))


async def _remove(request: web.Request) -> web.Response:
    asked = await body(request)
    removed = await engine(request).images.pictures.remove(tuple(asked["references"]), bool(asked.get("force")))
    return answer({"removed": removed})


async def _tag(request: web.Request) -> web.Response:
    asked = await body(request)
    await engine(request).images.pictures.tag(asked["source"], asked["target"])
    return answer({})


async def _save(request: web.Request) -> web.Response:
    asked = await body(request)
    surroundings = {str(key): str(value) for key, value in asked.get("surroundings", {}).items()}
    await engine(request).images.save_images(tuple(asked["references"]), asked["path"], surroundings)
    return answer({})


async def _verify(request: web.Request) -> web.Response:
    asked = await body(request)
    found = await engine(request).images.pictures.verify(tuple(asked.get("references", ())), bool(asked.get("repair")))
    return answer({"damage": [{"image": each.image, "problem": each.problem, "hint": each.hint} for each in found]})


async def _inspect(request: web.Request) -> web.Response:
    references = tuple((await body(request))["references"])
    return answer({"images": await engine(request).images.pictures.details(references)})


async def _software(request: web.Request) -> web.Response:
    references = tuple((await body(request))["references"])
    return answer({"images": await engine(request).images.software.of_images(references)})


ROUTES = (
    web.get("/images", _images),
    web.post("/images/import", _import),
    web.post("/images/load", _load),
    web.post("/images/pull", _pull),
    web.post("/images/push", _push),
    web.post("/images/remove", _remove),
    web.post("/images/tag", _tag),
    web.post("/images/save", _save),
    web.post("/images/verify", _verify),
    web.post("/images/inspect", _inspect),
    web.post("/images/software", _software),
)
