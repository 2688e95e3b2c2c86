"""Whether a tag may become a release, checked as the workflow does."""

import subprocess
from pathlib import Path

import pytest

from connector import __version__

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("tag", "repository", "reason"),
    [
        ("v0.0.0", "OWNER/contentwire", "the tag is v0.0.0"),
        (f"v{__version__}", "somebody/fork", "does not name https://github.com/somebody/fork"),
    ],
)
def test_no_release_from_the_wrong_tag_or_place(tag: str, repository: str, reason: str, tmp_path: Path) -> None:
    """A tag that is not the version, and a repository that is not the project's home, release nothing."""
    checkout = tmp_path / "checkout"
    for name in (".ci/may-release", "connector/__init__.py", "pyproject.toml"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_bytes((ROOT / name).read_bytes())
    (checkout / "CHANGELOG.md").write_text(f"## [{__version__}]\n")
    answer = subprocess.run(
        ["bash", checkout / ".ci" / "may-release"],
        env={"PATH": "/usr/bin:/bin", "GITHUB_REF_NAME": tag, "GITHUB_REPOSITORY": repository},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert reason in answer.stderr
