"""A run on the command line: what it prints, goes on with, and shows again."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from growsearch.cli import main
from growsearch.study.result import SearchResult
from tests.command_line import (
    COMMAND,
    IN_PROCESS,
    SECONDS,
    SMALL,
    TRIAL,
    contents,
    refused,
    run_digits,
)

pytestmark = pytest.mark.usefixtures("own_machine")


def test_a_run_prints_a_line_for_every_trial(printed_run: tuple[Path, str]) -> None:
    """Each trial is one line, printed when it is done, below the teacher's."""
    lines = printed_run[1].splitlines()
    assert [match[0] for match in TRIAL.findall(printed_run[1])] == ["0", "1"]
    assert lines[0].startswith("Run digits: 0 of 2 trials done, seed 0, in ")
    assert lines[1] == "Images: scikit-learn's load_digits, enlarged"
    assert lines[2].startswith("Teacher 3x3x4(conv1)-pool1-8(fc1)-10(fc2): 6,410 parameters, ")
    assert lines[3].split() == [
        *("trial", "growth", "parent", "accuracy", "gain", "outcome", "controls")
    ]
    assert all(len(line) <= 80 for line in lines[3:6])


def test_output_that_is_no_terminals_is_plain(printed_run: tuple[Path, str]) -> None:
    """Without a terminal there are no colours, no bars, and nothing is overwritten."""
    assert "\x1b" not in printed_run[1]
    assert "\r" not in printed_run[1]
    assert "━" not in printed_run[1]


def test_a_run_ends_with_its_summary(printed_run: tuple[Path, str]) -> None:
    """The summary names the network, its size and accuracies, the control's, and all paths."""
    folder, out = printed_run
    summary = out.split("\n\n")[1]
    for pattern in [
        r"best network +\S*\(conv1\)\S*-10\(fc2\) \((the teacher|trial \d+)\)",
        r"parameters +[\d,]+",
        r"validation accuracy +0\.\d{4} \(teacher 0\.\d{4}\)",
        r"test accuracy +0\.\d{4} \(teacher 0\.\d{4}\)",
        r"control +net2net − random: [+-]0\.\d{4} mean paired difference, n = 2 .*too few pairs.*",
        r"images +scikit-learn's load_digits, enlarged",
        rf"weights +{re.escape(str(folder))}/weights/[0-9a-f]{{64}}\.safetensors",
        rf"run folder +{re.escape(str(folder))}",
        rf"dashboard +growsearch dashboard '{re.escape(str(folder))}'",
        r"ended +all 2 trials are done",
    ]:
        assert re.search(f"^{pattern}$", summary, re.MULTILINE), pattern


def test_the_same_command_says_that_it_is_done(
    printed_run: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished run says so, trains nothing and prints the same summary."""
    folder, out = printed_run
    weights = contents(folder / "weights")
    assert main(run_digits(folder, "--trials", "2")) == 0
    again, err = capsys.readouterr()
    assert err == ""
    assert again.startswith("Run digits: 2 of 2 trials done")
    assert not TRIAL.search(again)
    before, after = (text.split("\n\n")[1].partition("\nended") for text in (out, again))
    assert after[0] == before[0]
    assert "2 trials" in after[2]
    assert "done" in after[2]
    assert contents(folder / "weights") == weights


def test_more_trials_continue_the_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A run goes on where it stopped; trials are counted over all sessions."""
    assert main(run_digits(tmp_path, "--trials", "0")) == 0
    out = capsys.readouterr().out
    assert "(the teacher)" in out
    assert "no control arm has run" in out
    assert main(run_digits(tmp_path, "--trials", "1")) == 0
    assert [match[0] for match in TRIAL.findall(capsys.readouterr().out)] == ["0"]


def test_json_is_all_that_stands_on_standard_output(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With --json a program reads the output; people read standard error."""
    assert main(run_digits(tmp_path, "--trials", "1", "--json")) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["folder"] == str(tmp_path)
    assert [trial["number"] for trial in result["trials"]] == [0]
    assert set(result["trials"][0]["arms"]) == {"net2net", "random"}
    assert 0.0 <= result["best"]["validation_accuracy"] <= 1.0
    assert 0.0 <= result["test_accuracy"] <= 1.0
    assert (tmp_path / "weights" / f"{result['best']['sha256']}.safetensors").is_file()
    assert TRIAL.search(err)


def test_show_tells_the_same_and_changes_nothing(
    printed_run: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Show prints the trials and the summary of a run, and no file is touched."""
    folder, out = printed_run
    before = contents(folder)
    assert main(["show", str(folder)]) == 0
    shown, err = capsys.readouterr()
    assert err == ""
    assert TRIAL.findall(shown) == TRIAL.findall(out)
    assert out.split("\n\n")[1].startswith(shown.split("\n\n")[1])
    assert main(["show", str(folder), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["trials"]) == 2
    assert contents(folder) == before


def test_a_damaged_network_is_one_line_of_warning(
    printed_run: tuple[Path, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A network that does not verify is passed over, with a line and no line of source code."""
    folder = tmp_path / "copy"
    for name, (data, _) in contents(printed_run[0]).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    main(["show", str(folder), "--json"])
    best = Path(json.loads(capsys.readouterr().out)["best"]["path"])
    best.write_bytes(b"damaged")
    done = subprocess.run(
        [*COMMAND, "show", str(folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    assert best.stem not in done.stdout
    line = r"growsearch: warning: trial \d: its network is passed over: [^\n]*\n"
    assert re.fullmatch(line, done.stderr)


def test_stand_in_data_are_announced_and_recorded(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Digits replace an MNIST that is neither found nor downloaded; start, end and JSON say so."""
    folder = str(tmp_path / "run")
    arguments = ["run", "net2net", *SMALL, "--trials", "0", *IN_PROCESS, "--out", folder]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("!!!!")
    assert out.count("!! STAND-IN DATA.") == 2
    assert "IN PLACE OF MNIST" in out
    assert main(["show", str(tmp_path / "run")]) == 0
    assert "!! STAND-IN DATA." in capsys.readouterr().out
    assert main(["show", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stand_in"] is True


def test_data_that_were_named_never_have_a_stand_in(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GROWSEARCH_DATA that leads nowhere is an error, not a reason for other images."""
    monkeypatch.setenv("GROWSEARCH_DATA", str(tmp_path / "nowhere"))
    line = refused(capsys, "run", "net2net", *SMALL, "--out", str(tmp_path / "run"))
    assert "GROWSEARCH_DATA" in line


def test_a_stored_run_with_a_trunk_is_shown_with_its_course(
    grown: tuple[SearchResult, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Growths, commits, lineage and seconds, confusion matrices, in this order; or JSON."""
    folder = str(grown[0].folder)
    assert main(["show", folder]) == 0
    growths, curve, summary, *matrices = capsys.readouterr().out.rstrip().split("\n\n")
    assert [each.partition(",")[0] for each in matrices] == [
        "Accuracy by class on the held-out validation images",
        "Accuracy by class on the test images",
    ]
    assert " KEPT: " in growths
    assert re.search(r"^ *end \d+ .* 0\.\d{4}$", curve, re.MULTILINE)
    assert re.search(r"^grown +2-4 → ", summary, re.MULTILINE)
    assert re.search(r"^seconds +of .* % deciding", summary, re.MULTILINE)
    assert main(["show", folder, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["lineage"][0]["growth"] == ""
    assert told["readings"]
    assert told["shares"]["descent"] > 0.0
