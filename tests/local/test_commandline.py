from pathlib import Path

import pytest

from paymentops.local import commandline


@pytest.mark.parametrize(
    ("arguments", "rest", "found"),
    [
        (["manage.py", "verify"], ["manage.py", "verify"], None),
        (["manage.py", "verify", "--data-dir", "d", "--json"], ["manage.py", "verify", "--json"], "d"),
        (["manage.py", "--data-dir=d", "verify"], ["manage.py", "verify"], "d"),
        (["manage.py", "up", "--data-dir", "a", "--data-dir=b"], ["manage.py", "up"], "b"),
        (["manage.py", "x", "--", "--data-dir", "d"], ["manage.py", "x", "--", "--data-dir", "d"], None),
        (["manage.py", "x", "--data-directory", "d"], ["manage.py", "x", "--data-directory", "d"], None),
    ],
)
def test_the_data_directory_is_taken_from_anywhere_on_the_command_line(arguments, rest, found):
    assert commandline.take_data_dir(arguments) == (rest, found)


@pytest.mark.parametrize("arguments", [["manage.py", "up", "--data-dir"], ["manage.py", "up", "--data-dir="]])
def test_a_data_directory_without_a_value_is_refused(arguments):
    with pytest.raises(SystemExit, match="needs a folder"):
        commandline.take_data_dir(arguments)


def test_a_relative_data_directory_becomes_absolute_in_the_environment():
    environment = {"PAYMENTOPS_DATA_DIR": "/elsewhere"}
    assert commandline.prepare(["manage.py", "up", "--data-dir", "here"], environment) == ["manage.py", "up"]
    assert environment["PAYMENTOPS_DATA_DIR"] == str(Path("here").resolve())
    assert environment["DJANGO_SETTINGS_MODULE"] == "paymentops.settings"


def test_without_the_option_the_environment_keeps_its_data_directory():
    environment = {"PAYMENTOPS_DATA_DIR": "/elsewhere"}
    commandline.prepare(["manage.py", "verify"], environment)
    assert environment["PAYMENTOPS_DATA_DIR"] == "/elsewhere"
