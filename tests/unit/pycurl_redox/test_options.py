"""Texts and exit codes are curl 7.88.1's; `tests/interop/test_curl_command_line.py` asks it again."""

import pwd
from types import SimpleNamespace

import pytest

from pycurl_redox import option_actions, version
from pycurl_redox.config import AUTH_ANY, AUTH_BEARER, AUTH_DIGEST, GlobalConfig, OperationConfig
from pycurl_redox.errors import TRY_HELP, UsageError
from pycurl_redox.method import method_note, settle_method
from pycurl_redox.option_actions import ACTIONS
from pycurl_redox.option_table import CATEGORIES, LATER_OPTIONS, OPTIONS, all_options, shown_name
from pycurl_redox.options import read_command_line


def files(**contents):
    def read(path):
        if path not in contents:
            raise FileNotFoundError(2, "No such file or directory", path)
        return contents[path]

    return read


def read(*arguments, read_file=None, environment=None):
    return read_command_line(["-q", *arguments], environment or {}, read_file or files())


def operation(*arguments, **keywords):
    return read(*arguments, **keywords).operations[0]


def refused(*arguments, **keywords):
    with pytest.raises(UsageError) as caught:
        read(*arguments, **keywords)
    return "".join(caught.value.messages) + caught.value.report(), caught.value.exit_code


def test_joined_short_options_are_taken_apart():
    config = read("-sSfL", "http://a/")
    assert (config.config.silent, config.config.show_error) == (True, True)
    assert (config.operations[0].fail, config.operations[0].location) == (True, True)
    assert config.operations[0].urls[0].url == "http://a/"


def test_a_value_may_follow_its_short_option_at_once_or_as_the_next_word():
    assert operation("-d@file", read_file=files(file=b"a\r\nb\0c")).data == b"abc"
    assert operation("-sfoname", "x").urls[0].output == "name"
    assert operation("-m", "2.5001").max_time == 2.5


def test_a_long_option_may_be_shortened_as_long_as_it_is_the_only_one():
    assert operation("--connect-ti", "3").connect_timeout == 3.0
    assert operation("--data-u", "a b").data == b"a+b"
    assert operation("--HEAD").no_body
    assert refused("--fo") == (f"curl: option --fo: is ambiguous\n{TRY_HELP}", 2)


def test_no_switches_a_boolean_off_and_is_refused_elsewhere():
    config = read("--no-keepalive", "--no-buffer", "-L", "--no-location")
    assert config.operations[0].no_keepalive and config.operations[0].no_buffer
    assert not config.operations[0].location
    assert read("-N").operations[0].no_buffer
    assert refused("--no-max-time")[0].startswith(
        "curl: option --no-max-time: used '--no-' for option that isn't a boolean\n"
    )


@pytest.mark.parametrize(
    ("arguments", "reason", "exit_code"),
    [
        (["--foo"], "option --foo: is unknown", 2),
        (["-5"], "option -5: is unknown", 2),
        (["-sSo"], "option -sSo: requires parameter", 2),
        (["-m", "x"], "option -m: expected a proper numerical parameter", 2),
        (["-m", "-1"], "option -m: expected a positive numerical parameter", 2),
        (["-m", "1e30"], "option -m: too large number", 2),
        (["--retry", "99999999999999999999"], "option --retry: too large number", 2),
        (["--max-redirs", "-2"], "option --max-redirs: expected a proper numerical parameter", 2),
        (["--create-file-mode", "1000"], "option --create-file-mode: too large number", 2),
        (
            ["--proto-default", "foo"],
            "option --proto-default: a specified protocol is unsupported by libcurl",
            1,
        ),
        (["--ntlm"], "option --ntlm: the installed libcurl version doesn't support this", 2),
        (["-J", "-i", "x"], "showing headers and --remote-header-name cannot be combined", 2),
        (["-J", "-C", "-", "x"], "--continue-at and --remote-header-name cannot be combined", 2),
        (["--proto", "+,x"], "option --proto: is badly used here", 2),
        (["-C", "-5"], "option -C: expected a positive numerical parameter", 2),
    ],
)
def test_what_cannot_be_taken_is_refused_in_curls_words(arguments, reason, exit_code):
    assert refused(*arguments) == (f"curl: {reason}\n{TRY_HELP}", exit_code)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--limit-rate", "1x"], "Warning: unsupported rate unit. Use G, M, K or B!\n"),
        (["--max-filesize", "q"], "Warning: invalid number specified for max-filesize\n"),
        (["-r", "9" * 5000], "Warning: unsupported range point\n"),
        (["-F", "a"], "Warning: Illegally formatted input field!\n"),
        (["--rate", "5/x"], "curl: unsupported --rate unit\n"),
        (["-f", "--fail-with-body"], "curl: You must select either --fail or --fail-with-body, not both.\n"),
        (["-K", "nope"], "curl: cannot read config from 'nope'\n"),
        (
            ["-I", "-F", "a=b"],
            "Warning: You can only select one HTTP request method! You asked for both \n"
            "Warning: multipart formpost (-F, --form) and HEAD (-I, --head).\n",
        ),
    ],
)
def test_the_cause_comes_before_the_refusal(arguments, text):
    assert refused(*arguments)[0].startswith(text + "curl: option ")


