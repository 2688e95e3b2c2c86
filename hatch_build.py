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


class CompiledCore(BuildHookInterface):  # type: ignore[misc,type-arg]  hatchling is no dependency of ours
    """The hook that hatchling calls."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the core where the target looks for it."""
        wanted = os.environ.get("CONTENTWIRE_CORE", "")
        module = Path(self.root) / "core" / f"contentwire_core.{'pyd' if sys.platform == 'win32' else 'abi3.so'}"
        if self.target_name != "wheel":
            return
        if version == "editable":
            module.unlink(missing_ok=True)
        if wanted == "none":
            return
        try:
            library = self._built()
        except (OSError, subprocess.CalledProcessError) as error:
            if wanted == "required":
                raise
            self.app.display_warning(f"without the compiled core, Python does its work more slowly: {error}")
            return
        if version == "editable":
            shutil.copyfile(library, module)
            return
        platform = next(iter(sys_tags())).platform
        build_data["force_include"][str(library)] = module.name
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{platform}"

    def _built(self) -> Path:
        folder = Path(self.root) / "core"
        # Its own settings say how a Python module is linked, so that cargo has to stand beside them.
        subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=folder, check=True)  # noqa: S607
        target = Path(os.environ.get("CARGO_TARGET_DIR", folder / "target"))
        return target / "release" / _LIBRARIES.get(sys.platform, "libcontentwire_core.so")
