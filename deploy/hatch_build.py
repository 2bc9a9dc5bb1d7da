"""Puts what `compile.py` makes into the wheel; without a compiler the wheel is only slower."""

import runpy
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path(__file__).resolve().parent


class CompileHook(BuildHookInterface[Any]):
    """A step of the wheel's build; an editable installation is compiled by `make`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell the builder what is there now."""
        if version == "editable":
            return
        compiling = runpy.run_path(str(FOLDER / "compile.py"))
        try:
            made = compiling["compile_all"]()
        except compiling["NotCompiled"] as error:
            sys.stderr.write(f"The relay will be slower, since nothing was compiled: {error}.\n")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"] += [str(path.relative_to(FOLDER.parent)) for path in made]
