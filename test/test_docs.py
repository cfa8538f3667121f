# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The documents say what the code does: each test walks the code and demands that they agree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
import json
from pathlib import Path
import re
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

from click.testing import CliRunner
import pytest
import yaml

from edge_perception.cli.main import COMMANDS
from edge_perception.cli.main import main
from edge_perception.contract import CONTRACT_VERSION
from edge_perception.contract import dump_manifest
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_manifest
from edge_perception.contract import PoseRecipe
from edge_perception.contract import Selection
from edge_perception.contract.manifest import COLORS
from edge_perception.contract.manifest import INPUT_DTYPES
from edge_perception.contract.manifest import INTERPOLATIONS
from edge_perception.contract.manifest import LAYOUTS
from edge_perception.contract.manifest import RESIZES
from edge_perception.models.finding import PATH_VARIABLE
from edge_perception.models.plugin_host import BLOCK_VARIABLE
from edge_perception.models.plugin_host import LOAD_VARIABLE
from edge_perception.models.plugin_host import PluginHost
from edge_perception.ros.output import diagnostics
from edge_perception.ros.output import publishers as outputs
from edge_perception.ros.parameters.declaration import parameter_specs
from edge_perception.ros.parameters.node_parameters import NodeConfig
from edge_perception.ros.system import qos
from edge_perception.runtime.accounts import DROP_REASONS
from test.docs.markdown import anchors
from test.docs.markdown import fenced
from test.docs.markdown import headings
from test.docs.markdown import links
from test.docs.markdown import rows
from test.docs.markdown import section
from test.docs.mistakes import answer
from test.docs.mistakes import MISTAKES
from test.docs.mistakes import WITHOUT_SENTENCE
from test.support.fake_node import fake_node
from test.support.fake_node import MANIFEST
from test.support.fake_node import PointingDecoder
from test.support.graph import Spinner
from tools import reference_tables

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = {str(path.relative_to(ROOT)): path for path in reference_tables.documents()}
# Signs of something unfinished, and places that exist on one machine only.
UNWANTED = re.compile(r'\b(TODO|FIXME|XXX|TBD|coming soon|/root/|/work/|/tmp/)\b|localhost:\d')
# Fields of the manifest whose keys have other names.
KEYS = {
    'source': 'source.file',
    'sha256': 'source.sha256',
    'decoder': 'decoder.name',
    'decoder_options': 'decoder.options',
    'keypoint_names': 'keypoints',
}
SELECTION_KEYS = ('score_threshold', 'iou_threshold', 'max_detections')


def read(name: str) -> str:
    return DOCUMENTS[name].read_text(encoding='utf-8')


@pytest.mark.parametrize('name', DOCUMENTS)
def test_generated_tables_are_current(name: str) -> None:
    text = read(name)
    current = reference_tables.updated(text, reference_tables.tables())
    assert text == current, 'run: .venv/bin/python -m tools.reference_tables --write'


@pytest.mark.parametrize(
    ('name', 'block'),
    [
        ('docs/node.md', 'parameters'),
        ('docs/node.md', 'camera-parameters'),
        ('docs/node.md', 'debug-parameters'),
        ('docs/node.md', 'engine-parameters'),
        ('docs/node.md', 'encodings'),
        ('docs/models.md', 'decoder-options'),
        ('plugins/README.md', 'hooks'),
        ('plugins/README.md', 'engine-clauses'),
        ('plugins/README.md', 'decoder-clauses'),
        ('plugins/README.md', 'builder-clauses'),
    ],
)
def test_generated_table_is_there(name: str, block: str) -> None:
    assert reference_tables.tables()[block] in read(name)


