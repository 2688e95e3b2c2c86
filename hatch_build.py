"""Builds the compiled core into a wheel, and beside a checkout, where there is a Rust toolchain; else goes without it.

`CONTENTWIRE_CORE` decides otherwise: `required` fails without the core, `none` builds none.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

_LIBRARIES = {"darwin": "libcontentwire_core.dylib", "win32": "contentwire_core.dll"}

_ELSEWHERE = {"CARGO_BUILD_TARGET", "CARGO_BUILD_TARGET_DIR", "CARGO_TARGET_DIR"}


class CompiledCore(BuildHookInterface):  # type: ignore[misc,type-arg]  hatchling is no dependency of ours
    """The hook that hatchling calls."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the core where the target looks for it."""
        if self.target_name != "wheel":
            return
        wanted = os.environ.get("CONTENTWIRE_CORE", "")
        module = Path(self.root) / "core" / f"contentwire_core.{'pyd' if sys.platform == 'win32' else 'abi3.so'}"
        library: Path | None = None
        try:
            library = None if wanted == "none" else self._built()
        except (OSError, subprocess.CalledProcessError) as error:
            if wanted == "required":
                raise
            self.app.display_warning(f"without the compiled core, Python does its work more slowly: {error}")
        if version == "editable":
            _install(library, module)
        elif library:
            platform = next(iter(sys_tags())).platform
            build_data["force_include"][str(library)] = module.name
            build_data["pure_python"] = False
            build_data["tag"] = f"cp311-abi3-{platform}"

    def _built(self) -> Path:
        folder = Path(self.root) / "core"
        target = folder / "target"
        # Its own settings say how a Python module is linked, so that cargo has to stand beside them; what others say of
        # where it builds, and for which machine, must not lead to an older library.
        command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(target)]
        ours = {
            name: value for name, value in os.environ.items() if name not in ("CARGO_BUILD_TARGET", "CARGO_TARGET_DIR")
        }
        library = target / "release" / _LIBRARIES.get(sys.platform, "libcontentwire_core.so")
        library.unlink(missing_ok=True)
        subprocess.run(command, cwd=folder, env=ours, check=True)  # noqa: S603  our own command
        if not library.exists():
            raise FileNotFoundError(f"cargo has not made {library}")
        return library


def _install(library: Path | None, module: Path) -> None:
    """Put the core beside a checkout at once: a process that uses the former one keeps it."""
    if library is None:
        module.unlink(missing_ok=True)
        return
    made = module.with_suffix(".new")
    shutil.copyfile(library, made)
    made.replace(module)