def test_an_unreadable_config_file_ends_with_exit_code_26():
    assert refused("-K", "nope")[1] == 26


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-o", "-x"], "Warning: The file name argument '-x' looks like a flag.\n"),
        (["-2"], "Warning: Ignores instruction to use SSLv2\n"),
        (["-d", "@nope"], 'Warning: Couldn\'t read data from file "nope", this makes an empty POST.\n'),
        (["-H", "@nope"], "Warning: Failed to open nope!\n"),
        (["--http1.0", "--http1.1"], "Warning: Overrides previous HTTP version option\n"),
        (
            ["-r", "5"],
            "Warning: A specified range MUST include at least one dash (-). Appending one \n"
            "Warning: for you!\n",
        ),
    ],
)
def test_a_warning_is_wrapped_and_the_rest_goes_on(arguments, text):
    assert "".join(read(*arguments, "http://a").messages) == text


def test_silence_holds_for_warnings_that_come_after_it():
    assert read("-s", "-2").messages == []
    assert read("-2", "-s").messages != []


def test_next_begins_a_group_with_everything_as_at_first():
    first, second = read("-f", "http://a", "--next", "-L", "http://b").operations
    assert (first.fail, first.location, second.fail, second.location) == (True, False, False, True)
    assert [node.url for node in (*first.urls, *second.urls)] == ["http://a", "http://b"]
    assert len(read("--next", "http://a").operations) == 1


def test_outputs_and_uploads_go_to_the_urls_in_their_order():
    urls = operation("-o", "one", "-O", "-T", "up", "a", "b", "c", "--remote-name-all", "d").urls
    assert [(u.url, u.output, u.remote_name, u.upload) for u in urls] == [
        ("a", "one", False, "up"),
        ("b", None, True, None),
        ("c", None, False, None),
        ("d", None, True, None),
    ]


def test_a_double_dash_ends_the_options():
    assert [node.url for node in operation("--", "-x", "--foo").urls] == ["-x", "--foo"]


def test_data_adds_up_and_json_without_an_ampersand():
    assert operation("-d", "a=1", "--data-binary", "b\n", "--data-raw", "@c").data == b"a=1&b\n&@c"
    json = operation("--json", '{"a":', "--json", "1}")
    assert (json.data, json.json) == (b'{"a":1}', True)


def test_cookies_are_text_with_an_equals_sign_and_files_without():
    config = operation("-b", "a=b", "-b", "file", "-b", "@x=y", "-b", "")
    assert (config.cookies, config.cookie_files) == (["a=b"], ["file", "x=y", ""])


def test_headers_come_out_of_files_line_by_line():
    assert operation("-H", "@h", read_file=files(h=b"A: 1\r\n\r\nB: 2\n")).headers == ["A: 1", "B: 2"]


def test_authentication_is_a_set_of_bits():
    assert operation("--digest").auth == AUTH_DIGEST
    assert operation("--anyauth").auth == AUTH_ANY
    bearer = operation("--oauth2-bearer", "t")
    assert (bearer.auth, bearer.oauth2_bearer) == (AUTH_BEARER, "t")


def test_protocols_are_added_taken_away_and_set():
    assert operation("--proto", "=https").proto == {"https"}
    assert operation("--proto", "-all,https").proto == {"https"}
    assert operation("--proto", "-http").proto == {"file", "https"}
    assert operation("--proto-redir", "-http").proto_redir == {"https"}
    assert operation("--proto-redir", "+file").proto_redir == {"file", "http", "https"}
    assert operation("--proto-redir", "=http,https").proto_redir == {"http", "https"}


def test_sizes_seconds_and_times_are_converted():
    config = operation(
        "--limit-rate", "10k", "--max-filesize", "2M", "-z", "-1 jan 2000", "-y", "5", "-C", "-"
    )
    assert operation("--max-filesize", "0" * 5000 + "1k").max_filesize == 1024
    assert (config.limit_rate, config.max_filesize) == (10240, 2 * 1024**2)
    assert (config.time_condition, config.condition_time) == ("if-unmodified-since", 946684800)
    assert (config.speed_time, config.speed_limit, config.continue_at) == (5, 1, -1)


def test_the_later_of_two_trace_options_wins_with_a_warning():
    line = read("-v", "--trace-ascii", "file")
    assert (line.config.trace, line.config.trace_kind) == ("file", "ascii")
    assert line.messages == ["Warning: --trace-ascii overrides an earlier trace/verbose option\n"]
    assert read("-v").config.trace == "%"


@pytest.mark.parametrize(("word", "action"), [("-h", "help"), ("-V", "version"), ("-M", "manual")])
def test_help_version_and_manual_end_the_reading(word, action):
    assert read(word, "--no-such-option").action == action
    assert read("--no-help", "--no-version", "--no-manual", "x").action == "run"


def test_help_takes_the_next_word_as_its_category():
    assert read("-h", "http").config.help_category == "http"
    assert read("--help").config.help_category is None


