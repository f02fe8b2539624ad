"""`wengert train`: a newcomer's one command."""

import re

import pytest

from wengert.cli import main


def test_digits(capsys, tmp_path):
    folder = tmp_path / "run"
    assert main(["train", "digits", "--epochs", "3", "--output", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "85,002 parameters; 1438 images to learn from, 359 held out" in out
    assert "256 × 64" in out
    accuracy = float(re.search(r"([\d.]+)% of 359 unseen digits are read rightly", out)[1])
    assert accuracy > 80
    assert {path.name for path in folder.iterdir()} == {"loss.png", "misread.png", "checkpoints"}
    assert main(["train", "digits", "--epochs", "4", "--output", str(folder), "--resume"]) == 0
    again = capsys.readouterr().out
    assert "88 steps in" in again
    assert [line.split()[:2] for line in again.splitlines() if re.match(r" +\d+ +\d+ +\d", line)] == [["1", "22"], ["2", "44"], ["3", "66"], ["4", "88"]]


def test_a_run_is_not_overwritten(capsys, tmp_path):
    assert main(["train", "digits", "--epochs", "1", "--output", str(tmp_path)]) == 0
    assert main(["train", "digits", "--epochs", "1", "--output", str(tmp_path)]) == 1
    assert "holds the checkpoints of a run" in capsys.readouterr().err


@pytest.mark.parametrize(("argv", "said"), [
    (["train"], "the following arguments are required: data"),
    (["train", "letters"], "invalid choice: 'letters'"),
    (["train", "digits", "--resume"], "--output, which is missing"),
])  # fmt: skip
def test_mistakes(capsys, argv, said):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err
