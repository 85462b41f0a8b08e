"""Which logins lack a password, and what is asked for."""

import pytest

from pycurl_redox.config import OperationConfig
from pycurl_redox.password import MAX_PROMPT, complete_logins


def completed(
    *logins: tuple[str | None, str | None],
) -> tuple[list[tuple[str | None, str | None]], list[str]]:
    """Answer each question with its number; return the logins and the questions."""
    operations, asked = [], []
    for user, proxy_user in logins:
        operations.append(OperationConfig())
        operations[-1].user, operations[-1].proxy_user = user, proxy_user

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return str(len(asked))

    complete_logins(operations, ask)
    return [(operation.user, operation.proxy_user) for operation in operations], asked


@pytest.mark.parametrize("login", ["a:b", "a:", ":", ":b", ";o=p", "a:b;c", None])
def test_what_has_a_colon_or_is_nobodys_is_left_alone(login: str | None) -> None:
    assert completed((login, login)) == ([(login, login)], [])


def test_host_and_proxy_are_asked_for_by_name() -> None:
    logins, asked = completed(("a", "b"))
    assert logins == [("a:1", "b:2")]
    assert asked == ["Enter host password for user 'a':", "Enter proxy password for user 'b':"]


def test_login_options_are_no_part_of_the_name() -> None:
    assert completed(("a;o", None)) == ([("a;o:1", None)], ["Enter host password for user 'a':"])


def test_with_more_groups_than_one_each_question_says_its_own() -> None:
    _, asked = completed(("a", None), (None, None), ("b", None))
    assert asked == [
        "Enter host password for user 'a' on URL #1:",
        "Enter host password for user 'b' on URL #3:",
    ]


def test_a_bearer_token_needs_no_password() -> None:
    operation = OperationConfig()
    operation.user, operation.oauth2_bearer = "a", "token"
    complete_logins([operation], lambda prompt: pytest.fail(prompt))
    assert operation.user == "a"


def test_a_question_is_no_longer_than_curls() -> None:
    _, asked = completed(("n" * 400, None))
    assert len(asked[0]) == MAX_PROMPT
