"""Which kind of document this is, from its text: form first, then words. What was found is kept as evidence.

A statute on banks or on physicians is a statute: articles, paragraphs and supplementary provisions tell before any word
does. Papers that only cite statutes have no such lines: notices on reimbursement, briefs, tenders.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from kure_rag.types import Domain

# Lines that only legal texts have. Articles alone also stand in the contract at the end of a tender, hence their rate.
# What begins a line is looked for in one pass, of which every line begins another form; speeches are no legal form.
_LINES: Final = re.compile(
    r"(?m)^[ ]*(?=(?P<조>제\s?\d+\s?조(?:의\s?\d+)?(?:\s*[(【\[]|\s+[가-힣①])(?!에|의))"
    r"|(?P<판결>(?:주\s*문|이\s*유|청\s*구\s*취\s*지)\s*$)"
    r"|(?P<부칙>부\s*칙(?:\s*[<(\[]|\s*$))"
    r"|(?P<시행>\(?시행(?:일)?\s*[:：]\s*\d{4})"
    r"|(?P<법률안>신ㆍ구조문대비표|신[·ㆍ]구조문 대비표|법률 제\s+호\s*$)"
    # The record of a meeting on bills is no bill.
    r"|(?P<발언>[◯○]\s*(?:[가-힣]{2,4}\s)?(?:소?위원장|위원|의원|장관|차관|의장|\S{2,8}(?:위원|의원|장관))))"
)
# What stands anywhere. Each begins with a letter or a set: a search for those is several times faster.
_ANYWHERE: Final[Mapping[str, re.Pattern[str]]] = {
    "판결": re.compile(
        r"【\s*(?:판시사항|판결요지|결정요지|참조조문|참조판례|전\s*문|주\s*문|이\s*유|원심판결|원고|피고|피고인|상고인|청구인)[^】]{0,20}】"
    ),
    "시행": re.compile(r"\[\s*시행\s*\d{4}\."),
    "개정": re.compile(
        r"[개신본전삭](?:(?<=[<(\[].)(?:(?<=개)정|(?<=신)설|(?<=본)조신설|(?<=전)문개정|(?<=삭)제)\s*[,<\d]"
        r"|(?<=개)정[)>](?:(?<=\d\d...)|(?<=\d\d\....)|(?<=\d\d\s...)|(?<=\d\d\.\s...)))"
    ),
    "법률안": re.compile(r"개정법률안(?<=[일전]부개정법률안)"),
}
_FORMS: Final = ("조", "판결", "부칙", "시행", "개정", "법률안")
_ARTICLES_LEAST: Final = 0.5  # a thousand characters; statutes have 1 to 3
_FORMS_LEAST: Final = 1.0  # a thousand characters, articles included

# Each begins with a look at the first letter, which is much faster than a look at every word.
_WORDS: Final[Mapping[str, re.Pattern[str]]] = {
    "legal": re.compile(
        r"(?=[개과납대법비상세시원위임입제조채판피현])(?:제\d+조(?:의\d+)?(?:제\d+항)?|시행령|시행규칙|상고|판결|대법원|위헌|조례|법률안|개정안|현행법|입법"
        r"|(?<![가-힣])(?:원고|피고)[인들는가의를와]|채권자|채무자|임대차|과세|비과세|세액공제|납세)"
    ),
    "finance": re.compile(
        r"(?=[\dCFO가경고공국금기단당대매물배보부분상성소수순스시신실업연영예운유인자재전점정주중증지채취통투판펀한할환])"
        r"(?:단위\s*:\s*(?:백만|천|억)?원|당기순이익|영업이익|매출|자산총계|재무제표|기준가격|수익률|펀드|금리|물가|환율|증권"
        r"|\d\s?분기|분기(?=별|말|중|보고)|채권(?!자)|주식|투자신탁|투자자|자산운용|운용(?=보고|사|역|목표|펀드|성과|전략|경과)"
        r"|연준|FOMC|CBDC|고용지표|취업자|실업률|인플레이션|성장률|경기\s?(?=침체|둔화|회복|부양|부진|변동|지표)|수출|국채|스프레드|할인율"
        r"|보험금|보험료|보험회사|보험부채|공정가치|신용위험|지급결제|중앙은행|통화정책|금융|부동산|판매사|순자산|환매|환급률"
        r"|가격(?!평가|제안|입찰|점수|협상)|시장\s?(?=금리|가격|규모|전망|예상|참여|반응|지배|위험)|유통|업체|소비자(?!원)|소비(?=침체|둔화|지출|심리|재)|주요국|한국은행|통계청|OECD"
        r"|\d\s?(?:조|억|백만)\s?(?:원|달러)|전[년월](?:\s?동기)?\s?대비|정산|수급|점유율|상장|배당|대출|예금|자본)"
    ),
    "medical": re.compile(
        r"(?=[\d감검권근금급동면병복부수스시심약요용이임종증진질처치카투항행혈환효])"
        r"(?:효능|용법|용량|투여|환자|이상반응|금기|처방|급여기준|요양급여|요양기관|시술|임상|질환|복용|\d\s?mg|증후군|진단|치료|약제"
        r"|(?<![가-힣])수가|검사료|행위료|혈관|동맥|스텐트|카테터|심방|종양|감염|항체|면역|병변|수술|권고등급|근거수준|부작용)"
    ),
}
_DIGITS = re.compile(r"\d+")
_LEAST: Final = 4.0  # tell-tale terms in a thousand characters
_FEWEST: Final = 3  # in all: one word in a short text tells nothing
_WINDOWS: Final = 15  # spread over a long text: the contract at a tender's end must not stand for all of it
_WINDOWS_DECIDED: Final = 3
_WINDOW: Final = 2_000  # characters of each
_TOP: Final = 5


def detect_domain(text: str) -> tuple[Domain, dict[str, Any]]:
    """The domain of a document, ``general`` where nothing is frequent.

    Args:
        text: Canonical: a heading begins a line.

    Returns:
        The domain and what it was told by: ``rates`` of the words of each domain and of legal ``forms``, in a thousand
        characters, and ``terms``, the most frequent words of each; empty for an empty text.
    """
    sample = _sampled(text)
    length = _visible(sample)
    if not length:
        return "general", {}
    counts = _counted_lines(sample)
    for name, form in _ANYWHERE.items():
        counts[name] += len(form.findall(sample))
    articles, forms = counts["조"], {name: counts[name] for name in _FORMS}
    # Where form has decided, a few windows are enough for the evidence: counting words costs more than all the rest.
    worded = _sampled(text, _WINDOWS_DECIDED) if _is_legal(articles, sum(forms.values()), length) else sample
    words = {name: _terms(tells.findall(worded)) for name, tells in _WORDS.items()}
    read = _visible(worded)
    rates = {name: _rate(sum(counted.values()), read) for name, counted in words.items()}
    evidence = {
        "rates": rates,
        "forms": {name: _rate(count, length) for name, count in forms.items() if count},
        "terms": {name: [term for term, _ in counted.most_common(_TOP)] for name, counted in words.items() if counted},
    }
    return _decide(articles, sum(forms.values()), length, rates, counts["발언"]), evidence


def _counted_lines(text: str) -> Counter[str]:
    """How many lines begin in each form; what reaches into the next line hides one that begins there."""
    counts: Counter[str] = Counter()
    ends: dict[str, int] = {}
    for match in _LINES.finditer(text):
        name = match.lastgroup or ""
        if match.start() >= ends.get(name, 0):
            counts[name] += 1
            ends[name] = match.end(name)
    return counts


def _visible(text: str) -> int:
    return len("".join(text.replace(" ", "").split()))


def _decide(articles: int, forms: int, length: int, rates: Mapping[str, float], speeches: int) -> Domain:
    if speeches >= 5 and _rate(speeches, length) >= 0.5:
        return "general"
    if _is_legal(articles, forms, length):
        return "legal"
    best = max(rates, key=lambda name: rates[name])
    return cast("Domain", best) if rates[best] >= max(_LEAST, _rate(_FEWEST, length)) else "general"


def _is_legal(articles: int, forms: int, length: int) -> bool:
    return forms >= 2 and (_rate(forms, length) >= _FORMS_LEAST or _rate(articles, length) >= _ARTICLES_LEAST)


def _sampled(text: str, windows: int = _WINDOWS) -> str:
    if len(text) <= windows * _WINDOW:
        return text
    starts = (i * (len(text) - _WINDOW) // (windows - 1) for i in range(windows))
    # From a line's beginning, so that the middle of a line is not taken for it.
    return "\n".join(_window(text, start) for start in starts)


def _window(text: str, start: int) -> str:
    start = max(start, text.find("\n", start, start + _WINDOW)) if start else 0
    return text[start : start + _WINDOW]


def _terms(found: Sequence[str]) -> Counter[str]:
    """How often each term was found, whatever its numbers and white space."""
    counts: Counter[str] = Counter()
    for term, count in Counter(found).items():
        counts[_DIGITS.sub("N", "".join(term.split()))] += count
    return counts


def _rate(count: int, length: int) -> float:
    return round(1000 * count / length, 2)
