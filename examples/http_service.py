"""Sentence vectors and scores of pairs over HTTP, with FastAPI.

    pip install fastapi uvicorn
    COSENT_RUN=runs/BQ.bert.cosent.seed42 uvicorn examples.http_service:app --workers 2

    curl --json '["花呗怎么还款"]' localhost:8000/vectors
    curl --json '[["花呗怎么还款", "花呗如何还款"]]' localhost:8000/scores

Each worker loads its own encoder when it starts. An encoder loaded when this file is imported would
exist before a server that loads the application first (gunicorn --preload, uwsgi) forks, and could
not compute in any worker.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Body, FastAPI, Request

from cosent_tf import load_encoder

MOST = 1000  # texts or pairs per request


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.encoder = load_encoder(os.environ['COSENT_RUN'])  # here: in the worker
    app.state.encoder.encode(['一'])  # the first call traces the model
    yield


app = FastAPI(lifespan=lifespan)


# `def`, not `async def`: FastAPI then calls these in threads, and the server keeps answering.
@app.post('/vectors')
def vectors(
    texts: Annotated[list[str], Body(max_length=MOST)], request: Request
) -> list[list[float]]:
    """Return the vector of each text, of unit length."""
    return request.app.state.encoder.encode(texts).tolist()


@app.post('/scores')
def scores(
    pairs: Annotated[list[tuple[str, str]], Body(max_length=MOST)], request: Request
) -> list[float]:
    """Return the cosine of each pair."""
    texts = [text for pair in pairs for text in pair]
    encoded = request.app.state.encoder.encode(texts)  # (2n, D)
    return (encoded[::2] * encoded[1::2]).sum(axis=1).tolist()