def test_nothing_at_all_is_refused_with_the_hint_alone():
    with pytest.raises(UsageError) as caught:
        read_command_line([], {}, files())
    assert caught.value.report() == TRY_HELP


def test_the_curlrc_of_the_first_place_is_read_unless_q_comes_first(tmp_path):
    for folder, agent in (("curl", "one"), ("home", "two")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / ".curlrc").write_text(f"user-agent = {agent}\n")
    both = {"CURL_HOME": str(tmp_path / "curl"), "HOME": str(tmp_path / "home")}
    home = {"HOME": str(tmp_path / "home")}
    assert read_command_line(["x"], both).operations[0].user_agent == "one"
    assert read_command_line(["x"], home).operations[0].user_agent == "two"
    assert read_command_line(["-q", "x"], home).operations[0].user_agent is None
    assert read_command_line(["-qL", "x"], home).operations[0].user_agent is None


def test_without_xdg_config_home_the_config_folder_is_looked_into(tmp_path):
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "curlrc").write_text("-A three\n")
    home = {"HOME": str(tmp_path)}
    assert read_command_line(["x"], home).operations[0].user_agent == "three"
    assert read_command_line(["x"], {**home, "XDG_CONFIG_HOME": "/x"}).operations[0].user_agent is None


def test_the_last_place_is_the_home_of_the_account_whatever_HOME_says(tmp_path, monkeypatch):
    (tmp_path / ".curlrc").write_text("-A four\n")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: SimpleNamespace(pw_dir=str(tmp_path)))
    for environment in ({}, {"HOME": ""}, {"HOME": "/nowhere"}):
        assert read_command_line(["x"], environment).operations[0].user_agent == "four"
    assert read_command_line(["-q", "x"], {}).operations[0].user_agent is None


def test_a_file_that_reads_itself_comes_to_an_end():
    line = read("-K", "loop", "x", read_file=files(loop=b"-K loop\n"))
    assert "error encountered when reading a file" in "".join(line.messages)


def test_mistakes_in_a_file_are_warnings_with_their_line():
    line = read("-K", "f", "x", read_file=files(f=b"\n--foo\n-L yes\nurl = a b\n"))
    assert "".join(line.messages) == (
        "Warning: f:2: warning: '--foo' is unknown\n"
        "Warning: f:3: warning: '-L' had unsupported trailing garbage\n"
        "Warning: f:4: warning: 'url' uses unquoted whitespace in the line that may \n"
        "Warning: cause side-effects!\n"
    )


def test_the_method_follows_from_the_options():
    def method(*arguments, uploads=False):
        return settle_method(operation(*arguments), [].append, uploads=uploads)

    assert [method(), method("-d", "x"), method("-I"), method("-F", "a=b")] == ["GET", "POST", "HEAD", "POST"]
    assert method(uploads=True) == "PUT"
    config = operation("-G", "-d", "a=b", "--url-query", "c")
    assert (settle_method(config, [].append, uploads=False), config.query, config.data) == (
        "GET",
        "a=b",
        None,
    )


def test_data_and_an_upload_contradict_each_other():
    warnings = []
    with pytest.raises(UsageError):
        settle_method(operation("-d", "x"), warnings.append, uploads=True)
    assert warnings == [
        "You can only select one HTTP request method! "
        "You asked for both PUT (-T, --upload-file) and POST (-d, --data)."
    ]


def test_a_needless_method_is_noted_and_head_is_warned_about():
    note = method_note(operation("-X", "get"), "GET", True)
    assert note == "Note: Unnecessary use of -X or --request, GET is already inferred.\n"
    assert method_note(operation("-X", "GET"), "GET", False) == ""
    assert method_note(operation("-X", "HEAD"), "GET", False).startswith(
        "Warning: Setting custom HTTP method"
    )


@pytest.mark.parametrize("table", [OPTIONS, LATER_OPTIONS])
def test_the_tables_are_in_the_order_of_the_help(table):
    names = [shown_name(row) for row in table if row[5]]
    assert names == sorted(names)


def test_options_that_came_later_take_no_abbreviation_away():
    assert operation("--dump", "x").dump_header == "x"
    assert read("--nic", "tap:t0").config.nic == "tap:t0"
    assert "option --ni: is unknown" in refused("--ni", "tap:t0")[0]


def test_every_row_of_the_table_leads_somewhere():
    rows = all_options()
    short = [row[1] for row in rows if row[1]]
    assert len(set(short)) == len(short)
    names = [row[0] for row in rows]
    assert len(set(names)) == len(names)
    known = {name for name, _ in CATEGORIES} | {"important"}
    for name, letter, kind, field, _, _, categories in rows:
        assert len(letter) <= 1
        assert kind in ("bool", "negated", "none", "text", "file", "list", "number", "seconds", "size")
        assert set(categories.split()) <= known, name
        if field == "*":
            assert name in ACTIONS
        elif field.startswith("global."):
            assert hasattr(GlobalConfig(), field[7:]), name
        elif field not in ("", "-"):
            assert hasattr(OperationConfig(), field), name
    assert set(ACTIONS) == {row[0] for row in rows if row[3] == "*"}
    assert option_actions.PROTOCOLS == version.PROTOCOLS
