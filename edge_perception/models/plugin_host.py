# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Finds plugins, checks them, and keeps what they registered.

Everything happens in the constructor, which never raises for a broken plugin: such a one is listed
with its reason and remedy, and the others work on.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from importlib.metadata import entry_points
from importlib.metadata import EntryPoint
import logging
import os
from typing import Any

import pluggy

from edge_perception.contract import Availability
from edge_perception.contract import Builder
from edge_perception.contract import CONTRACT_VERSION
from edge_perception.contract import Decoder
from edge_perception.contract import EngineType
from edge_perception.contract import ENTRY_POINT_GROUP
from edge_perception.contract import hookspecs
from edge_perception.contract import HostInfo
from edge_perception.contract import option_specs
from edge_perception.contract import Stage
from edge_perception.contract.errors import named
from edge_perception.contract.fields import shown
from edge_perception.models.plugin_checks import declared_contract
from edge_perception.models.plugin_checks import KINDS
from edge_perception.models.plugin_checks import RefusedError

LOAD_VARIABLE = 'EDGE_PERCEPTION_LOAD_PLUGINS'
BLOCK_VARIABLE = 'EDGE_PERCEPTION_BLOCK_PLUGINS'
OWN_DISTRIBUTION = 'edge_perception'


@dataclass(frozen=True, slots=True)
class PluginEntry:
    """
    One plugin as users see it in a list.

    :param contract: the contract version that it declares; empty when unknown.
    :param offers: what it registered, e.g. ``engine onnxruntime``; empty when not usable.
    :param reason: why it is not usable; empty when it is.
    :param remedy: what to do about it.
    :param blocked: whether the user does not want it.
    """

    name: str
    distribution: str
    version: str
    contract: str = ''
    offers: tuple[str, ...] = ()
    reason: str = ''
    remedy: str = ''
    blocked: bool = False

    @property
    def usable(self) -> bool:
        """Whether the plugin was loaded."""
        return not self.reason


