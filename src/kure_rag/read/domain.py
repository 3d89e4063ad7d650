"""Which kind of document this is, from its words. A count of tell-tale terms, and the counts are kept as evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, cast

from kure_rag.types import Domain

_TELLS: Final[Mapping[str, re.Pattern[str]]] = {
    "legal": re.compile(
        r"제\d+조(?:의\d+)?(?:제\d+항|\(|에)|제\d+장|부칙|시행령|【(?:판시사항|판결요지|주문|이유)】|상고|판결"
        r"|(?<![가-힣])(?:원고|피고)[인들는가의를와]"  # not 꽃이 피고
    ),
    "finance": re.compile(
        r"단위\s*:\s*(?:백만|천|억)?원|당기순이익|영업이익|매출액|자산총계|재무제표|기준가격|수익률|펀드|금리|물가|환율|증권|분기"
    ),
    "medical": re.compile(
        r"효능|용법|용량|투여|환자|이상반응|금기|처방|급여기준|요양급여|시술|임상|질환|복용|mg|증후군"
    ),
}
_LEAST: Final = 4.0  # tell-tale terms in a thousand characters
_LOOK: Final = 20_000  # characters: enough to tell, and no more work for a thick book


def detect_domain(text: str) -> tuple[Domain, dict[str, float]]:
    """The domain and the tell-tale terms per thousand characters of each, ``general`` when none is frequent."""
    head = text[:_LOOK]
    if not head:
        return "general", {}
    rates = {name: round(1000 * len(tell.findall(head)) / len(head), 2) for name, tell in _TELLS.items()}
    best = max(rates, key=lambda name: rates[name])
    return (cast("Domain", best) if rates[best] >= _LEAST else "general"), rates
