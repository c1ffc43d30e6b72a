"""Import contracts that are allow-lists: import-linter has lists of what is forbidden.

They are named in ``pyproject.toml``, under ``contract_types``.
"""

import sys
from collections.abc import Iterator

import grimp
from importlinter import Contract, ContractCheck, fields, output


def _packages(name: str) -> Iterator[str]:
    """A module's name, and those of all packages around it."""
    while name:
        yield name
        name = name.rpartition(".")[0]


class _AllowList(Contract):
    """Reports each import that the contract's subclass finds to be illegal."""

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 -- import-linter's signature
        del verbose
        roots = set(self.session_options["root_packages"])
        illegal = [
            f"{importer} -> {imported} (l.{line})"
            for importer in sorted(graph.modules)
            if importer.partition(".")[0] in roots
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not self.allows(importer, imported, roots)
            for line in [
                graph.get_import_details(importer=importer, imported=imported)[0]["line_number"]
            ]
        ]
        return ContractCheck(kept=not illegal, metadata={"illegal": illegal})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the imports that broke the contract."""
        for line in check.metadata["illegal"]:
            output.print_error(f"- {line}", bold=False)
        output.new_line()

    def allows(self, importer: str, imported: str, roots: set[str]) -> bool:
        """Whether the contract allows the import."""
        raise NotImplementedError


class OnlyContract(_AllowList):
    """``modules``, and what is in them, import nothing but ``allowed`` and one another.

    The standard library counts like everything else: it must be listed.
    """

    type_name = "only"

    modules = fields.SetField(subfield=fields.StringField())
    allowed = fields.SetField(subfield=fields.StringField())

    def allows(self, importer: str, imported: str, roots: set[str]) -> bool:
        """Whether the importer is free to import anything, or the imported is listed."""
        del roots
        modules: set[str] = self.modules  # type: ignore[assignment]
        allowed: set[str] = self.allowed  # type: ignore[assignment]
        return modules.isdisjoint(_packages(importer)) or not (modules | allowed).isdisjoint(
            _packages(imported)
        )


class ThirdPartyContract(_AllowList):
    """A third-party package is imported by the modules that are listed for it, and by no other.

    ``importers`` has a line for each package, ``package: module, module``; a package without a
    line is imported by none.
    """

    type_name = "third_party"

    importers = fields.ListField(subfield=fields.StringField())

    def allows(self, importer: str, imported: str, roots: set[str]) -> bool:
        """Whether the imported is no third party's, or the importer is listed for it."""
        package = imported.partition(".")[0]
        if package in roots or package in sys.stdlib_module_names:
            return True
        lines: list[str] = self.importers  # type: ignore[assignment]
        listed = {
            name.strip(): {module.strip() for module in modules.split(",")}
            for name, _, modules in (line.partition(":") for line in lines)
        }
        return not listed.get(package, set()).isdisjoint(_packages(importer))