class PluginHost:
    """
    Owns the registries of engines, decoders, builders and stages.

    :param candidates: entry points to look at; None stands for those installed.
    :param environ: where the allow list and the block list are read.
    """

    def __init__(
        self,
        *,
        candidates: Iterable[EntryPoint] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._owners: dict[tuple[str, str], str] = {}
        self.engines: dict[str, EngineType] = {}
        self.decoders: dict[str, type[Decoder]] = {}
        self.builders: dict[str, Builder] = {}
        self.stages: dict[str, type[Stage]] = {}
        if candidates is None:
            candidates = entry_points(group=ENTRY_POINT_GROUP)
        self.plugins = tuple(self._load(point) for point in _ordered(candidates))

    def _load(self, point: EntryPoint) -> PluginEntry:
        distribution, version = _origin(point)
        entry = PluginEntry(name=point.name, distribution=distribution, version=version)
        if blocked := self._why_blocked(point.name):
            reason, remedy = blocked
            return replace(entry, reason=reason, remedy=remedy, blocked=True)
        try:
            module = _import(point)
            contract = declared_contract(module)
            offered = _ask(module, name=point.name)
            offers = self._take(offered, owner=f'{point.name} of {distribution}')
        except RefusedError as refusal:
            return replace(entry, reason=refusal.reason, remedy=refusal.remedy)
        except (Exception, SystemExit) as error:  # a hook may even call sys.exit
            reason = f'failed to register: {named(error)}'
            return replace(entry, reason=reason, remedy='report it to its author')
        return replace(entry, contract=contract, offers=offers)

    def _why_blocked(self, name: str) -> tuple[str, str] | None:
        """Return why the user does not want a plugin, and the remedy; None when it is wanted."""
        allowed = self._environ.get(LOAD_VARIABLE)
        if allowed is not None and name not in _names(allowed):
            return f'is not in the allow list {LOAD_VARIABLE}', f'add {name} to it'
        if name in _names(self._environ.get(BLOCK_VARIABLE, '')):
            return f'is in the block list {BLOCK_VARIABLE}', f'remove {name} from it'
        return None

    def _take(self, offered: Sequence[tuple[str, Any]], *, owner: str) -> tuple[str, ...]:
        """Keep what one plugin offers, all of it or nothing."""
        offers: list[str] = []
        for kind, item in offered:
            offer = f'{kind} {item.name!r}'
            first = self._owners.get((kind, item.name))
            if first is not None:
                raise RefusedError(
                    f'offers the {offer}, which {first} offers already',
                    remedy=f'uninstall one of them or put it into {BLOCK_VARIABLE}',
                )
            if f'{kind} {item.name}' in offers:
                raise RefusedError(f'offers the {offer} twice', remedy='report it to its author')
            offers.append(f'{kind} {item.name}')
        for kind, item in offered:
            getattr(self, f'{kind}s')[item.name] = item
            self._owners[kind, item.name] = owner
        return tuple(offers)


def probe(plugin: EngineType | Builder) -> Availability:
    """Return whether an engine or a builder can work here, also when its author's code raises."""
    try:
        availability = plugin.probe()
        if not isinstance(availability, Availability):
            raise TypeError(f'probe() gave {shown(availability)}, expected an Availability')
        return availability
    except Exception as error:
        return Availability(
            available=False,
            reason=f'it cannot say whether it works here: {named(error)}',
            remedy='report it to the author of its plugin',
        )


def _ask(module: Any, *, name: str) -> list[tuple[str, Any]]:
    """Call the hooks of one plugin and return what it offers, each with its kind."""
    # A manager for each plugin keeps an error inside the plugin that made it: in a shared one a
    # raising hook aborts the others, and a half-registered module stays behind.
    manager = pluggy.PluginManager(ENTRY_POINT_GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    manager.check_pending()
    offered: list[tuple[str, Any]] = []

    def taker(kind: str) -> Callable[[Any], None]:
        def register(item: Any) -> None:
            fits, expected = KINDS[kind]
            if not fits(item):
                raise RefusedError(
                    f'registered {shown(item)}, expected {expected}',
                    remedy='see plugins/README.md',
                )
            try:
                option_specs(item.options_type)
            except Exception as error:
                raise RefusedError(
                    f'has options that are not made by option(): {named(error)}',
                    remedy='see plugins/README.md',
                ) from error
            offered.append((kind, item))

        return register

    host = HostInfo(
        contract_version=CONTRACT_VERSION,
        logger=logging.getLogger(f'edge_perception.plugins.{name}'),
    )
    for kind in KINDS:
        getattr(manager.hook, f'register_{kind}s')(register=taker(kind), host=host)
    if not offered:
        raise RefusedError(
            'registers nothing', remedy='mark its hooks with hookimpl, and call register'
        )
    return offered


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(',') if name.strip()]


def _ordered(candidates: Iterable[EntryPoint]) -> list[EntryPoint]:
    """
    Return each plugin once, ours first, then by name.

    Ours first, so that nobody takes the name of an engine away from them. A package that is seen
    twice on the path (an egg-link and its build folder) gives the same entry point twice.
    """
    once = {(point.name, point.value): point for point in candidates}
    return sorted(once.values(), key=lambda p: (_origin(p)[0] != OWN_DISTRIBUTION, p.name))


def _origin(point: EntryPoint) -> tuple[str, str]:
    """Return name and version of the distribution that declares an entry point."""
    try:
        metadata: Any = point.dist.metadata  # type: ignore[union-attr]
        name, version = metadata.get('Name') or '', metadata.get('Version')
    except Exception:  # a removal that was interrupted leaves entry points and nothing else
        name = version = ''
    return name.replace('-', '_') or 'unknown', version or 'unknown'


def _import(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (Exception, SystemExit) as error:  # a plugin may even call sys.exit while imported
        missing = isinstance(error, ImportError)
        raise RefusedError(
            f'cannot be imported: {named(error)}',
            remedy='install what it needs, or uninstall it'
            if missing
            else 'report it to its author, or uninstall it',
        ) from error
