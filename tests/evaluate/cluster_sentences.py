"""Sentences about three things, to be told apart."""

from __future__ import annotations

TOPICS = ("leave", "bank", "medicine")
_LEAVE = """\
연차휴가는 일 년 동안 여덟 할 이상 출근한 직원에게 15일을 준다.
출산휴가는 아이를 낳기 전후로 90일을 쓸 수 있다.
휴가를 쓰지 못하면 남은 휴가만큼 수당을 받는다.
경조휴가는 본인이 결혼할 때 닷새를 준다.
휴가 신청서는 휴가를 시작하기 사흘 전까지 부서장에게 낸다.
연차휴가를 나누어 쓰려는 직원은 휴가 계획을 낸다.
병가와 휴가를 이어서 쓰는 직원은 인사팀에 알린다."""
_BANK = """\
정기예금의 금리는 가입한 날의 고시 금리를 따른다.
예금을 중도에 해지하면 약정한 금리보다 낮은 금리가 적용된다.
은행은 대출 이자를 매달 말일에 통장에서 가져간다.
대출을 미리 갚으면 은행에 중도상환 수수료를 내야 할 수 있다.
신용대출의 금리는 신용점수에 따라 달라진다.
주택담보대출의 금리는 은행이 석 달마다 다시 정한다.
대출 이자를 두 달 넘게 내지 않으면 연체 금리가 붙는다."""
_MEDICINE = """\
이 약은 식사 후 30분에 물과 함께 복용한다.
하루에 세 번을 넘겨 약을 복용하지 않는다.
졸음이 올 수 있으므로 약을 복용한 뒤에는 운전하지 않는다.
발진이나 가려움이 나타나면 복용을 멈추고 의사와 상의한다.
임신부는 이 약을 복용하기 전에 의사와 상의하여야 한다.
해열제의 복용 간격은 네 시간보다 길어야 한다.
다른 약을 복용하고 있는 환자는 의사나 약사에게 알린다."""


def sentences() -> tuple[list[str], list[int]]:
    """The sentences, and of each the number of its topic."""
    groups = [text.splitlines() for text in (_LEAVE, _BANK, _MEDICINE)]
    return [line for group in groups for line in group], [i for i, group in enumerate(groups) for _ in group]
