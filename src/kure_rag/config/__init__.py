"""Settings kept in a YAML file: how documents are cut and how an index is searched.

``kure-rag tune`` writes such a file, ``KureIndex.open(config=...)``, ``kure-rag search --config`` and
``kure-rag ingest --config`` read it.

Needs the extra ``autorag``: ``pip install "kure-rag[autorag]"``.
"""

from kure_rag.config.chunks import read_chunks, read_lengths, read_profile
from kure_rag.config.settings import Config, config_text, read_config, search_of, search_to_dict

__all__ = [
    "Config",
    "config_text",
    "read_chunks",
    "read_config",
    "read_lengths",
    "read_profile",
    "search_of",
    "search_to_dict",
]
