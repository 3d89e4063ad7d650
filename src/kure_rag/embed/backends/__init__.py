"""The engines that run a model, behind one small interface."""

from kure_rag.embed.backends.base import Backend, Progress, Runner, TooLong
from kure_rag.embed.backends.make import check_engine, make_backend

__all__ = ["Backend", "Progress", "Runner", "TooLong", "check_engine", "make_backend"]
