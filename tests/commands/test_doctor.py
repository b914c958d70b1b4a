import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fairseq_align
from fairseq_align import cli, doctor

capabilities = st.tuples(st.integers(5, 12), st.integers(0, 9))


def install(folder, name, version="1.0", package=None, requires=(), extras=()):
    """Fabricate an installed distribution: its metadata and, with ``package``, the name of what it installs."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}"]
    lines += [f"Provides-Extra: {extra}" for extra in extras] + [f"Requires-Dist: {need}" for need in requires]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]), encoding="utf-8")
    (info / "top_level.txt").write_text(f"{package or name}\n", encoding="utf-8")


def torch_like(cuda=None, hip=None, devices=(), architectures=(), distributed=True, gloo=True, nccl=False):
    """What the doctor asks of torch; devices are pairs of a name and a compute capability, all with 80 GiB."""
    gpus = [
        SimpleNamespace(name=name, major=major, minor=minor, total_memory=80 * 2**30)
        for name, (major, minor) in devices
    ]
    return SimpleNamespace(
        version=SimpleNamespace(cuda=cuda, hip=hip),
        cuda=SimpleNamespace(
            is_available=lambda: bool(gpus),
            device_count=lambda: len(gpus),
            get_device_properties=gpus.__getitem__,
            get_arch_list=lambda: list(architectures),
        ),
        distributed=SimpleNamespace(
            is_available=lambda: distributed, is_gloo_available=lambda: gloo, is_nccl_available=lambda: nccl
        ),
    )


def test_a_finding_is_one_line():
    assert str(doctor.Finding("ok", "numpy", "2.4.6")) == "ok    numpy: 2.4.6"
    assert str(doctor.Finding("FAIL", "numpy", "1.2", "bash install.sh")) == "FAIL  numpy: 1.2 (bash install.sh)"


@pytest.mark.parametrize("version, status", [((3, 10, 14), "FAIL"), ((3, 11, 0), "ok"), ((3, 14, 1, "final"), "ok")])
def test_python_older_than_3_11_fails(version, status):
    assert doctor.python(version).status == status


def test_fairseq_fixed_alone_is_right(tmp_path):
    install(tmp_path, "fairseq-fixed", "0.12.3.1", package="fairseq")
    assert doctor.fairseq_distribution([tmp_path]) == doctor.Finding("ok", "fairseq", "fairseq-fixed 0.12.3.1")


def test_upstream_fairseq_fails_with_the_way_out(tmp_path):
    install(tmp_path, "fairseq", "0.12.2")
    finding = doctor.fairseq_distribution([tmp_path])
    assert (finding.status, finding.found) == ("FAIL", "fairseq 0.12.2")
    assert "does not import" in finding.advice and "pip uninstall fairseq, then bash install.sh" in finding.advice


def test_two_distributions_of_fairseq_clash(tmp_path):
    install(tmp_path, "fairseq-fixed", "0.12.3.1", package="fairseq")
    install(tmp_path, "fairseq", "0.12.2")
    finding = doctor.fairseq_distribution([tmp_path])
    assert (finding.status, finding.found) == ("FAIL", "fairseq 0.12.2 and fairseq-fixed 0.12.3.1")
    assert "overwrite" in finding.advice and "pip uninstall fairseq fairseq-fixed" in finding.advice


def test_no_fairseq_fails(tmp_path):
    assert doctor.fairseq_distribution([tmp_path]).status == "FAIL"


def test_requirements_are_compared_with_what_the_package_and_its_fairseq_declare(tmp_path):
    needs = ["numpy>=1.26", "torch>=2.10", "tqdm", "matplotlib>=3.8; extra == 'plot'", "ruff; extra == 'test'"]
    install(tmp_path, "fairseq_align", "0.1.0", requires=needs, extras=["plot", "test"])
    needs = ["omegaconf==2.3.0", "numpy<2.5", "cffi; python_version < '3'", "black; extra == 'dev'", "torchaudio"]
    install(tmp_path, "fairseq-fixed", "0.12.3.1", requires=needs, extras=["dev"])
    for name, version in (("numpy", "2.6"), ("torch", "2.13.0+cpu"), ("omegaconf", "2.1"), ("matplotlib", "3.1")):
        install(tmp_path, name, version)
    assert [(finding.status, finding.what, finding.found) for finding in doctor.requirements([tmp_path])] == [
        ("ok", "fairseq_align", "0.1.0"),
        ("warn", "matplotlib", "3.1"),  # optional
        ("FAIL", "numpy", "2.6"),  # too new for fairseq
        ("FAIL", "omegaconf", "2.1"),
        ("ok", "ruff", "not installed"),  # optional
        ("ok", "torch", "2.13.0+cpu"),
        ("FAIL", "tqdm", "not installed"),
    ]
    advice = {finding.what: finding.advice for finding in doctor.requirements([tmp_path])}
    assert advice["numpy"] == "expected numpy<2.5; bash install.sh"
    assert advice["matplotlib"] == "expected matplotlib>=3.8; EXTRAS=plot bash install.sh"
    assert advice["ruff"] == "optional; EXTRAS=test bash install.sh"


def test_a_clone_that_is_not_installed_is_a_warning(tmp_path):
    (finding,) = doctor.requirements([tmp_path])
    assert (finding.status, finding.advice) == ("warn", "bash install.sh")


def test_a_plugin_that_fairseq_does_not_find_by_name_is_a_warning_with_its_path(tmp_path, repo):
    (tmp_path / "fairseq").mkdir()
    (tmp_path / "fairseq" / "__init__.py").write_text("", encoding="utf-8")
    finding = doctor.user_dir([tmp_path])
    assert finding.status == "warn" and finding.advice.endswith(f"--user-dir {repo / 'fairseq_align'}")
    (tmp_path / "fairseq_align").mkdir()
    assert doctor.user_dir([tmp_path]).status == "ok"


def apex_like(folder, *parts):
    for part in ("", *parts):
        (folder / "apex" / part).mkdir(parents=True)
        # importing it would end the tests: the doctor must only look
        (folder / "apex" / part / "__init__.py").write_text("raise SystemExit('imported')", encoding="utf-8")


def test_nvidias_apex_is_told_by_its_folders(tmp_path):
    apex_like(tmp_path, "amp", "normalization", "optimizers")
    install(tmp_path, "apex", "0.1")
    finding = doctor.apex([tmp_path])
    assert finding.status == "ok" and finding.found.startswith("NVIDIA's")


def test_the_web_toolkit_called_apex_fails(tmp_path):
    apex_like(tmp_path, "lib", "models", "templates")
    install(tmp_path, "apex", "0.9.10dev")
    finding = doctor.apex([tmp_path])
    assert (finding.status, finding.found) == ("FAIL", "apex 0.9.10dev")
    assert "pip uninstall apex" in finding.advice


def test_a_single_file_called_apex_fails(tmp_path):
    (tmp_path / "apex.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    assert doctor.apex([tmp_path]).status == "FAIL"


def test_no_apex_is_fine(tmp_path):
    assert doctor.apex([tmp_path]).status == "ok"


def test_an_import_error_is_shown_in_one_line():
    error = doctor.failure("no_module_of_this_name")
    finding = doctor.importing("import it", error, "mend it")
    assert str(finding) == (
        "FAIL  import it: does not import: ModuleNotFoundError: No module named 'no_module_of_this_name' (mend it)"
    )
    assert "\n" not in str(doctor.importing("import it", OSError("libcudart\nis missing"), "mend it"))
    assert doctor.importing("import sys", doctor.failure("sys"), "mend it").status == "ok"


def test_a_torchaudio_that_does_not_load_is_a_warning_and_none_is_fine(tmp_path, monkeypatch):
    assert doctor.torchaudio([tmp_path]).status == "ok"
    install(tmp_path, "torchaudio", "2.11.0")
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    finding = doctor.torchaudio([tmp_path])
    assert finding.status == "warn" and finding.advice.endswith("transformers fails with it; pip uninstall torchaudio")


@pytest.mark.parametrize(
    "torch, status, found",
    [
        (torch_like(), "ok", "CPU, gloo"),
        (torch_like(cuda="13.0", nccl=True), "ok", "CUDA 13.0, gloo, nccl"),
        (torch_like(hip="7.1", nccl=True), "ok", "ROCm 7.1, gloo, nccl"),
        (torch_like(cuda="13.0"), "warn", "CUDA 13.0, gloo"),
        (torch_like(gloo=False), "warn", "CPU"),
        (torch_like(distributed=False), "warn", "CPU, not distributed"),
    ],
)
def test_missing_backends_are_a_warning(torch, status, found):
    finding = doctor.backends(torch)
    assert (finding.status, finding.found) == (status, found)


@pytest.mark.parametrize(
    "torch, driver, status, found",
    [
        (torch_like(), False, "ok", "none"),
        (torch_like(cuda="13.0"), False, "ok", "none"),
        (torch_like(), True, "warn", "not used: torch is a CPU build"),
        (torch_like(cuda="13.0"), True, "warn", "not seen by torch"),
    ],
)
def test_a_gpu_that_torch_does_not_use_is_a_warning(torch, driver, status, found):
    (finding,) = doctor.gpus(torch, driver)
    assert (finding.status, finding.found) == (status, found)


def test_every_gpu_is_shown_with_its_precisions():
    devices = [("NVIDIA H100", (9, 0)), ("Tesla V100", (7, 0)), ("Tesla K80", (3, 7))]
    found = list(doctor.gpus(torch_like("13.0", None, devices, ["sm_70", "sm_80", "sm_90"]), driver=True))
    assert [finding.status for finding in found] == ["ok", "ok", "FAIL"]
    assert found[0].found == "NVIDIA H100, 80 GiB, compute capability 9.0, fp16 yes, bf16 yes, tf32 yes"
    assert found[1].found.endswith("fp16 yes, bf16 no, tf32 no")
    assert "built for sm_70 sm_80 sm_90 only" in found[2].advice


def test_amds_gpus_are_shown_without_nvidias_capabilities():
    (finding,) = doctor.gpus(torch_like(hip="7.1", devices=[("MI300X", (9, 4))]), driver=False)
    assert finding == doctor.Finding("ok", "GPU 0", "MI300X, 80 GiB")


@pytest.mark.parametrize(
    "capability, architectures, runs",
    [
        ((8, 6), ["sm_80"], True),  # later in the same major version
        ((8, 0), ["sm_86"], False),
        ((9, 0), ["sm_80"], False),
        ((9, 0), ["compute_80"], True),  # compiled on that GPU
        ((9, 0), ["sm_90a"], True),
        ((10, 3), ["sm_100a"], False),
        ((12, 1), ["sm_100", "sm_120"], True),
        ((9, 0), [], False),
    ],
)
def test_which_gpus_a_build_of_torch_has_code_for(capability, architectures, runs):
    assert doctor.has_kernels(capability, architectures) == runs


@given(capabilities, capabilities)
def test_intermediate_code_runs_wherever_machine_code_of_its_capability_does(capability, built):
    number = f"{built[0]}{built[1]}"
    assert doctor.has_kernels(capability, [f"sm_{number}"]) <= doctor.has_kernels(capability, [f"compute_{number}"])


@given(capabilities, capabilities)
def test_a_newer_gpu_loses_no_precision(one, other):
    order = ["no", "slow", "yes"]
    older, newer = (
        [order.index(part.split()[1]) for part in doctor.precisions(capability).split(", ")]
        for capability in sorted([one, other])
    )
    assert all(a <= b for a, b in zip(older, newer, strict=True))


def test_doctor_prints_a_line_a_finding_and_passes_here(run):
    done = run(["fairseq-align", "doctor"])
    lines = done.stdout.splitlines()
    assert all(line.startswith(("ok    ", "warn  ")) for line in lines)
    assert any(line.startswith("ok    import torch") for line in lines)


def test_a_failure_is_the_exit_status(monkeypatch, capsys):
    findings = [doctor.Finding("FAIL", "torch", "none", "bash install.sh"), doctor.Finding("ok", "numpy", "2.4")]
    monkeypatch.setattr(doctor, "examine", lambda path: iter(findings))
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().out == "FAIL  torch: none (bash install.sh)\nok    numpy: 2.4\n"


@pytest.fixture
def broken(tmp_path):
    """A folder with a fairseq that fails as 0.12.2 does on Python 3.11, and with a torch that does not load."""
    for name, body in (
        ("fairseq", "raise ValueError('mutable default is not allowed')"),
        ("torch", "raise OSError('libcudart.so.13: cannot open shared object file')"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(body, encoding="utf-8")
    install(tmp_path, "fairseq", "0.12.2")
    return tmp_path


def test_doctor_and_help_work_where_fairseq_and_torch_do_not(run, repo, broken):
    command, path = ["fairseq-align"], f"{broken}:{repo}"
    done = run([*command, "doctor"], check=False, PYTHONPATH=path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "FAIL  import fairseq: does not import: ValueError: mutable default is not allowed" in done.stdout
    assert "FAIL  import torch: does not import: OSError: libcudart.so.13" in done.stdout
    assert "doctor" in run([*command, "--help"], PYTHONPATH=path).stdout
    (broken / "model.pt").touch()
    flags = ["--subset", "test", "--objective", "mlm"]
    done = run([*command, "evaluate", broken / "model.pt", "data-bin", *flags], check=False, PYTHONPATH=path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: fairseq-align evaluate: found ") and done.stderr.count("\n") == 1
    assert done.stderr.endswith("run fairseq-align doctor\n")


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([command.name, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: fairseq-align {command.name}")


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"fairseq_align {fairseq_align.__version__}\n"


def test_an_unknown_command_is_refused_with_the_ones_there_are(capsys):
    with pytest.raises(SystemExit):
        cli.main(["docter"])
    assert "invalid choice: 'docter' (choose from" in capsys.readouterr().err
