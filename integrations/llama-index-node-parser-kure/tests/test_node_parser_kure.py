"""What LlamaIndex asks of a node parser."""

from llama_index.core import Document
from llama_index.core.node_parser import NodeParser
from llama_index.node_parser.kure import KureNodeParser

LAW = "제1조(목적) 이 규정은 휴가를 정한다.\n제2조(연차휴가) 직원에게는 해마다 15일을 준다."


def test_articles_are_nodes() -> None:
    parser = KureNodeParser(profile="legal", domain="legal")
    assert isinstance(parser, NodeParser)
    assert KureNodeParser.from_dict(parser.to_dict()).to_dict() == parser.to_dict()
    nodes = parser.get_nodes_from_documents([Document(text=LAW)])
    assert [node.metadata["article"] for node in nodes] == ["제1조", "제2조"]
    assert [LAW[node.start_char_idx : node.end_char_idx] for node in nodes] == LAW.split("\n")
