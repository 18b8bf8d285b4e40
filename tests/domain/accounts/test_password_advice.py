"""Every text of zxcvbn has its code."""

import ast
import inspect

from zxcvbn import feedback

from chalicelib.domain.accounts.password_advice import ADVICE


def test_there_is_a_code_for_each_text_that_zxcvbn_can_say_and_for_no_other() -> None:
    calls = [each for each in ast.walk(ast.parse(inspect.getsource(feedback))) if isinstance(each, ast.Call)]
    texts = {
        ast.literal_eval(each.args[0]) for each in calls if isinstance(each.func, ast.Name) and each.func.id == "_"
    }
    assert set(ADVICE) == texts
    assert len(set(ADVICE.values())) == len(ADVICE)
