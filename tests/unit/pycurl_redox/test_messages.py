from pycurl_redox import messages


def test_a_short_warning_is_one_line():
    assert messages.warning("text") == "Warning: text\n"


def test_a_long_one_is_cut_at_blanks_that_stay():
    # From curl 7.88.1.
    text = (
        "You can only select one HTTP request method! You asked for both PUT (-T, --upload-file) "
        "and POST (-d, --data)."
    )
    assert messages.warning(text) == (
        "Warning: You can only select one HTTP request method! You asked for both PUT \n"
        "Warning: (-T, --upload-file) and POST (-d, --data).\n"
    )


def test_a_text_without_blanks_is_cut_at_the_width():
    lines = messages.note("x" * 100).splitlines()
    assert [len(line) for line in lines] == [79, 6 + 27]
