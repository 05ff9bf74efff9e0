"""docs/operations.md and the files beside it: manifests, scripts, commands and options are right.

The linters run in ``.ci/run``: yamllint, shellcheck, hadolint. Slurm and Kubernetes are not here:
the batch script runs with stand-ins for Slurm's commands, and the manifest is held against schemas.
"""

from __future__ import annotations

import ast
import inspect
import os
import pkgutil
import re
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

import growsearch as gs
from growsearch.cli import app as cli
from tests.command_line import ROOT, check_command, commands

FOLDER = ROOT / "docs" / "operations"
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SCRIPT = FOLDER / "slurm.sh"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
CLAIM, JOB = yaml.safe_load_all((FOLDER / "rayjob.yaml").read_text(encoding="utf-8"))
HEAD = JOB["spec"]["rayClusterSpec"]["headGroupSpec"]
(WORKERS,) = JOB["spec"]["rayClusterSpec"]["workerGroupSpecs"]
KUBERNETES = "1.33"  # of the schemas


def fenced(language: str) -> list[str]:
    """Return the page's blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def objects(required: str = "", **properties: Any) -> dict[str, Any]:
    """Return the schema of an object that has these fields, and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": properties,
    }


TEXT, COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
GROUP = {
    "rayStartParams": {"type": "object", "additionalProperties": TEXT},
    "template": {"type": "object"},  # held against the schema of a Pod
}
RAY_JOB = objects(
    "apiVersion kind metadata spec",
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=objects("name", name=TEXT),
    spec=objects(
        "entrypoint rayClusterSpec",
        entrypoint=TEXT,
        backoffLimit=COUNT,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=COUNT,
        rayClusterSpec=objects(
            "headGroupSpec",
            rayVersion=TEXT,
            authOptions=objects(mode={"enum": ["disabled", "token"]}),
            headGroupSpec=objects("template", **GROUP),
            workerGroupSpecs={
                "type": "array",
                "items": objects(
                    "groupName template",
                    groupName=TEXT,
                    replicas=COUNT,
                    minReplicas=COUNT,
                    maxReplicas=COUNT,
                    **GROUP,
                ),
            },
        ),
    ),
)


def test_the_manifest_is_a_ray_job() -> None:
    """Every field is one of KubeRay's RayJob, with its type.

    The schema above has the fields that the manifest uses. It agrees with the custom resource
    definition of KubeRay 1.6.1 and 1.7.0, against which the manifest was validated too, with
    unknown fields refused. The definition itself has 20,000 lines and is not kept here: a new field
    of the manifest needs a look into it.
    """
    jsonschema.validate(JOB, RAY_JOB)