@pytest.mark.parametrize('name', DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    for target in links(read(name)):
        if target.startswith('https://'):
            continue
        file, _, anchor = target.partition('#')
        path = DOCUMENTS[name].parent / file if file else DOCUMENTS[name]
        assert path.exists(), target
        assert not anchor or anchor in anchors(path.read_text(encoding='utf-8')), target


def test_sections_that_the_code_names_exist() -> None:
    named = 0
    for path in (*ROOT.glob('edge_perception/**/*.py'), *ROOT.glob('launch/*.py')):
        text = path.read_text(encoding='utf-8')
        for heading, file in re.findall(r'"([^"\n]+)" in ((?:\w+/)?\w+\.md)', text):
            named += 1
            assert re.search(rf'^#+ {re.escape(heading)}$', read(file), re.MULTILINE), path
    assert named >= 2


@pytest.mark.parametrize('name', DOCUMENTS)
def test_nothing_is_unfinished(name: str) -> None:
    assert not UNWANTED.search(read(name))


@pytest.mark.parametrize('name', DOCUMENTS)
def test_no_command_stays_untried_without_a_reason(name: str) -> None:
    for block in fenced(DOCUMENTS[name]):
        assert block.markers.get('not run', 'run') != '', f'line {block.line}'


@pytest.mark.parametrize('name', DOCUMENTS)
def test_manifests_are_valid(name: str, tmp_path: Path) -> None:
    (tmp_path / 'coco_classes.txt').touch()
    for block in fenced(DOCUMENTS[name]):
        if 'manifest_version' in block.text and block.language == 'yaml':
            parse_manifest(yaml.safe_load(block.text), folder=tmp_path, subject=name)


def test_every_command_is_shown() -> None:
    result = CliRunner().invoke(main, ['--help'])
    everything = ''.join(map(read, DOCUMENTS))
    for command in COMMANDS:
        assert f'  {command} ' in result.output
        assert f'edge-perception {command}' in everything


def test_variables_are_explained() -> None:
    assert PATH_VARIABLE in read('docs/models.md')
    assert {BLOCK_VARIABLE, LOAD_VARIABLE} <= set(re.findall(r'\w+', read('plugins/README.md')))


# docs/errors.md


def codes() -> Iterator[str]:
    """Give the code of every error that is raised; the root of the tree is not."""
    families = [EdgePerceptionError]
    while families:
        family = families.pop()
        children = family.__subclasses__()
        families += children
        for each in children:
            if 'code' in vars(each):
                yield from getattr(each, 'codes', (each.code,))


def codes_of_the_command() -> set[str]:
    """Return the codes that only the command knows."""
    files = (ROOT / 'edge_perception' / 'cli').rglob('*.py')
    return {code for file in files for code in re.findall(r"\bsay\('(\w+)'", file.read_text())}


def test_every_error_code_has_a_heading() -> None:
    text = read('docs/errors.md')
    assert set(headings(text)) == {'Errors', *codes(), *codes_of_the_command()}


def test_every_error_code_has_an_example() -> None:
    assert {*MISTAKES, *WITHOUT_SENTENCE} == set(codes())


@pytest.mark.parametrize('code', MISTAKES)
def test_the_example_is_what_is_said(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path))
    monkeypatch.delenv(PATH_VARIABLE, raising=False)
    found = re.search(r'```text\n(.*?)\n```', section(read('docs/errors.md'), code))
    assert found, 'no example'
    pattern = '.*'.join(map(re.escape, found[1].split('...')))
    assert re.fullmatch(pattern, answer(code, tmp_path))


# docs/models.md


def manifest_keys() -> set[str]:
    own = {KEYS.get(each.name, each.name) for each in fields(ModelManifest)}
    nested = {f'input.{each.name}' for each in fields(InputRecipe)}
    nested |= {f'pose.{each.name}' for each in fields(PoseRecipe)}
    nested |= {f'selection.{name}' for name in SELECTION_KEYS}
    return own - {'input', 'pose', 'selection'} | nested | {'manifest_version'}


def test_every_key_of_a_manifest_is_explained() -> None:
    table = rows(section(read('docs/models.md'), 'model.yaml'))
    assert set(table) == manifest_keys()


