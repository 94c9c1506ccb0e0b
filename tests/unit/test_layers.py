from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.unit.conftest import CHECKOUT

# From the ground up. A module imports from its own layer and from those before it.
LAYERS = (
    {"backend"},
    {"migrations"},
    {"infra.errors", "infra.ports", "infra.process", "infra.targets"},
    {"infra.settings"},
    {"infra.engine", "infra.postgres"},
    {"infra.transfer"},
    # Here belongs every module of infra that no other layer names: a use case.
    set[str](),
    {"infra.console", "infra.progress_display", "infra.app", "infra.boundary", "infra.render"},
    {"infra.commands"},
    {"tasks"},
)
USE_CASES = 6

# Neither of the two knows the other.
SIBLINGS = [("infra.engine", "infra.postgres"), ("infra.postgres", "infra.engine")]

PACKAGES = ("backend", "infra", "migrations")
MODULES = sorted(
    [
        *(path for name in PACKAGES for path in (CHECKOUT / name).rglob("*.py")),
        CHECKOUT / "tasks.py",
    ]
)
SCRIPTS = sorted((CHECKOUT / "scripts").rglob("*.py"))
# They run before anything is installed, with a machine of their own.
STANDALONE = [path for path in SCRIPTS if "bootstrap" in path.relative_to(CHECKOUT).as_posix()]


def place(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def module_name(path: Path) -> str:
    return place(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def is_module(name: str) -> bool:
    path = CHECKOUT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the full name of every module that a file imports, inside functions too."""
    return frozenset(names_imported(path))


def names_imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(path)}: relative import"
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if is_module(inner) else str(node.module)


def ours(name: str) -> bool:
    return name.partition(".")[0] in {*PACKAGES, "tasks", "scripts"}


def layer(name: str) -> int:
    for level, members in enumerate(LAYERS):
        if any(name == member or name.startswith(f"{member}.") for member in members):
            return level
    assert name.startswith("infra."), name
    return USE_CASES


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def users_of(module: str, paths: list[Path]) -> list[str]:
    return [place(path) for path in paths if any(within(name, module) for name in imports(path))]


def test_the_walker_sees_imports() -> None:
    assert "infra.settings" in imports(CHECKOUT / "infra" / "engine" / "compose.py")
    assert "backend.envfile" in imports(CHECKOUT / "backend" / "config.py")
    assert layer("infra.settings") < layer("infra.engine.compose") < layer("infra.stack")
    assert layer("infra.stack") < layer("infra.boundary") < layer("tasks")


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_imports_point_downwards_only(path: Path) -> None:
    importer = module_name(path)

    upwards = [
        name
        for name in imports(path)
        if ours(name) and importer != "infra" and layer(name) > layer(importer)
    ]
    assert upwards == []


@pytest.mark.parametrize(("one", "other"), SIBLINGS)
def test_docker_and_postgresql_know_nothing_of_each_other(one: str, other: str) -> None:
    crossing = [
        f"{place(path)}: {name}"
        for path in MODULES
        if within(module_name(path), one)
        for name in imports(path)
        if within(name, other)
    ]

    assert crossing == []


@pytest.mark.parametrize("package", ["backend", "migrations"])
def test_what_goes_into_images_knows_nothing_of_the_toolbox(package: str) -> None:
    paths = [*(CHECKOUT / package).rglob("*.py"), CHECKOUT / "scripts" / "migrator.py"]
    forbidden = ("infra", "tasks", "invoke", "docker", "rich", "psutil")

    assert {name: users for name in forbidden if (users := users_of(name, paths))} == {}


def test_the_application_knows_nothing_of_alembic() -> None:
    paths = list((CHECKOUT / "backend").rglob("*.py"))

    assert users_of("migrations", paths) + users_of("alembic", paths) == []


def test_one_module_starts_programs() -> None:
    paths = [path for path in [*MODULES, *SCRIPTS] if path not in STANDALONE]
    calls = [
        f"{place(path)}: {ast.unparse(node)}"
        for path in paths
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in {"os.system", "os.popen", "os.execvp", "os.spawnv"}
    ]

    assert users_of("subprocess", paths) == ["infra/process.py"]
    assert calls == []


def test_three_files_touch_the_environment() -> None:
    touched = {
        place(path)
        for path in [*MODULES, *SCRIPTS]
        if path not in STANDALONE
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"})
        or (isinstance(node, ast.alias) and node.name in {"environ", "getenv"})
    }

    assert touched == {"backend/config.py", "infra/settings.py", "infra/process.py"}


def test_one_module_prints() -> None:
    paths = [path for path in [*MODULES, *SCRIPTS] if path not in STANDALONE]
    printing = {
        place(path)
        for path in paths
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    }

    assert printing == {"infra/console.py"}
    assert users_of("rich", paths) == ["infra/console.py", "infra/progress_display.py"]


def test_invoke_is_known_to_the_menu_and_the_boundary_only() -> None:
    assert users_of("invoke", MODULES) == ["infra/boundary.py", "tasks.py"]


def test_the_docker_sdk_is_known_to_one_package() -> None:
    assert {name.rpartition("/")[0] for name in users_of("docker", MODULES)} == {"infra/engine"}


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=place)
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
