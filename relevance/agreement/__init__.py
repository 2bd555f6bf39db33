"""What each cheap measure is worth, beside the gains that were measured.

>>> import numpy as np
>>> from relevance.agreement import Yardstick, judge_guesses, to_guess
>>> from relevance.matrices import load_reference
>>> yardstick = Yardstick.of(load_reference("paper:table3"), None)
>>> table = judge_guesses(yardstick, [to_guess("vocab", load_reference("paper:table2"))])
>>> table.set_index("name")["spearman"].round(2).to_dict()
{'random order': 0.0, 'vocab': ...}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.agreement.agreement_format import AGREEMENT
    from relevance.agreement.agreement_text import describe_agreement, format_agreement
    from relevance.agreement.guesses_at_hand import (
        GuessesAtHand,
        describe_untaken,
        find_guesses,
        split_layers,
        to_guess,
    )
    from relevance.agreement.judging import Guess, judge_guesses
    from relevance.agreement.yardstick import Yardstick
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "AGREEMENT",
    "Guess",
    "GuessesAtHand",
    "Yardstick",
    "describe_agreement",
    "describe_untaken",
    "find_guesses",
    "format_agreement",
    "judge_guesses",
    "split_layers",
    "to_guess",
]