@pytest.mark.parametrize(
    "manifest",
    [
        CLAIM,
        {"apiVersion": "v1", "kind": "Pod", **HEAD["template"]},
        {"apiVersion": "v1", "kind": "Pod", **WORKERS["template"]},
        *(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "spec": {"containers": [{"name": "ray-head", **yaml.safe_load(block)}]},
            }
            for block in fenced("yaml")
        ),
    ],
    ids=["claim", "head", "workers", "fragment"],
)
def test_volume_and_pods_are_those_of_kubernetes(manifest: dict[str, Any]) -> None:
    """Kubernetes's own schemas accept the claim and both templates, and the page's fragment."""
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_manifest_fits_together() -> None:
    """Both groups mount the claimed volume, the run folder is on it, and the workers fit."""
    name = CLAIM["metadata"]["name"]
    assert CLAIM["spec"]["accessModes"] == ["ReadWriteMany"]
    words = shlex.split(JOB["spec"]["entrypoint"])
    out, workers, cpus = (
        words[words.index(option) + 1] for option in ("--out", "--workers", "--cpus-per-worker")
    )
    for group in (HEAD, WORKERS):
        pod = group["template"]["spec"]
        (volume,), (container,) = pod["volumes"], pod["containers"]
        (mount,) = container["volumeMounts"]
        assert volume["persistentVolumeClaim"]["claimName"] == name
        assert mount["name"] == volume["name"]
        assert Path(out).is_relative_to(mount["mountPath"])
        assert container["resources"]["requests"] == container["resources"]["limits"]
    (container,) = WORKERS["template"]["spec"]["containers"]
    room = WORKERS["replicas"] * (int(container["resources"]["limits"]["cpu"]) // int(cpus))
    assert int(workers) == room
    assert HEAD["rayStartParams"]["num-cpus"] == "0"
    assert JOB["spec"]["backoffLimit"] == 3


def test_image_and_ray_are_one_version() -> None:
    """The image that is built is the one that runs, and its Ray is the cluster's."""
    version = JOB["spec"]["rayClusterSpec"]["rayVersion"]
    assert f"FROM rayproject/ray:{version}-py311\n" in DOCKERFILE
    assert f'"ray=={version}"' in DOCKERFILE
    images = {
        container["image"]
        for group in (HEAD, WORKERS)
        for container in group["template"]["spec"]["containers"]
    }
    (image,) = images
    assert image.endswith(f":{gs.__version__}")
    assert f"-t {image} " in DOCKERFILE
    assert PAGE.count(image) == len(re.findall(r"registry\.\S+", PAGE))
    for copied in re.findall(r"^COPY \S+ (.+) \S+$", DOCKERFILE, flags=re.MULTILINE):
        assert all((ROOT / path).exists() for path in copied.split())


def test_every_file_is_linted() -> None:
    """``.ci/run`` names each file beside the page."""
    checks = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace("\\\n", "")
    linters = {"rayjob.yaml": "yamllint", "slurm.sh": "shellcheck", "Dockerfile": "hadolint"}
    assert {path.name for path in FOLDER.iterdir()} == linters.keys()
    for name, linter in linters.items():
        assert re.search(rf"{linter}\b.* docs/operations/{re.escape(name)}$", checks, re.MULTILINE)
        assert f"(operations/{name})" in PAGE


# --- the batch script ---------------------------------------------------------------------------


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """An environment as Slurm's, whose commands write their names and arguments into a file."""
    log = tmp_path / "log"
    log.touch()
    commands = {
        "scontrol": 'echo "scontrol $*" >>"$LOG"; if [ "$1" = show ]; then printf "a\\nb\\n"; fi',
        "srun": 'echo "srun $*" >>"$LOG"',
        # There is no status before there is a head.
        "ray": 'echo "ray $*" >>"$LOG"; if [ "$2" = --head ]; then exec sleep 30; fi\n'
        'if [ "$1" = status ]; then exec grep -q "^ray start --head" "$LOG"; fi',
        # A driver that outlives the start of the other nodes, and takes half a second to end after
        # SIGTERM.
        "growsearch": 'echo "growsearch $*" >>"$LOG"\n'
        'until [ "$SLURM_JOB_NUM_NODES" = 1 ] || grep -q "^srun" "$LOG"; do sleep 0.05; done\n'
        'trap "sleep 0.5; exit 143" TERM\n'
        'if [ "$STATUS" = runs ]; then sleep 30 & wait; fi\nexit "$STATUS"',
    }
    for name, body in commands.items():
        path = tmp_path / name
        path.write_text(f"#!/usr/bin/env bash\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
    return {
        **{"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(log)},
        **{"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "[a-b]", "SLURM_JOB_NUM_NODES": "2"},
        "SLURM_CPUS_PER_TASK": "16",
    }


def run_script(slurm: dict[str, str], status: str, sent: int | None = None) -> tuple[int, str]:
    """Run the script with a driver that ends so; return its exit status and the commands."""
    log = Path(slurm["LOG"])
    process = subprocess.Popen(
        ["bash", str(SCRIPT), "digits", "--workers", "2"],
        env={**slurm, "STATUS": status},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        if sent is not None:
            deadline = time.monotonic() + 20
            while "growsearch run" not in log.read_text(encoding="utf-8"):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(0.5)  # until both have their traps
            process.send_signal(sent)
        code = process.wait(20)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with the driver's sleep
    return code, log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("status", "sent", "code", "again"),
    [
        ("0", None, 0, False),
        ("2", None, 2, False),
        ("75", None, 75, True),
        ("runs", signal.SIGUSR1, 143, True),
        ("runs", signal.SIGTERM, 143, False),
    ],
    ids=["done", "bad input", "cluster gone", "time limit", "scancel"],
)
def test_a_job_of_slurm_is_queued_again(
    slurm: dict[str, str], status: str, sent: int | None, code: int, again: bool
) -> None:
    """At its time limit and where the cluster is gone, but not when it is cancelled or done."""
    found, log = run_script(slurm, status, sent)
    assert found == code
    assert ("scontrol requeue 7" in log) == again


def test_a_job_of_slurm_is_not_queued_for_ever(slurm: dict[str, str]) -> None:
    """A database that stays away ends the job after five restarts."""
    _, log = run_script({**slurm, "SLURM_RESTART_COUNT": "5"}, "75")
    assert "requeue" not in log


def test_ray_is_on_every_node(slurm: dict[str, str]) -> None:
    """One head, one Ray on each other node at the head's address, and a driver that uses it."""
    _, log = run_script(slurm, "0")
    (address,) = re.findall(r"^growsearch run digits --workers 2 --ray (\S+)$", log, re.MULTILINE)
    host, _, port = address.partition(":")
    (head,) = re.findall(r"^ray start --head (.*)$", log, flags=re.MULTILINE)
    assert f"--node-ip-address={host} --port={port} --num-cpus=16" in head
    (others,) = re.findall(r"^srun (.*)$", log, flags=re.MULTILINE)
    assert others.startswith("--nodes=1 --ntasks=1 --exclude=a ")
    assert f"ray start --address={address} --num-cpus=16 --block" in others
    _, log = run_script({**slurm, "SLURM_JOB_NUM_NODES": "1"}, "0")
    assert log.count("srun") == 1


# --- commands and options -------------------------------------------------------------------------


def batch_jobs(text: str) -> list[list[str]]:
    """Return the arguments of each ``sbatch`` of the script, which are those of a run."""
    lines = re.sub(r"\\\n#?", " ", text).splitlines()
    found = [line.partition("docs/operations/slurm.sh ")[2] for line in lines if "sbatch" in line]
    return [["run", *shlex.split(line)] for line in found if line]


SCRIPT_TEXT = SCRIPT.read_text(encoding="utf-8")
CODE = [code for code in re.findall(r"`([^`\n]+)`", PAGE) if code.startswith("growsearch ")]
COMMANDS = [
    *(words for block in fenced("sh") for words in commands(block)),
    *(words for code in CODE for words in commands(code)),
    *commands(SCRIPT_TEXT),
    *commands(JOB["spec"]["entrypoint"]),
    *batch_jobs(PAGE),
    *batch_jobs(SCRIPT_TEXT),
]


def test_commands_are_found() -> None:
    """In the page, in the script, in the manifest, and as arguments of the script."""
    assert len(COMMANDS) > 15
    assert len(batch_jobs(PAGE)) == len(batch_jobs(SCRIPT_TEXT)) == 1
    assert list(commands('x && growsearch run "a b" \\\n --seed 1 &  # growsearch show')) == [
        ["run", "a b", "--seed", "1"]
    ]


@pytest.mark.parametrize("words", sorted({tuple(words) for words in COMMANDS}), ids=" ".join)
def test_every_command_is_one(words: tuple[str, ...]) -> None:
    """Click takes the command, its options and their values."""
    check_command(words)


OPTIONS = {
    option
    for command in cli.app.commands.values()
    for parameter in command.params
    for option in parameter.opts
}


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`(--[\w-]+)", PAGE))))
def test_every_option_is_one(option: str) -> None:
    """An option in code type is growsearch's, or one of the batch script."""
    assert option in OPTIONS or option in SCRIPT_TEXT


def test_python_arguments_are_those_of_the_functions() -> None:
    """Calls of growsearch in the page fit; so do the arguments that its tables name."""
    known = inspect.signature(gs.search).parameters
    named = re.findall(r"^\| `--[^|]+\| `(\w+)` \|", PAGE, flags=re.MULTILINE)
    assert len(named) >= 4
    assert set(named) <= known.keys()
    snippets = [*fenced("python"), *re.findall(r"`executor=(gs\.\w+\(.*?\))`", PAGE)]
    calls = [
        node
        for snippet in snippets
        for node in ast.walk(ast.parse(snippet))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("gs.")
    ]
    assert len(calls) >= 3
    for call in calls:
        function = getattr(gs, ast.unparse(call.func).removeprefix("gs."))
        names = {str(keyword.arg): None for keyword in call.keywords}
        inspect.signature(function).bind(*call.args, **names)
    for dotted in re.findall(r"`(growsearch(?:\.\w+)+)`", PAGE):
        assert pkgutil.resolve_name(dotted) is not None


def test_exit_statuses_have_a_row() -> None:
    """The table of exit statuses has those of the command line."""
    listed = {int(status) for status in re.findall(r"^\| (\d+) \|", PAGE, flags=re.MULTILINE)}
    ours = {value for name, value in vars(cli).items() if name.isupper() and type(value) is int}
    assert ours
    assert ours <= listed