def test_the_complete_example_has_every_key(tmp_path: Path) -> None:
    (block,) = [
        each
        for each in fenced(DOCUMENTS['docs/models.md'])
        if each.markers.get('file') == 'model.yaml'
    ]
    values = yaml.safe_load(block.text)
    manifest = parse_manifest(values, folder=tmp_path, subject='example')
    for given in (values, dump_manifest(manifest)):
        nested = {
            f'{key}.{inner}'
            for key in ('source', 'input', 'decoder', 'pose', 'selection')
            for inner in given.pop(key)
        }
        assert nested | set(given) == manifest_keys()


def test_defaults_of_a_manifest() -> None:
    table = rows(section(read('docs/models.md'), 'model.yaml'))
    recipe, selection, pose = InputRecipe(width=1, height=1), Selection(), PoseRecipe()
    for name in ('layout', 'dtype', 'color', 'scale', 'resize', 'interpolation', 'fill'):
        assert table[f'input.{name}'][0] == f'`{getattr(recipe, name)}`'
    for name in SELECTION_KEYS:
        assert table[f'selection.{name}'][0] == f'`{getattr(selection, name)}`'
    for each in fields(PoseRecipe):
        default = getattr(pose, each.name)
        shown = 'none' if default == () else f'`{default}`'.lower()
        assert table[f'pose.{each.name}'][0] == shown


@pytest.mark.parametrize(
    ('key', 'choices'),
    [
        ('layout', LAYOUTS),
        ('dtype', INPUT_DTYPES),
        ('color', COLORS),
        ('resize', RESIZES),
        ('interpolation', INTERPOLATIONS),
    ],
)
def test_choices_of_a_manifest(key: str, choices: tuple[str, ...]) -> None:
    table = rows(section(read('docs/models.md'), 'model.yaml'))
    assert table[f'input.{key}'][1] == ', '.join(choices)


def test_every_decoder_is_explained() -> None:
    text, _, _ = section(read('docs/models.md'), 'Decoders').partition('<!-- generated')
    assert set(rows(text)) == set(reference_tables.own_host().decoders)


# docs/node.md


def test_every_drop_reason_is_explained() -> None:
    table = rows(section(read('docs/node.md'), 'Drop reasons'))
    explained = {reason: cells[0] for reason, cells in table.items()}
    assert explained == DROP_REASONS


def test_every_topic_is_listed() -> None:
    table = rows(section(read('docs/node.md'), 'Topics'))
    for topic, message_type in (each for topics in outputs.TOPICS.values() for each in topics):
        package = message_type.__module__.partition('.')[0]
        assert table[topic][:2] == [
            f'{package}/{message_type.__name__}',
            f'reliable, depth {qos.RESULT.depth}',
        ]
    stages = PluginHost().stages.values()
    published = {f'~/{topic}' for stage in stages for topic in stage.publishes}
    assert names_in('publishers.py', 'debug_image.py') | published == {
        topic.removesuffix('/compressed') for topic in table if topic.startswith('~/')
    }
    assert table[outputs.TF_TOPIC][1] == f'reliable, depth {qos.TF.depth}'


def names_in(*files: str) -> set[str]:
    """Return the private names of topics and services in sources of the node."""
    sources = ((ROOT / 'edge_perception' / 'ros' / 'output' / file).read_text() for file in files)
    return set(re.findall(r"'(~/\w+)'", ''.join(sources)))


def test_every_service_is_explained() -> None:
    assert set(rows(section(read('docs/node.md'), 'Services'))) == names_in('services.py')


def test_the_parameters_that_change_while_running_are_named() -> None:
    text, _, _ = section(read('docs/node.md'), 'Parameters').partition('All others wait')
    live = [spec.name for spec in parameter_specs(NodeConfig) if spec.live]
    assert set(re.findall(r'`([\w.*]+)`', text)) - {'configure'} == {*live, 'debug.*'}


