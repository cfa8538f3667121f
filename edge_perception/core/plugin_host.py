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
from dataclasses import dataclass
from dataclasses import replace
from importlib.metadata import entry_points
from importlib.metadata import EntryPoint
import logging
import os
from typing import Any

import pluggy

from edge_perception.contract import Builder
from edge_perception.contract import CONTRACT_VERSION
from edge_perception.contract import Decoder
from edge_perception.contract import EngineType
from edge_perception.contract import ENTRY_POINT_GROUP
from edge_perception.contract import hookspecs
from edge_perception.contract import HostInfo
from edge_perception.contract import PluginError

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
    """

    name: str
    distribution: str
    version: str
    contract: str = ''
    offers: tuple[str, ...] = ()
    reason: str = ''
    remedy: str = ''

    @property
    def usable(self) -> bool:
        """Whether the plugin was loaded."""
        return not self.reason


class PluginHost:
    """
    Owns the registries of engines, decoders and builders.

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
        if candidates is None:
            candidates = entry_points(group=ENTRY_POINT_GROUP)
        self.plugins = tuple(self._load(point) for point in _ordered(candidates))

    def _load(self, point: EntryPoint) -> PluginEntry:
        distribution, version = _origin(point)
        entry = PluginEntry(name=point.name, distribution=distribution, version=version)
        try:
            self._refuse_if_blocked(point.name)
            module = _import(point)
            contract = _declared_contract(module)
            offers = self._register(module, owner=f'{point.name} of {distribution}')
        except PluginError as error:
            reason, _, remedy = str(error).partition('; ')
            return replace(entry, reason=reason, remedy=remedy)
        return replace(entry, contract=contract, offers=offers)

    def _refuse_if_blocked(self, name: str) -> None:
        allowed = self._environ.get(LOAD_VARIABLE)
        if allowed is not None and name not in _names(allowed):
            raise PluginError(f'is not in the allow list {LOAD_VARIABLE}; add {name} to it')
        if name in _names(self._environ.get(BLOCK_VARIABLE, '')):
            raise PluginError(f'is in the block list {BLOCK_VARIABLE}; remove {name} from it')

    def _register(self, module: Any, *, owner: str) -> tuple[str, ...]:
        """Call the hooks of one plugin; take what it offers only when all of it is right."""
        # A manager for each plugin keeps an error inside the plugin that made it: in a shared one
        # a raising hook aborts the others, and a half-registered module stays behind.
        manager = pluggy.PluginManager(ENTRY_POINT_GROUP)
        manager.add_hookspecs(hookspecs)
        offered: list[tuple[str, dict[str, Any], Any]] = []
        host = HostInfo(
            contract_version=CONTRACT_VERSION,
            logger=logging.getLogger(f'edge_perception.plugins.{module.__name__}'),
        )

        def taker(kind: str, registry: dict[str, Any], check: Callable[[Any], bool]) -> Any:
            def register(item: Any) -> None:
                if not check(item) or not isinstance(getattr(item, 'name', None), str):
                    raise PluginError(
                        f'registered {item!r}, which is not a named {kind}; see plugins/README.md'
                    )
                offered.append((kind, registry, item))

            return register

        try:
            manager.register(module)
            manager.check_pending()
            manager.hook.register_engines(
                register=taker('engine', self.engines, _is_instance(EngineType)), host=host
            )
            manager.hook.register_decoders(
                register=taker('decoder', self.decoders, _is_decoder), host=host
            )
            manager.hook.register_builders(
                register=taker('builder', self.builders, _is_instance(Builder)), host=host
            )
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(
                f'failed to register: {type(error).__name__}: {error}; report it to its author'
            ) from error
        return self._take(offered, owner)

    def _take(self, offered: list[tuple[str, dict[str, Any], Any]], owner: str) -> tuple[str, ...]:
        for kind, _, item in offered:
            first = self._owners.get((kind, item.name))
            if first is not None:
                raise PluginError(
                    f'offers the {kind} {item.name!r}, which {first} offers already; '
                    f'uninstall one of them or put it into {BLOCK_VARIABLE}'
                )
        for kind, registry, item in offered:
            registry[item.name] = item
            self._owners[kind, item.name] = owner
        return tuple(f'{kind} {item.name}' for kind, _, item in offered)


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
    distribution = point.dist
    if distribution is None:
        return 'unknown', 'unknown'
    return distribution.metadata['Name'].replace('-', '_'), distribution.version


def _import(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (Exception, SystemExit) as error:  # a plugin may even call sys.exit while imported
        raise PluginError(
            f'cannot be imported: {type(error).__name__}: {error}; '
            'install what it needs, or uninstall it'
        ) from error


def _declared_contract(module: Any) -> str:
    """Return the version that a plugin declares, once it is clear that this host serves it."""
    declared = getattr(module, 'EDGE_PERCEPTION_CONTRACT', None)
    if not isinstance(declared, str):
        raise PluginError(
            'does not say which contract it was written for; '
            f"add EDGE_PERCEPTION_CONTRACT = '{CONTRACT_VERSION}' to its module"
        )
    try:
        wanted = tuple(int(part) for part in declared.split('.'))
    except ValueError:
        wanted = ()
    if len(wanted) != 2:
        raise PluginError(
            f'declares the contract {declared!r}, expected two numbers such as '
            f"'{CONTRACT_VERSION}'; correct EDGE_PERCEPTION_CONTRACT"
        )
    ours = tuple(int(part) for part in CONTRACT_VERSION.split('.'))
    if wanted > ours:
        raise PluginError(
            f'needs contract {declared}, this host has {CONTRACT_VERSION}; update edge_perception'
        )
    if wanted[0] != ours[0] or (ours[0] == 0 and wanted[1] != ours[1]):
        raise PluginError(
            f'was written for contract {declared}, this host has {CONTRACT_VERSION}; '
            'update the plugin'
        )
    return declared


def _is_instance(base: type) -> Callable[[Any], bool]:
    return lambda item: isinstance(item, base)


def _is_decoder(item: Any) -> bool:
    return isinstance(item, type) and issubclass(item, Decoder)
