# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Find plugins, check them, and keep what they registered.

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
import re
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
from edge_perception.models.plugin_checks import check_name
from edge_perception.models.plugin_checks import declared_contract
from edge_perception.models.plugin_checks import KINDS
from edge_perception.models.plugin_checks import RefusedError

LOAD_VARIABLE = 'EDGE_PERCEPTION_LOAD_PLUGINS'
BLOCK_VARIABLE = 'EDGE_PERCEPTION_BLOCK_PLUGINS'
OWN_DISTRIBUTION = 'edge_perception'
UNKNOWN = 'unknown'  # distribution or version, where its metadata is damaged


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

    @property
    def is_ours(self) -> bool:
        """Whether it comes with this package."""
        return _normal(self.distribution) == OWN_DISTRIBUTION


@dataclass(frozen=True, slots=True)
class _Loaded:
    """One plugin after its hooks were called, and what it offers, each with its kind."""

    entry: PluginEntry
    offered: Sequence[tuple[str, Any]] = ()


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
        self.engines: dict[str, EngineType] = {}
        self.decoders: dict[str, type[Decoder]] = {}
        self.builders: dict[str, Builder] = {}
        self.stages: dict[str, type[Stage]] = {}
        if candidates is None:
            candidates = entry_points(group=ENTRY_POINT_GROUP)
        loaded = [self._load(point) for point in _ordered(candidates)]
        self.plugins = tuple(self._take(each, loaded) for each in loaded)

    def _load(self, point: EntryPoint) -> _Loaded:
        distribution, version = origin_of(point)
        entry = PluginEntry(name=point.name, distribution=distribution, version=version)
        if blocked := self._why_blocked(entry):
            reason, remedy = blocked
            return _Loaded(replace(entry, reason=reason, remedy=remedy, blocked=True))
        try:
            module = _import(point)
            contract = declared_contract(module)
            offered = _ask(module, name=point.name)
        except RefusedError as refusal:
            return _Loaded(replace(entry, reason=refusal.reason, remedy=refusal.remedy))
        except (Exception, SystemExit) as error:  # a hook may even call sys.exit
            reason = f'failed to register: {named(error)}'
            return _Loaded(replace(entry, reason=reason, remedy='report it to its author'))
        offers = tuple(f'{kind} {item.name}' for kind, item in offered)
        return _Loaded(replace(entry, contract=contract, offers=offers), offered)

    def _why_blocked(self, entry: PluginEntry) -> tuple[str, str] | None:
        """
        Return why the user does not want a plugin, and the remedy; None when it is wanted.

        Decided before anything of the plugin is imported.
        """
        allowed = self._environ.get(LOAD_VARIABLE)
        if allowed is not None and not any(_means(item, entry) for item in _items(allowed)):
            remedy = f'add {entry.name if entry.is_ours else entry.distribution} to it'
            if entry.distribution == UNKNOWN:
                remedy = 'install it again, its metadata is damaged'
            return f'is not in the allow list {LOAD_VARIABLE}', remedy
        for item in _items(self._environ.get(BLOCK_VARIABLE, '')):
            if item == entry.name or _means(item, entry):
                return f'is in the block list {BLOCK_VARIABLE}', f'remove {item} from it'
        return None

    def _take(self, loaded: _Loaded, among: Sequence[_Loaded]) -> PluginEntry:
        """
        Keep what one plugin offers, all of it or nothing.

        What several offer belongs to us if we do, else to none: the order in which they were
        installed must not decide which code runs.
        """
        entry, offers = loaded.entry, loaded.entry.offers
        twice = next((offer for offer in offers if offers.count(offer) > 1), '')
        if twice:
            reason = f'offers the {_quoted(twice)} twice'
            return replace(entry, offers=(), reason=reason, remedy='report it to its author')
        for other in (each.entry for each in among if each is not loaded):
            same = next((offer for offer in offers if offer in other.offers), '')
            if same and (other.is_ours or not entry.is_ours):
                return replace(
                    entry,
                    offers=(),
                    reason=f'offers the {_quoted(same)}, as {other.name} of {other.distribution} '
                    'does',
                    remedy=f'uninstall one of them or put it into {BLOCK_VARIABLE}',
                )
        for kind, item in loaded.offered:
            getattr(self, f'{kind}s')[item.name] = item
        return entry


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
            check_name(kind, item.name)
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


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(',') if item.strip()]


def _means(item: str, entry: PluginEntry) -> bool:
    """
    Tell whether an item of a list of the user means a plugin: DISTRIBUTION or DISTRIBUTION:NAME.

    Of ours the name is enough. That of a foreign one is not: any distribution may take it.
    """
    distribution, _, name = item.partition(':')
    if entry.distribution == UNKNOWN:
        return False
    if entry.is_ours and item == entry.name:
        return True
    same = _normal(distribution) == _normal(entry.distribution)
    return same and name in ('', entry.name)


def _normal(distribution: str) -> str:
    """Return the name of a distribution as all spellings of it are compared."""
    return re.sub('[-_.]+', '_', distribution).lower()


def _quoted(offer: str) -> str:
    kind, _, name = offer.partition(' ')
    return f'{kind} {name!r}'


def _ordered(candidates: Iterable[EntryPoint]) -> list[EntryPoint]:
    """
    Return each plugin once, ours first, then by name.

    A package that is seen twice on the path (an egg-link and its build folder) gives the same
    entry point twice; two distributions that declare the same are two.
    """
    once = {(point.name, point.value, _normal(origin_of(point)[0])): point for point in candidates}

    def order(point: EntryPoint) -> tuple[bool, str, str]:
        distribution = origin_of(point)[0]
        return _normal(distribution) != OWN_DISTRIBUTION, point.name, distribution

    return sorted(once.values(), key=order)


def origin_of(point: EntryPoint) -> tuple[str, str]:
    """Return name and version of the distribution that declares an entry point."""
    try:
        metadata: Any = point.dist.metadata  # type: ignore[union-attr]
        name, version = metadata.get('Name') or '', metadata.get('Version')
    except Exception:  # a removal that was interrupted leaves entry points and nothing else
        name = version = ''
    return name.replace('-', '_') or UNKNOWN, version or UNKNOWN


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