def test_every_diagnostic_is_explained(tmp_path: Path) -> None:
    square = [[x, y, 0] for x in (0, 1) for y in (0, 1)] + [[0.5, 0.5, 0]]
    posed = f'{MANIFEST}keypoints: [a, b, c, d, e]\nobject_points: {square}\n'
    spinner = Spinner()
    try:
        node = spinner.add(fake_node(tmp_path / 'model', manifest=posed, decoder=PointingDecoder))
        assert spinner.call(node.trigger_configure).name == 'SUCCESS'
        statuses = diagnostics.statuses('/perception', session=node.session, trouble='')
    finally:
        spinner.close()
    table = rows(section(read('docs/node.md'), 'Diagnostics'))
    explained: dict[str, set[str]] = {'engine': set(), 'camera': set(), 'pose': set()}
    for names, cells in table.items():
        if cells[0] in explained:
            explained[cells[0]].update(re.sub('[` ]', '', names).split(','))
    for status in statuses:
        assert status.name in table
        kind = status.name.rpartition(' ')[2]
        keys = {re.sub(r'^dropped\..*', 'dropped.*', value.key) for value in status.values}
        # Only where the engine can read something of its device.
        assert keys == explained[kind] - {'health.*'}


@pytest.mark.parametrize(
    ('file', 'head'),
    [('perception.launch.py', '| argument |'), ('demo.launch.py', '| argument of the demo |')],
)
def test_every_launch_argument_is_explained(file: str, head: str) -> None:
    tree = ast.parse((ROOT / 'launch' / file).read_text())
    (arguments,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and _names(node) == ['ARGUMENTS']
    ]
    _, _, text = section(read('docs/node.md'), 'Launch file').partition(head)
    table = rows(text.partition('\n\n')[0])
    for name, default, _ in arguments:
        assert table.pop(name)[0] == (f'`{default}`' if default else 'empty')
    assert not table


def _names(node: ast.Assign) -> list[Any]:
    return [getattr(target, 'id', None) for target in node.targets]


# docs/dependencies.md


def test_every_dependency_is_explained() -> None:
    table = rows(read('docs/dependencies.md').partition('## ')[0])
    keys = {cells[0].strip('`') for cells in table.values()}
    package = ElementTree.parse(ROOT / 'package.xml').getroot()
    wanted = {each.text for each in package.findall('exec_depend')}
    assert {key for key in wanted if str(key).startswith('python3-')} <= keys
    found = re.search(r'install_requires=(\[.*?\])', (ROOT / 'setup.py').read_text())
    assert found
    required = {re.sub('[^A-Za-z].*', '', each) for each in ast.literal_eval(found[1])}
    assert required <= {cells[2].strip('`') for cells in table.values()}


def test_every_environment_of_the_matrix_is_listed() -> None:
    text = section(read('docs/dependencies.md'), 'What is tested')
    listed = re.findall(r'^\| (\w+) \| (3\.\d+) \|', text, re.MULTILINE)
    nox = [sys.executable, '-m', 'nox', '--list', '--json']
    sessions = json.loads(subprocess.run(nox, cwd=ROOT, capture_output=True, check=True).stdout)
    wanted = [(each['name'].partition('-')[0].title(), each['python']) for each in sessions]
    assert listed == wanted


# docs/architecture.md


def test_every_folder_of_the_package_has_its_place() -> None:
    text = section(read('docs/architecture.md'), 'Who may import what')
    folders = {path.parent.name for path in (ROOT / 'edge_perception').glob('*/__init__.py')}
    assert folders <= set(re.findall(r'`(\w+)`', text))


def test_files_that_are_named_exist() -> None:
    table = rows(section(read('docs/architecture.md'), 'Where to find what'))
    for name in re.findall(r'`([\w./]+)`', ' '.join(cells[0] for cells in table.values())):
        assert (ROOT / name).exists() or (ROOT / 'edge_perception' / name).exists(), name


# plugins/README.md


def test_the_version_of_the_contract() -> None:
    text = read('plugins/README.md')
    assert set(re.findall(r"EDGE_PERCEPTION_CONTRACT = '([^']*)'", text)) == {CONTRACT_VERSION}
    assert f'version is {CONTRACT_VERSION}.' in text
