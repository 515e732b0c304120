"""DVC, but what a stage adds to a lock file is read and written by libyaml: the same content in a tenth of the time,
which with a long lock is most of what a stage costs, and whole or not at all. A kill may leave half of DVC's own."""

import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from dvc import cli, dvcfile
from dvc.utils.serialize import modify_yaml

from pipeline.files import atomic_write
from pipeline.yaml_files import Plain


class Loader(yaml.CSafeLoader):  # type: ignore[misc]
    yaml_implicit_resolvers = Plain.yaml_implicit_resolvers


class Dumper(yaml.CSafeDumper):  # type: ignore[misc]
    yaml_implicit_resolvers = Plain.yaml_implicit_resolvers


Dumper.add_representer(OrderedDict, Dumper.represent_dict)


def parsed(text: str) -> Any:
    return yaml.load(text, Loader)


def written(content: Any) -> str:
    return yaml.dump(content, Dumper=Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True)


@contextmanager
def modified(path: Any, fs: Any = None) -> Iterator[Any]:
    """The content of a file, written back when the block ends without an error."""
    file = Path(path)
    if file.name != dvcfile.LOCK_FILE:
        with modify_yaml(path, fs=fs) as content:
            yield content
        return
    before = file.read_text() if file.exists() else ""
    content = parsed(before) or {}
    yield content
    if (after := written(content)) != before:
        atomic_write(file, after)


def main() -> None:
    dvcfile.modify_yaml = modified
    sys.exit(cli.main())
