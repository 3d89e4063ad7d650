"""Sentences and similarities that authors published with their models, for :mod:`kure_rag.embed.selfcheck`.

Sources, all read in November 2026: the README of github.com/nlpai-lab/KURE (MIT; the version of December 2024), of
github.com/BM-K/Sentence-Embedding-Is-All-You-Need and of github.com/jhgan00/ko-sentence-transformers.
"""

from __future__ import annotations

from typing import Final

from kure_rag.embed.model_card import Reference

# Letter for letter as published, the brackets and the stray spaces among them.
_COURTS: Final = "헌법과 법원조직법은 어떤 방식을 통해 기본권 보장 등의 다양한 법적 모색을 가능하게 했어"
_COURTS_OPINION: Final = (
    "4. 시사점과 개선방향 앞서 살펴본 바와 같이 우리 헌법과 ｢법원조직 법｣은 대법원 구성을 다양화하여 기본권 보장과 "
    "민주주의 확립에 있어 다각적인 법적 모색을 가능하게 하는 것을 근본 규범으로 하고 있다. 더욱이 합의체로서의 대법원 "
    "원리를 채택하고 있는 것 역시 그 구성의 다양성을 요청하는 것으로 해석된다. 이와 같은 관점에서 볼 때 현직 법원장급 "
    "고위법관을 중심으로 대법원을 구성하는 관행은 개선할 필요가 있는 것으로 보인다."
)
_COURTS_GERMANY: Final = (
    "연방헌법재판소는 2001년 1월 24일 5:3의 다수견해로 「법원조직법」 제169조 제2문이 헌법에 합치된다는 판결을 내렸음 "
    "○ 5인의 다수 재판관은 소송관계인의 인격권 보호, 공정한 절차의 보장과 방해받지 않는 법과 진실 발견 등을 근거로 "
    "하여 텔레비전 촬영에 대한 절대적인 금지를 헌법에 합치하는 것으로 보았음 ○ 그러나 나머지 3인의 재판관은 "
    "행정법원의 소송절차는 특별한 인격권 보호의 이익도 없으며, 텔레비전 공개주의로 인해 법과 진실 발견의 과정이 언제나 "
    "위태롭게 되는 것은 아니라면서 반대의견을 제시함 ○ 왜냐하면 행정법원의 소송절차에서는 소송당사자가 개인적으로 직접 "
    "심리에 참석하기보다는 변호사가 참석하는 경우가 많으며, 심리대상도 사실문제가 아닌 법률문제가 대부분이기 "
    "때문이라는 것임 □ 한편, 연방헌법재판소는 「연방헌법재판소법」(Bundesverfassungsgerichtsgesetz: BVerfGG) 제17a조에 "
    "따라 제한적이나마 재판에 대한 방송을 허용하고 있음 ○ 「연방헌법재판소법」 제17조에서 「법원조직법」 제14절 내지 "
    "제16절의 규정을 준용하도록 하고 있지만, 녹음이나 촬영을 통한 재판공개와 관련하여서는 「법원조직법」과 다른 내용을 "
    "규정하고 있음"
)
_CHEETAH: Final = "치타가 들판을 가로 질러 먹이를 쫓는다."
_CHEETAH_PASSAGES: Final = ("치타 한 마리가 먹이 뒤에서 달리고 있다.", "원숭이 한 마리가 드럼을 연주한다.")


def _courts(first: float, second: float, between: float) -> Reference:
    return Reference(
        query=_COURTS,
        passages=(_COURTS_OPINION, _COURTS_GERMANY),
        similarities=((0, 1, first), (0, 2, second), (1, 2, between)),
        source="README of github.com/nlpai-lab/KURE, December 2024",
    )


def _cheetah(near: float, far: float, source: str) -> Reference:
    return Reference(
        query=_CHEETAH, passages=_CHEETAH_PASSAGES, similarities=((0, 1, near), (0, 2, far)), source=source
    )


KURE_V1: Final = _courts(0.6967, 0.5306, 0.4427)
KOE5: Final = _courts(0.6721, 0.3897, 0.3740)  # with its prefixes: without them the numbers are others
KOSIMCSE_ROBERTA_MULTITASK: Final = _cheetah(
    0.8409, 0.2321, "README of github.com/BM-K/Sentence-Embedding-Is-All-You-Need"
)
KO_SROBERTA_MULTITASK: Final = _cheetah(0.8251, 0.2119, "README of github.com/jhgan00/ko-sentence-transformers")
