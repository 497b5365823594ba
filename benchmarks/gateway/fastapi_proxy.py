"""The usual way to write a gateway in Python, with no features: FastAPI and httpx. Run in a peer's environment.

usage: UPSTREAM=http://127.0.0.1:9001 uvicorn fastapi_proxy:app
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

app = FastAPI()
client = httpx.AsyncClient(base_url=os.environ["UPSTREAM"], limits=httpx.Limits(max_connections=1_000))


@app.post("/v1/chat/completions", response_model=None)
async def chat(request: Request) -> Response:
    """Read the question, send it on, give back the answer."""
    question = await request.json()
    if not question.get("stream"):
        answer = await client.post("/v1/chat/completions", json=question)
        return Response(answer.content, answer.status_code, media_type="application/json")

    async def pieces() -> AsyncIterator[bytes]:
        async with client.stream("POST", "/v1/chat/completions", json=question) as answer:
            async for piece in answer.aiter_raw():
                yield piece

    return StreamingResponse(pieces(), media_type="text/event-stream")
